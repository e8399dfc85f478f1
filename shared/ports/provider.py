"""What a provider is to Asiento: what it can do, how its signatures are checked, what its bytes say, how it is asked.

A provider is one folder under `shared/providers/` with the same file names in each: capabilities, signature, payloads,
translate, client. Its `__init__` gathers them into one `Provider` named PROVIDER. Nothing else knows about it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from shared.domain.deliveries import Delivery
from shared.domain.facts import EntityKey, EntityKind, Reading, Value
from shared.domain.personal import PersonalFields
from shared.domain.times import Window


def lists_all(kind: EntityKind, values: Mapping[str, Value]) -> bool:  # noqa: ARG001  the common answer asks nothing
    """Say that a listing leaves out no entity of its kind."""
    return True


class AlsoTells(StrEnum):
    """What some APIs tell beside entities; the client of one that tells it has the methods of the protocol named here."""

    MANIFESTS = "manifests"
    """Who travels on each trip (ManifestApi)."""
    UNDELIVERED = "undelivered webhooks"
    """The webhooks that the provider could not deliver (UndeliveredApi)."""
    TOTALS = "control totals"
    """What each cash session came to (TotalsApi)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, declared; the table in docs/providers.md is rendered from these."""

    name: str
    title: str
    signature_scheme: str
    signed_content: str
    signature_headers: tuple[str, ...]
    """Headers, in lower case, that must be kept to check the signature again or to decode the body."""
    tolerance_s: int
    """How old, and how far from the future, a signed time may be."""
    event_identity: str
    version_source: str
    has_thin_events: bool
    """Whether some events only point at a thing that must be fetched."""
    event_types: tuple[str, ...]
    """Event types that are understood; others are quarantined."""
    listings: tuple[EntityKind, ...]
    """Kinds that its API can list by window."""
    fetchable: tuple[EntityKind, ...]
    """Kinds that its API can fetch by id."""
    listing_covers: Callable[[EntityKind, Mapping[str, Value]], bool] = lists_all
    """Whether a listing would show an entity with these ledger values; what it would not show cannot be missing from it."""
    also_tells: tuple[AlsoTells, ...] = ()
    """What its API tells beside entities."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One entity as the provider's API lists it: enough to see whether the ledger agrees. Amounts in minor units."""

    key: EntityKey
    version_at_ms: int
    """0 where the provider tells no version: then only the values are compared."""
    amount_minor: int | None
    currency: str | None
    status: str
    """In the ledger's words; empty where the listing does not say."""
    fetch: EntityKey
    """What to fetch to learn the whole of it (of a ticket: its sale)."""
    occurred_at_ms: int | None = None
    """The instant by which it is listed; None where it cannot be read. Of a manifest: the start of its day."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An API answer, byte for byte, to be kept as a delivery of channel fetch."""

    target: str
    body: bytes


class ProviderApi(Protocol):
    """The provider's API, read only. Raises TransientError when asking later can help, TerminalError when not."""

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """Yield what the provider lists of a kind in a window (by OCCURRED_AT), following pages."""

    def fetch(self, key: EntityKey) -> Fetched:
        """Fetch one thing by id; raise NotFoundError if the provider does not know it."""

    def close(self) -> None:
        """Give connections back."""


class SeatListed(NamedTuple):
    """One passenger's place on a trip as the provider's manifest lists it, without the passenger."""

    ticket: Listed
    seat: str
    """Empty where the manifest gives none."""
    origin: str
    destination: str
    departs_at_ms: int | None
    arrives_at_ms: int | None


@dataclass(frozen=True, slots=True)
class ManifestListed:
    """One trip as the provider lists it, with everybody on it, given back or not."""

    listed: Listed
    travel_day: date
    route_id: str
    service_id: str
    capacity: int | None
    """Seats of the vehicle; None where the provider does not say."""
    seats: tuple[SeatListed, ...]


class ManifestApi(Protocol):
    """An API that lists manifests with their seats. Raises as ProviderApi."""

    def list_manifests(self, day: date) -> Iterator[ManifestListed]:
        """Yield the trips of one travel day."""


class Undelivered(NamedTuple):
    """One webhook that the provider says it could not deliver."""

    undelivered_id: str
    event_key: str
    """The key of the event that it tells, as the ledger marks it; empty where the entry does not say."""


class UndeliveredApi(Protocol):
    """An API that lists the webhooks it could not deliver and shows each. Nothing is erased there. Raises as ProviderApi."""

    def list_undelivered(self) -> Iterator[Undelivered]:
        """Yield every entry of the list."""

    def fetch_undelivered(self, undelivered_id: str) -> Fetched:
        """Fetch one entry with its payload; raise NotFoundError if it is gone from the list."""


class Total(NamedTuple):
    """What one kind of money of a cash session comes to, in minor units: `card payments`, `refunds`."""

    about: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ShiftTotals:
    """What the provider says that a cash session came to."""

    key: EntityKey
    opened_at_ms: int
    closed_at_ms: int | None
    """None while it is open: its totals still change, and are not told."""
    totals: tuple[Total, ...]


class TotalsApi(Protocol):
    """An API that tells what each cash session came to. Raises as ProviderApi."""

    def list_totals(self, day: date) -> Iterator[ShiftTotals]:
        """Yield the cash sessions that were opened on a business day, with their totals once they are closed."""


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """Where a provider's API is and with which credentials it is asked."""

    base_url: str
    credentials: str
    """The secret as stored, in the provider's own form: see its docs page."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, whole: the four things that the pipeline asks of it."""

    capabilities: Capabilities
    verify: Callable[[Delivery, Sequence[str], datetime], None]
    """Check a webhook's signature against the live secrets at an instant; raises RefusedError."""
    read: Callable[[Delivery], Reading]
    """Say what a delivery says; raises UnreadableError. Pure."""
    open_api: Callable[[ApiAccess], ProviderApi] | None
    """Open its API; None if it has none."""
    file_headers: Callable[[str, str, Mapping[str, str]], Mapping[str, str]] | None = None
    """Say what must travel with a file so that it is read the same way for ever, from the file's name, the mapping that is
    asked for (or empty) and the declared mappings by name; raises SettingsError. None if files speak for themselves."""
    personal: PersonalFields | None = None
    """Which fields of its JSON are about a person; they are closed before they are kept. None if there are none."""

    @property
    def name(self) -> str:
        """Return the provider's name, as in paths and keys."""
        return self.capabilities.name
