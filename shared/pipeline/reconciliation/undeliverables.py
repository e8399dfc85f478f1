"""Undeliverables: what a provider says that it could not deliver is taken from its list, as if it had arrived.

Each entry is fetched by itself and kept as a delivery like any other answer; it is read as the webhook that it repeats,
under the same event key, so that it is a duplicate where the webhook came after all. Nothing is erased or retried at the
provider, and so the list may be taken again from the start at any time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import structlog

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import NotFoundError
from shared.domain.findings import Sighting
from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.settle import Effects, Snapshot, Touch
from shared.pipeline.reconciliation.chunks import chunks
from shared.pipeline.reconciliation.fetches import RUN_TIME_MAX
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.world import Reconciling
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import Undelivered, UndeliveredApi

JOB = "undeliverables"
BATCH = 100
"""Entries taken at a time: so many answers are held in memory and kept in one go."""

log = structlog.get_logger("reconcile")


def undeliverables(world: Reconciling) -> list[ReconciliationRun]:
    """Take what each provider lists as undelivered and the ledger has not heard of: one run a provider that has such a list."""
    return [
        recorded(world, Work(JOB, name), _Taking(world, name, counterparty.undelivered).run)
        for name, counterparty in sorted(world.counterparties.items())
        if counterparty.undelivered is not None
    ]


class _Taking:
    """One run in progress."""

    def __init__(self, world: Reconciling, provider: str, api: UndeliveredApi) -> None:
        self._world = world
        self._provider = provider
        self._api = api
        self._counts: Counter[str] = Counter(listed=0, known=0, held_before=0, taken=0, gone=0, left=0)

    def run(self, by: Sighting) -> Report:
        for entries in chunks(self._api.list_undelivered(), BATCH):
            self._counts["listed"] += len(entries)
            new = self._new(entries)
            if self._world.clock.now() >= by.at + RUN_TIME_MAX:
                self._counts["left"] += len(new)
                continue
            self._keep([delivery for entry in new for delivery in self._fetched(entry)])
        if self._counts["taken"]:
            log.warning("undelivered webhooks taken", provider=self._provider, count=self._counts["taken"])
        return Report(dict(self._counts))

    def _new(self, entries: Sequence[Undelivered]) -> list[Undelivered]:
        """Return the entries whose event the ledger has not heard of, and that were not held when they were taken before."""
        known = marked(self._world.ledger, [entry.event_key for entry in entries if entry.event_key])
        unknown = [entry for entry in entries if entry.event_key not in known]
        held = self._held() if unknown else frozenset()
        new = [entry for entry in unknown if entry.undelivered_id not in held]
        self._counts["known"] += len(entries) - len(unknown)
        self._counts["held_before"] += len(unknown) - len(new)
        return new

    def _held(self) -> frozenset[str]:
        """Return the entries that were taken before and could not be read: a replay helps them, taking them again does not."""
        place = f"/{self._provider}/{Channel.FETCH.value}/"
        verdicts = self._world.ledger.verdicts((Outcome.QUARANTINED, Outcome.FAILED))
        names = (verdict.object_name for verdict in verdicts if place in verdict.object_name)
        return frozenset(
            delivery.target.rpartition("/")[2]
            for some in chunks(names, BATCH)
            for delivery in self._world.raw.read_all(some)
        )

    def _fetched(self, entry: Undelivered) -> Iterator[Delivery]:
        """Yield the entry as a delivery; nothing where it has left the list meanwhile, delivered or erased by somebody."""
        try:
            fetched = self._api.fetch_undelivered(entry.undelivered_id)
        except NotFoundError:
            self._counts["gone"] += 1
            return
        received_at = self._world.clock.now()
        delivery_id = self._world.new_delivery_id(received_at)
        yield Delivery(delivery_id, self._provider, Channel.FETCH, received_at, fetched.target, {}, fetched.body)

    def _keep(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            self._world.raw.create_all(deliveries)
            self._world.bus.publish_all([delivery.announcement for delivery in deliveries])
            self._counts["taken"] += len(deliveries)


def marked(ledger: LedgerStore, event_keys: Sequence[str]) -> set[str]:
    """Return those of the event keys under which the ledger has heard of something, read in one transaction."""
    known: set[str] = set()

    def look(snapshot: Snapshot) -> Effects:
        known.update(snapshot.marks)
        return Effects()

    if event_keys:
        ledger.transact(Touch(frozenset(), frozenset(event_keys), frozenset()), look)
    return known
