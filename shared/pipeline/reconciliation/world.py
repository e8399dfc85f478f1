"""What reconciling needs of the world, and the providers that can be asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from shared.contracts.holding import Holding
from shared.domain.errors import AsientoError, NotFoundError, PausedError, TransientError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.pipeline.reconciliation.listings import Listings
from shared.pipeline.take_in import Intake
from shared.ports.casebook import Casebook
from shared.ports.clock import Clock
from shared.ports.event_bus import DeadLetters, EventBus
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import (
    AlsoTells,
    Capabilities,
    Fetched,
    Listed,
    ManifestApi,
    Provider,
    ProviderApi,
    TotalsApi,
    UndeliveredApi,
)
from shared.ports.raw_store import RawStore, RejectedStore

FAILURES_IN_A_ROW_MAX = 3
"""After so many failures in a row a provider is left alone until the next run."""


@dataclass(frozen=True, slots=True)
class Counterparty:
    """A provider that can be asked: what it declares, and its open API."""

    capabilities: Capabilities
    api: ProviderApi

    @property
    def manifests(self) -> ManifestApi | None:
        """Return the API that lists who travels; None for a provider that declares none."""
        return cast("ManifestApi", self.api) if AlsoTells.MANIFESTS in self.capabilities.also_tells else None

    @property
    def undelivered(self) -> UndeliveredApi | None:
        """Return the API that lists webhooks that could not be delivered; None for a provider that declares none."""
        return cast("UndeliveredApi", self.api) if AlsoTells.UNDELIVERED in self.capabilities.also_tells else None

    @property
    def totals(self) -> TotalsApi | None:
        """Return the API that tells what cash sessions came to; None for a provider that declares none."""
        return cast("TotalsApi", self.api) if AlsoTells.TOTALS in self.capabilities.also_tells else None


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
    dead_letters: DeadLetters | None = None
    """Where the bus keeps announcements that it gave up; None where they cannot be seen from here."""
    code_version: str = ""
    """What derives at present: what another version failed on may go through now."""
    intake: Intake | None = None
    """Where files are dropped; None where there is no such place."""
    readers: Mapping[str, Provider] = field(default_factory=dict)
    """Who reads deliveries, by provider: for what is measured of their content."""
    contracts: Holding | None = None
    """The pinned contracts that deliveries are held against where they are measured; None holds against nothing."""
    rejected: RejectedStore | None = None
    """What the door rejected; None where that cannot be seen from here."""
    listings: Listings | None = None
    """What was listed in the pass of which this is the world, for its jobs to share; None where each job asks for itself."""

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
        except PausedError:
            raise
        except TransientError:
            self._failures += 1
            raise
        self._failures = 0

    def fetch(self, key: EntityKey) -> Fetched:
        """Fetch one thing; raise TransientError at once if the provider is left alone."""
        self._refuse_while_down()
        try:
            fetched = self._api.fetch(key)
        except (NotFoundError, PausedError):
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
