"""Derive: what kept bytes say becomes facts, and facts become the ledger, in one transaction.

Reading is pure and per provider; settling is pure and per snapshot; only the ledger store writes. A delivery that cannot
be read, or on which our code fails, ends in an outcome too: nothing is dropped and nothing blocks its neighbours.
"""

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import structlog

from shared.contracts.holding import Holding
from shared.domain.deliveries import Channel, Delivery
from shared.domain.entities import refuse_undeclared
from shared.domain.errors import SettingsError, UnreadableError
from shared.domain.facts import Reading
from shared.domain.outcomes import Verdict
from shared.domain.settle import Derivation, settle, touch_of
from shared.domain.times import to_ms
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import Provider
from shared.ports.raw_store import RawStore

log = structlog.get_logger("derive")


@dataclass(frozen=True, slots=True)
class Deriving:
    """What deriving needs of the world."""

    providers: Mapping[str, Provider]
    raw: RawStore
    ledger: LedgerStore
    code_version: str
    contracts: Holding | None = None
    """The pinned contracts that readings are held against; None holds nothing."""


def derive(object_names: Sequence[str], world: Deriving, now: datetime) -> list[Verdict]:
    """Derive announced deliveries and return what became of each, in order.

    Raises NotFoundError if the raw store does not hold one, TransientError if a store is down: the bus then brings it again.
    """
    return derive_deliveries(world.raw.read_all(object_names), world, now)


def derive_deliveries(
    deliveries: Sequence[Delivery], world: Deriving, now: datetime, *, is_replay: bool = False
) -> list[Verdict]:
    """Read deliveries, settle them in one transaction and return what became of each, in order."""
    derivations = [_read(delivery, world) for delivery in deliveries]
    effects = world.ledger.transact(
        touch_of(derivations),
        lambda snapshot: settle(
            derivations, snapshot, now_ms=to_ms(now), code_version=world.code_version, is_replay=is_replay
        ),
    )
    for verdict in effects.verdicts:
        if verdict.outcome.needs_attention:
            log.warning(
                "delivery needs attention",
                delivery_id=verdict.delivery_id,
                outcome=verdict.outcome.value,
                reason=verdict.reason,
            )
    return effects.verdicts


def replay(
    deliveries: Iterable[Delivery], world: Deriving, now: datetime, batch_size: int = 500
) -> Iterator[list[Verdict]]:
    """Derive kept deliveries again, batch by batch; each is an attempt of its own. Memory does not grow with their number."""
    remaining = iter(deliveries)
    while batch := list(islice(remaining, batch_size)):
        yield derive_deliveries(batch, world, now, is_replay=True)


def _read(delivery: Delivery, world: Deriving) -> Derivation:
    said = _say(delivery, world)
    return Derivation(
        delivery.delivery_id, delivery.object_name, _rank(delivery, said), to_ms(delivery.received_at), said
    )


def _rank(delivery: Delivery, said: Reading | Exception) -> int:
    """Return the place of what was said on a tie: what repeats a webhook ranks as it would have, however it came."""
    repeats_webhook = isinstance(said, Reading) and said.repeats_webhook
    return (Channel.WEBHOOK if repeats_webhook else delivery.channel).rank


def _say(delivery: Delivery, world: Deriving) -> Reading | Exception:
    try:
        reading = _provider(delivery, world.providers).read(delivery)
        for fact in reading.facts:
            refuse_undeclared(fact)
        if world.contracts is not None:
            world.contracts.hold(delivery, reading.event_type)
    except UnreadableError as unreadable:
        return unreadable
    except Exception as failure:  # noqa: BLE001  a defect of ours must not lose this delivery nor hold up its neighbours
        tell_unforeseen(failure, delivery.delivery_id)
        return failure
    return reading


def _provider(delivery: Delivery, providers: Mapping[str, Provider]) -> Provider:
    provider = providers.get(delivery.provider)
    if provider is None:
        raise SettingsError(f"{delivery.provider} is not listened to any more; name it in ASIENTO_PROVIDERS and replay")
    return provider


def tell_unforeseen(failure: Exception, delivery_id: str) -> None:
    """Log where a defect of ours happened, not what it says: an unforeseen message may quote a passenger's name."""
    where = "".join(traceback.format_tb(failure.__traceback__))
    log.warning("reading failed", delivery_id=delivery_id, error=type(failure).__name__, where=where)
