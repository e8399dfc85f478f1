"""The raw stores in memory: create-only, byte for byte; what the door rejected is kept apart."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC

from shared.domain.deliveries import Delivery
from shared.domain.errors import ConflictError, NotFoundError
from shared.domain.times import Window
from shared.ports.raw_store import Created


class MemoryRawStore:
    """RawStore in a dictionary, by object name."""

    def __init__(self, created: Callable[[Delivery], None] = lambda _: None) -> None:
        """Start empty. `created` is told of each delivery that is kept for the first time."""
        self._created = created
        self.objects: dict[str, Delivery] = {}

    async def create(self, delivery: Delivery) -> Created:
        """Keep one delivery."""
        return self._keep(delivery)

    def create_all(self, deliveries: Sequence[Delivery]) -> list[Created]:
        """Keep many deliveries."""
        return [self._keep(delivery) for delivery in deliveries]

    def read(self, object_name: str) -> Delivery:
        """Return a kept delivery."""
        return self.read_all([object_name])[0]

    def read_all(self, object_names: Sequence[str]) -> list[Delivery]:
        """Return kept deliveries in the order asked for."""
        for name in object_names:
            if name not in self.objects:
                raise NotFoundError(f"there is no raw object {name}; list the hour to see what is there")
        return [self.objects[name] for name in object_names]

    def names(self, window: Window) -> Iterator[str]:
        """Yield the names of what was received in the window."""
        for delivery in self.deliveries(window):
            yield delivery.object_name

    def deliveries(self, window: Window) -> Iterator[Delivery]:
        """Yield what was received in the window."""
        for name in sorted(self.objects):
            if window.start <= self.objects[name].received_at < window.end:
                yield self.objects[name]

    def _keep(self, delivery: Delivery) -> Created:
        held = self.objects.get(delivery.object_name)
        if held is None:
            self.objects[delivery.object_name] = delivery
            self._created(delivery)
            return Created.CREATED
        if held == delivery:
            return Created.ALREADY_THERE
        raise ConflictError(f"raw object {delivery.object_name} already holds other bytes; nothing was changed")


class MemoryRejectedStore:
    """RejectedStore in a list, bounded by the bytes of its bodies."""

    def __init__(
        self, capacity_bytes: int = 64 * 1024 * 1024, discarded: Callable[[Delivery], None] = lambda _: None
    ) -> None:
        """Start empty. `discarded` is told of each delivery that is forgotten because it was let in."""
        self._capacity_bytes = capacity_bytes
        self._discarded = discarded
        self._held: list[tuple[Delivery, str]] = []
        self._counts: Counter[str] = Counter()

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Keep a rejected delivery; the oldest go when it is full."""
        self._held.append((delivery, reason))
        self._held.sort(key=lambda each: (each[0].received_at.astimezone(UTC), each[0].delivery_id))
        self._counts[reason] += 1
        while sum(len(each.body) for each, _ in self._held) > self._capacity_bytes:
            self._held.pop(0)
            self._counts["dropped"] += 1

    def rejected(self) -> Iterator[tuple[Delivery, str]]:
        """Yield what is kept, oldest first."""
        yield from list(self._held)

    def discard(self, delivery: Delivery) -> None:
        """Forget one."""
        if any(each.delivery_id == delivery.delivery_id for each, _ in self._held):
            self._discarded(delivery)
        self._held = [each for each in self._held if each[0].delivery_id != delivery.delivery_id]

    def counts(self) -> dict[str, int]:
        """Return how many were kept by reason, and how many were dropped."""
        return dict(self._counts)
