"""What a provider is to Asiento: what it can do, how its signatures are checked, what its bytes say, how it is asked.

A provider is one folder under `shared/providers/` with the same file names in each: capabilities, signature, payloads,
translate, client. Its `__init__` gathers them into one `Provider` named PROVIDER. Nothing else knows about it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.deliveries import Delivery
from shared.domain.facts import EntityKey, EntityKind, Reading, Value
from shared.domain.times import Window


def lists_all(kind: EntityKind, values: Mapping[str, Value]) -> bool:  # noqa: ARG001  the common answer asks nothing
    """Say that a listing leaves out no entity of its kind."""
    return True


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

    @property
    def name(self) -> str:
        """Return the provider's name, as in paths and keys."""
        return self.capabilities.name
