"""The embedded push subscription: leases announcements and pushes each to the derive door in Pub/Sub's envelope."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import structlog

from shared.adapters.embedded.event_bus import SqliteEventBus
from shared.ports.clock import Clock
from shared.ports.event_bus import Leased
from shared.runtime.http import to_push

SUBSCRIPTION = "projects/local/subscriptions/derive"
BATCH = 200
CONCURRENCY = 8
IDLE_S = 0.05

log = structlog.get_logger("dispatcher")


@dataclass(slots=True)
class Dispatcher:
    """Pushes what is due until it is stopped; an answer other than 2xx gives the announcement back to the bus."""

    bus: SqliteEventBus
    derive_url: str
    clock: Clock
    is_stopped: bool = False

    async def run(self) -> None:
        """Push until stopped."""
        async with httpx.AsyncClient(timeout=60) as client:
            while not self.is_stopped:
                leased = self.bus.lease(BATCH, self.clock.now())
                if leased:
                    await self._push_all(client, leased)
                else:
                    await asyncio.sleep(IDLE_S)

    async def _push_all(self, client: httpx.AsyncClient, leased: Sequence[Leased]) -> None:
        slots = asyncio.Semaphore(CONCURRENCY)
        accepted = await asyncio.gather(*(self._push(client, slots, each) for each in leased))
        done = [each.lease_id for each, ok in zip(leased, accepted, strict=True) if ok]
        undone = [each.lease_id for each, ok in zip(leased, accepted, strict=True) if not ok]
        self.bus.acknowledge(done)
        if undone:
            self.bus.release(undone, self.clock.now())

    async def _push(self, client: httpx.AsyncClient, slots: asyncio.Semaphore, leased: Leased) -> bool:
        async with slots:
            try:
                answer = await client.post(
                    self.derive_url, json=to_push(leased.announcement, leased.lease_id, SUBSCRIPTION)
                )
            except httpx.HTTPError as failure:
                log.warning("push failed", delivery_id=leased.announcement.delivery_id, failure=type(failure).__name__)
                return False
            return answer.is_success
