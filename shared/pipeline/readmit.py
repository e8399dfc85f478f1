"""Readmit: what was rejected for want of the right secret is checked again, and what verifies enters as it came.

A delivery is checked against the live secrets as of the moment at which it was received, so that the replay window means
what it meant then. It keeps its id, instant, headers and bytes: a trace checks the same signature again. It is forgotten
here only once it is kept and announced, so that a run may be broken off anywhere and run again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog

from shared.domain.deliveries import Delivery
from shared.domain.errors import ConflictError, Refusal, RefusedError, SettingsError
from shared.ports.event_bus import EventBus
from shared.ports.provider import Provider
from shared.ports.raw_store import RawStore, RejectedStore
from shared.ports.secrets import Secrets

log = structlog.get_logger("readmit")

ALREADY_KEPT_OTHERWISE = "kept_otherwise"
"""Why a delivery remains whose name the raw store holds with other bytes: neither is overwritten."""


@dataclass(frozen=True, slots=True)
class Readmitting:
    """What readmitting needs of the world."""

    providers: Mapping[str, Provider]
    secrets: Secrets
    raw: RawStore
    rejected: RejectedStore
    bus: EventBus


class Remaining(NamedTuple):
    """Deliveries that stay rejected, told apart by whose they claim to be, why they were refused, and why they still are."""

    provider: str
    refused_as: str
    remains_as: str


@dataclass(frozen=True, slots=True)
class Readmission:
    """What a run came to: how many verified, by provider, and how many remain, by reason."""

    readmitted: Mapping[str, int]
    remaining: Mapping[Remaining, int]
    is_rehearsal: bool
    """Whether nothing was kept, announced or forgotten."""


def readmit(
    world: Readmitting, *, provider: str = "", since: datetime | None = None, is_rehearsal: bool = False
) -> Readmission:
    """Check rejected deliveries again, oldest first, and let those enter that verify; memory does not grow with their number.

    Of one provider if it is named, received at or after `since` if it is given; a rehearsal only counts. Raises
    SettingsError for a provider that is not listened to, TransientError if a store or the bus is down: run it again.
    """
    if provider and provider not in world.providers:
        raise SettingsError(f"no provider {provider[:64]!r}; name one of {', '.join(sorted(world.providers))}")
    live = {name: world.secrets.refresh(f"{name}-webhook") for name in world.providers}
    readmitted: Counter[str] = Counter()
    remaining: Counter[Remaining] = Counter()
    for delivery, refused_as in _chosen(world.rejected, provider, since):
        reason = _why_refused(delivery, world.providers, live)
        if reason is None and not is_rehearsal:
            reason = _enter(delivery, world)
        if reason is None:
            readmitted[delivery.provider] += 1
        else:
            remaining[Remaining(delivery.provider, refused_as, reason)] += 1
    log.info("readmitted", count=readmitted.total(), remaining=remaining.total(), is_rehearsal=is_rehearsal)
    return Readmission(dict(readmitted), dict(remaining), is_rehearsal)


def _chosen(rejected: RejectedStore, provider: str, since: datetime | None) -> Iterator[tuple[Delivery, str]]:
    for delivery, reason in rejected.rejected():
        if provider in ("", delivery.provider) and (since is None or delivery.received_at >= since):
            yield delivery, reason


def _why_refused(
    delivery: Delivery, providers: Mapping[str, Provider], live: Mapping[str, Sequence[str]]
) -> str | None:
    """Return why the door stays closed, or None where the signature holds as of the moment at which it came."""
    if delivery.provider not in providers:
        return Refusal.UNKNOWN_PROVIDER.value
    try:
        providers[delivery.provider].verify(delivery, live[delivery.provider], delivery.received_at)
    except RefusedError as refused:
        return refused.refusal.value
    return None


def _enter(delivery: Delivery, world: Readmitting) -> str | None:
    """Keep, announce, forget: in this order nothing is lost wherever it ends. Return why it could not be kept, or None."""
    try:
        world.raw.create_all([delivery])
    except ConflictError:
        return ALREADY_KEPT_OTHERWISE
    world.bus.publish_all([delivery.announcement])
    world.rejected.discard(delivery)
    return None
