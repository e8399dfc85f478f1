"""The raw store: every accepted delivery, byte for byte, created once and never changed (DESIGN I1, I2)."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Protocol

from shared.domain.deliveries import Delivery
from shared.domain.times import Window


class Created(StrEnum):
    """What a create-only write found."""

    CREATED = "created"
    ALREADY_THERE = "already_there"
    """The same bytes are there under this name: an earlier try of ours succeeded and its answer was lost."""


class RawStore(Protocol):
    """Append-only and create-only. When a create returns, the bytes survive a crash.

    Creating under a name that holds other bytes raises ConflictError; a store that is down raises TransientError.
    """

    async def create(self, delivery: Delivery) -> Created:
        """Keep one delivery durably. Concurrent calls may share one flush."""

    def create_all(self, deliveries: Sequence[Delivery]) -> list[Created]:
        """Keep many deliveries durably, in one go where the store can."""

    def read(self, object_name: str) -> Delivery:
        """Return a kept delivery; raise NotFoundError if there is none of this name."""

    def read_all(self, object_names: Sequence[str]) -> list[Delivery]:
        """Return kept deliveries in the order asked for; raise NotFoundError naming the first that is missing."""

    def names(self, window: Window) -> Iterator[str]:
        """Yield the names of the deliveries received in a window, in order of hour, then provider, channel and id."""

    def deliveries(self, window: Window) -> Iterator[Delivery]:
        """Yield the deliveries received in a window, in the order of `names`, with memory that does not grow."""


class RejectedStore(Protocol):
    """Deliveries that the door rejected, kept apart and bounded, so that they can be readmitted when a secret is mended.

    It is never derived from. When it is full, the oldest go; how many were ever kept and dropped is counted. What is kept
    counts with its headers and its name, so that empty bodies fill it too.
    """

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Keep a rejected delivery with the reason. Best effort: it never makes the door slower than its bound."""

    def rejected(self) -> Iterator[tuple[Delivery, str]]:
        """Yield what is kept, oldest first, with the reason of each."""

    def discard(self, delivery: Delivery) -> None:
        """Forget one, after it has been readmitted; forgetting it twice is harmless."""

    def counts(self) -> dict[str, int]:
        """Return how many were kept since the beginning, by reason, and under `dropped` how many had to go."""
