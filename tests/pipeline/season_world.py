"""A season heard of by webhook and asked for over loopback HTTP: the simulated APIs, the real clients, real stores."""

from collections.abc import Iterable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import stamina

from local.simulator import API_SECRETS, Api, ApiServer, Chaos, Plan, Season
from local.simulator.api.misbehaviour import Misbehaviour
from shared.adapters.embedded.casebook import SqliteCasebook
from shared.adapters.embedded.event_bus import SqliteEventBus
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.domain.deliveries import Channel, Delivery
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window
from shared.pipeline.derive import Deriving, derive
from shared.pipeline.reconcile import Counterparty, Reconciling, reconcile, run_all
from shared.pipeline.state_hash import state_hash
from shared.ports.provider import ApiAccess
from shared.providers.toolkit import registry
from shared.runtime.ids import new_delivery_id
from tests.pipeline.small_company import HandClock

PROVIDERS = ("betterez", "stripe", "mercadopago")
WEBHOOK_SECRETS = {"betterez": "k", "stripe": "whsec_k", "mercadopago": "k"}
AFTERWARDS = datetime(2026, 4, 1, tzinfo=UTC)
"""The season is over; so are the trips that were sold in it."""
STRAGGLING_SHARE = 0.05
"""Of the webhooks that are kept while things go wrong, how many are never announced."""


class SeasonWorld:
    """Asiento for one season of the simulated company, on real embedded stores in one folder."""

    def __init__(self, home: Path, season: Season, api: Api | None = None) -> None:
        """Open everything, empty, beside the providers' APIs as they are given, or in good order."""
        self.season = season
        self.api = api or Api(season.company)
        self.clock = HandClock(AFTERWARDS)
        self.window = Window.of_days(season.first_day, max(day for day, _ in season.books.earned))
        self.providers = {name: registry.load(name) for name in PROVIDERS}
        self._opened = ExitStack()
        self.raw = self._opened.enter_context(closing(SqliteRawStore(home / "raw.db")))
        self.bus = self._opened.enter_context(closing(SqliteEventBus(home / "bus.db")))
        self.ledger = self._opened.enter_context(closing(SqliteLedgerStore(home / "ledger.db")))
        self.casebook = self._opened.enter_context(closing(SqliteCasebook(home / "cases.db")))
        server = self._opened.enter_context(ApiServer(self.api))
        # Each question is asked twice without a pause: how long a client waits is shown in the client's own tests.
        self._opened.enter_context(stamina.set_testing(testing=True, attempts=2, cap=True))
        self.reconciling = Reconciling(
            counterparties={name: self._counterparty(name, server) for name in PROVIDERS},
            raw=self.raw,
            bus=self.bus,
            ledger=self.ledger,
            casebook=self.casebook,
            clock=self.clock,
            new_delivery_id=new_delivery_id,
            new_run_id=new_delivery_id,
            providers=PROVIDERS,
        )

    def _counterparty(self, name: str, server: ApiServer) -> Counterparty:
        provider = self.providers[name]
        assert provider.open_api is not None
        api = self._opened.enter_context(
            closing(provider.open_api(ApiAccess(server.base_url(name), API_SECRETS[name])))
        )
        return Counterparty(provider.capabilities, api)

    @property
    def misbehaviour(self) -> Misbehaviour:
        """What the providers do wrong."""
        return self.api.misbehaviour

    @property
    def hash(self) -> str:
        """The state hash of the ledger."""
        return state_hash(self.ledger.entities())

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        self._opened.close()

    def hear(self, chaos: Chaos, *, straggling: float = 0) -> None:
        """Keep what arrives of the season's webhooks and derive it; some announcements get lost on the way."""
        random = Random(chaos.seed)  # noqa: S311  a seeded test, no secret
        now = self.clock.now()
        deliveries = []
        for send in Plan(self.season, chaos).sends():
            request = send.request(WEBHOOK_SECRETS, now)
            headers = {name.lower(): value for name, value in request.headers.items()}
            provider = send.emission.provider
            deliveries.append(
                Delivery(new_delivery_id(now), provider, Channel.WEBHOOK, now, request.target, headers, request.body)
            )
        self.raw.create_all(deliveries)
        self.bus.publish_all([each.announcement for each in deliveries if random.random() >= straggling])
        self.derive()

    def derive(self) -> int:
        """Derive what is announced; return how many deliveries that was."""
        deriving, now, handled = Deriving(self.providers, self.raw, self.ledger, "test"), self.clock.now(), 0
        while leased := self.bus.lease(500, now):
            derive([each.announcement.object_name for each in leased], deriving, now)
            self.bus.acknowledge([each.lease_id for each in leased])
            handled += len(leased)
        return handled

    def run(self, job: str, window: Window | None = None) -> list[ReconciliationRun]:
        """Run one job as of now, and derive what it fetched."""
        runs = reconcile(job, self.reconciling, window or self.window, self.clock.now())
        self.derive()
        return runs

    def pass_hour(self) -> list[ReconciliationRun]:
        """Let an hour go by, run every job, and derive what was fetched."""
        runs = run_all(self.reconciling, self.window, self.clock.put_forward(hours=1))
        self.derive()
        return runs

    def settle_down(self, hours_max: int = 8) -> int:
        """Let hours go by until one opens, closes and fetches nothing; return how many that took."""
        for hours in range(1, hours_max + 1):
            runs = self.pass_hour()
            assert not failures(runs)
            if not any(run.opened or run.closed or run.counts.get("fetched") for run in runs):
                return hours
        raise AssertionError(f"{hours_max} hours were not enough")


def failures(runs: Iterable[ReconciliationRun]) -> list[str]:
    """Return what the failed runs say."""
    return [run.error for run in runs if run.has_failed]
