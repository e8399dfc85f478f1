"""Keeping: what the door accepted is made durable first, and announced then.

In the cloud each delivery is a request of its own. On one machine deliveries that come together share one flush and one
announcement: the thread that writes does both, and the door waits once.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from shared.domain.deliveries import Delivery
from shared.domain.errors import AsientoError, TransientError
from shared.pipeline.group_writer import GroupWriter
from shared.ports.event_bus import EventBus
from shared.ports.raw_store import Created, RawStore

Keep = Callable[[Delivery], Awaitable[Created]]
"""Returns when the bytes are durable and were announced, or their announcement failed; raises what keeping them raised."""

log = structlog.get_logger("receive")


def one_by_one(raw: RawStore, bus: EventBus) -> Keep:
    """Keep each delivery by itself: for stores that serve many requests at once."""

    async def keep(delivery: Delivery) -> Created:
        created = await raw.create(delivery)
        try:
            await bus.publish(delivery.announcement)
        except TransientError as failure:
            _tell(failure, [delivery])
        return created

    return keep


def in_groups(raw: RawStore, bus: EventBus) -> Keep:
    """Keep deliveries that wait together in one go: for stores that flush, and serve one writer at a time."""

    def write(deliveries: Sequence[Delivery]) -> list[Created | Exception]:
        results = _kept(deliveries, raw)
        durable = [each for each, result in zip(deliveries, results, strict=True) if isinstance(result, Created)]
        try:
            bus.publish_all([delivery.announcement for delivery in durable])
        except TransientError as failure:
            _tell(failure, durable)
        return results

    return GroupWriter(write).submit


def _kept(deliveries: Sequence[Delivery], raw: RawStore) -> list[Created | Exception]:
    """Keep a group; where it fails, keep each by itself, so that one delivery does not fail its neighbours."""
    try:
        return list(raw.create_all(deliveries))
    except AsientoError as failure:
        return [failure] if len(deliveries) == 1 else [_kept([each], raw)[0] for each in deliveries]


def _tell(failure: TransientError, unannounced: Sequence[Delivery]) -> None:
    """Say that kept bytes were not announced. They are durable: the straggler job announces what has no outcome."""
    log.warning(
        "announcement failed", delivery_ids=[delivery.delivery_id for delivery in unannounced], failure=str(failure)
    )
