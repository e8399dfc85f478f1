"""The bus: announces kept deliveries, at least once. It carries pointers; the bytes stay in the raw store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.deliveries import Announcement


class EventBus(Protocol):
    """The publishing side. When a publish returns, the announcement will be delivered at least once."""

    async def publish(self, announcement: Announcement) -> None:
        """Announce one kept delivery; raise TransientError if the bus is down (stragglers are announced again)."""

    def publish_all(self, announcements: Sequence[Announcement]) -> None:
        """Announce many, in one go where the bus can."""


@dataclass(frozen=True, slots=True)
class Leased:
    """An announcement that is ours until the deadline; unacknowledged, it comes again."""

    lease_id: str
    announcement: Announcement
    attempt: int
    """1 for the first delivery of this announcement."""


class DeadLetters(Protocol):
    """Announcements that were given up after their last attempt. Raises TransientError if the bus is down."""

    def dead_letters(self) -> list[Leased]:
        """Return what was given up after the last attempt; it stays until it is redriven."""

    def redrive(self, lease_ids: Sequence[str], now: datetime) -> None:
        """Put dead letters back into the queue with their attempts forgotten."""


class Subscription(DeadLetters, Protocol):
    """The pulling side, for replays, tests and the embedded dispatcher; in the cloud the bus pushes to derive."""

    def lease(self, limit: int, now: datetime) -> list[Leased]:
        """Return up to `limit` announcements that are due, each ours until the acknowledgement deadline."""

    def acknowledge(self, lease_ids: Sequence[str]) -> None:
        """End these announcements: they do not come again."""

    def release(self, lease_ids: Sequence[str], now: datetime) -> None:
        """Give back what could not be handled: it comes again after a growing pause, at last as a dead letter."""
