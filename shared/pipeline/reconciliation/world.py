"""What reconciling needs of the world, and the providers that can be asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.domain.errors import AsientoError, NotFoundError, TransientError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.ports.casebook import Casebook
from shared.ports.clock import Clock
from shared.ports.event_bus import EventBus
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import Capabilities, Fetched, Listed, ProviderApi
from shared.ports.raw_store import RawStore

FAILURES_IN_A_ROW_MAX = 3
"""After so many failures in a row a provider is left alone until the next run."""


@dataclass(frozen=True, slots=True)
class Counterparty:
    """A provider that can be asked: what it declares, and its open API."""

    capabilities: Capabilities
    api: ProviderApi


@dataclass(frozen=True, slots=True)
class Reconciling:
    """What reconciling needs of the world.

    The clock serves what `now` cannot: a job lasts, so each fetched answer carries the time at which it came (its hour in
    the raw store must not have been sealed already), each comparison the times as of which both sides were read.
    """

    counterparties: Mapping[str, Counterparty]
    raw: RawStore
    bus: EventBus
    ledger: LedgerStore
    casebook: Casebook
    clock: Clock
    new_delivery_id: Callable[[datetime], str]
    new_run_id: Callable[[datetime], str]
    providers: tuple[str, ...] = ()
    """Every provider that is listened to, those that cannot be asked too: what their files tell is compared all the same."""

    def can_fetch(self, key: EntityKey) -> bool:
        """Return whether the provider of this entity can be asked for it by id."""
        counterparty = self.counterparties.get(key.provider)
        return counterparty is not None and key.kind in counterparty.capabilities.fetchable


class PatientApi:
    """A provider's API that is left alone once it has failed several times in a row, so that a run ends soon and in order.

    Of fetches every failure counts, for wrong credentials fail them all; of listings only what may pass, for a day that
    cannot be read must not keep the other days from being compared.
    """

    def __init__(self, provider: str, api: ProviderApi) -> None:
        """Wrap an open API for the length of one job."""
        self._provider = provider
        self._api = api
        self._failures = 0

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """Yield what the API lists; raise TransientError at once if the provider is left alone."""
        self._refuse_while_down()
        try:
            yield from self._api.list_window(kind, window)
        except TransientError:
            self._failures += 1
            raise
        self._failures = 0

    def fetch(self, key: EntityKey) -> Fetched:
        """Fetch one thing; raise TransientError at once if the provider is left alone."""
        self._refuse_while_down()
        try:
            fetched = self._api.fetch(key)
        except NotFoundError:
            raise
        except AsientoError:
            self._failures += 1
            raise
        self._failures = 0
        return fetched

    def close(self) -> None:
        """Give connections back."""
        self._api.close()

    def _refuse_while_down(self) -> None:
        if self._failures >= FAILURES_IN_A_ROW_MAX:
            raise TransientError(
                f"{self._provider} failed {self._failures} times in a row and is not asked until the next run"
            )
