"""Receive: check who speaks, keep the bytes, announce them, and only then say yes.

Nothing of a body is interpreted here. A 2xx means that the bytes are durable (DESIGN I1); an announcement that fails
does not turn it into an error, because the straggler job announces again whatever has no outcome.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Refusal, RefusedError, TransientError
from shared.pipeline.keeping import Keep
from shared.ports.provider import Provider
from shared.ports.raw_store import RejectedStore
from shared.ports.secrets import Secrets

BODY_BYTES_MAX = 1024 * 1024
"""The largest body that is kept. Documented webhook payloads are below 100 KB."""
HEADER_BYTES_MAX = 4 * 1024
"""The most that kept headers and the target may take together: they travel as object metadata (8 KiB on Cloud Storage)."""
KEPT_APART_AT_ONCE_MAX = 32
"""How many rejected deliveries are being kept apart at a time; of a flood beyond it only the count is taken."""

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
    keep: Keep
    rejected: RejectedStore
    new_delivery_id: Callable[[datetime], str]
    keeping_apart: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(KEPT_APART_AT_ONCE_MAX))
    """Bounds what rejected callers can make the door hold and write; who is authentic never waits for it."""


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
        await _keep_apart(delivery, refused.refusal, world)
        raise
    await world.keep(delivery)
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


async def _keep_apart(delivery: Delivery, refusal: Refusal, world: Receiving) -> None:
    """Keep a rejected delivery if there is a free hand for it; whatever becomes of that, the caller hears why it was refused."""
    is_kept = not world.keeping_apart.locked()
    log.warning("delivery rejected", provider=delivery.provider, refusal=refusal.value, is_kept=is_kept)
    if is_kept:
        async with world.keeping_apart:
            try:
                await asyncio.to_thread(world.rejected.keep, delivery, refusal.value)
            except TransientError as failure:
                log.warning("rejected delivery not kept", provider=delivery.provider, failure=str(failure))


def _delivery(call: Call, provider: Provider, delivery_id: str, now: datetime) -> Delivery:
    kept = (*provider.capabilities.signature_headers, "content-type", "content-encoding")
    headers = {name: call.headers[name] for name in kept if name in call.headers}
    size = len("".join((call.target, *headers.keys(), *headers.values())).encode())
    if size > HEADER_BYTES_MAX:
        raise RefusedError(Refusal.HEADERS_TOO_LARGE, f"signature headers and target exceed {HEADER_BYTES_MAX} bytes")
    return Delivery(delivery_id, provider.name, Channel.WEBHOOK, now, call.target, headers, call.body)
