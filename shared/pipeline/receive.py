"""Receive: check who speaks, keep the bytes, announce them, and only then say yes.

Nothing of a body is interpreted here. A 2xx means that the bytes are durable (DESIGN I1); an announcement that fails
does not turn it into an error, because the straggler job announces again whatever has no outcome.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Refusal, RefusedError, TransientError
from shared.ports.event_bus import EventBus
from shared.ports.provider import Provider
from shared.ports.raw_store import RawStore, RejectedStore
from shared.ports.secrets import Secrets

BODY_BYTES_MAX = 1024 * 1024
"""The largest body that is kept. Documented webhook payloads are below 100 KB."""
HEADER_BYTES_MAX = 4 * 1024
"""The most that kept headers and the target may take together: they travel as object metadata (8 KiB on Cloud Storage)."""

log = structlog.get_logger("receive")


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came, before anything is believed of it. Header names are in lower case."""

    provider: str
    target: str
    """Path and query, as received."""
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Receiving:
    """What receiving needs of the world."""

    providers: Mapping[str, Provider]
    secrets: Secrets
    raw: RawStore
    rejected: RejectedStore
    bus: EventBus
    new_delivery_id: Callable[[datetime], str]


async def receive(call: Call, world: Receiving, now: datetime) -> Delivery:
    """Keep an authentic call durably, announce it, and return it.

    Raises RefusedError (kept apart if it named a provider that we know), TransientError when the bytes could not be kept.
    """
    provider = world.providers.get(call.provider)
    if provider is None:
        raise RefusedError(
            Refusal.UNKNOWN_PROVIDER, "no provider listens here; post to /<provider>, for example /betterez"
        )
    delivery = _delivery(call, provider, world.new_delivery_id(now), now)
    try:
        verify(delivery, provider, world.secrets, now)
    except RefusedError as refused:
        log.warning("delivery rejected", provider=provider.name, refusal=refused.refusal.value)
        await asyncio.to_thread(world.rejected.keep, delivery, refused.refusal.value)
        raise
    await world.raw.create(delivery)
    await _announce(delivery, world.bus)
    return delivery


def verify(delivery: Delivery, provider: Provider, secrets: Secrets, now: datetime) -> None:
    """Check a signature against the live secrets; on failure look once for a version that was just added.

    Raises RefusedError.
    """
    name = f"{provider.name}-webhook"
    live = secrets.versions(name)
    try:
        provider.verify(delivery, live, now)
    except RefusedError as refused:
        if refused.refusal not in (Refusal.SIGNATURE_WRONG, Refusal.NO_SECRET):
            raise
        refreshed = secrets.refresh(name)
        if refreshed == live:
            raise
        provider.verify(delivery, refreshed, now)


def _delivery(call: Call, provider: Provider, delivery_id: str, now: datetime) -> Delivery:
    kept = (*provider.capabilities.signature_headers, "content-type", "content-encoding")
    headers = {name: call.headers[name] for name in kept if name in call.headers}
    size = len(call.target) + sum(len(name) + len(value) for name, value in headers.items())
    if size > HEADER_BYTES_MAX:
        raise RefusedError(Refusal.HEADERS_TOO_LARGE, f"signature headers and target exceed {HEADER_BYTES_MAX} bytes")
    return Delivery(delivery_id, provider.name, Channel.WEBHOOK, now, call.target, headers, call.body)


async def _announce(delivery: Delivery, bus: EventBus) -> None:
    try:
        await bus.publish(delivery.announcement)
    except TransientError as failure:
        # The bytes are durable: the answer is yes. The straggler job announces what has no outcome.
        log.warning("announcement failed", delivery_id=delivery.delivery_id, failure=str(failure))
