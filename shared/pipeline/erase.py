"""Erase: the keys of a person go for good, so that what they close is unreadable wherever it lies (docs/erasure.md).

The decision comes first: signed, kept, announced and sealed like any other, naming keys and never the person. Then the keys
go, and with them the way from any name to them. Run again, it finds nothing left to do; broken off, it goes on.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from shared.domain.decisions import ERASURE_EVENT_TYPE, refuse_unfit_reason
from shared.domain.deliveries import Delivery
from shared.domain.errors import TerminalError
from shared.domain.sealed_values import holds_tokens, key_ids
from shared.domain.times import ALL_TIME, to_ms
from shared.pipeline.decide import Deciding, signing_secret, take
from shared.pipeline.protecting import Protection
from shared.ports.key_store import Erasure
from shared.ports.raw_store import RawStore, RejectedStore

log = structlog.get_logger("erase")


@dataclass(frozen=True, slots=True)
class Erasing:
    """What erasing needs of the world."""

    deciding: Deciding
    protection: Protection
    raw: RawStore
    rejected: RejectedStore


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure came to, by counts: it names nobody."""

    keys: int
    deliveries: int
    """Kept deliveries in which personal values became unreadable, and whose signature can no longer be checked."""
    rejected: int
    """Deliveries that the door had rejected and that told of the person: they are forgotten whole."""
    decision: str
    """The delivery that holds the decision; empty where there was nothing to erase."""


def erase(
    identifiers: Sequence[str], world: Erasing, now: datetime, *, by: str, reason: str, is_rehearsal: bool = False
) -> Erased:
    """Erase whoever is identified by any of these (`identifier_text` makes them); a rehearsal only counts.

    Raises TerminalError for a decision that does not say who and why, SettingsError where there is no secret to sign it,
    TransientError where a store is down: run it again.
    """
    refuse_unfit_reason(by, reason)
    if not identifiers:
        raise TerminalError("say whom to erase: by e-mail address, customer number, document or telephone number")
    protection = world.protection
    names = [protection.name(each) for each in identifiers]
    gone = protection.keys.find(names)
    rejected = _told_of(identifiers, world)
    deliveries = _closed_under(gone, world.raw) if gone else 0
    decision = ""
    if (gone or rejected) and not is_rehearsal:
        body = _body(gone, by, reason, now)
        deciding = world.deciding
        decision = take(body, deciding.sign(body, signing_secret(deciding.secrets), now), deciding, now).delivery_id
        for delivery in rejected:
            world.rejected.discard(delivery)
    if not is_rehearsal:
        # The keys that the decision names and no other: a key that somebody made meanwhile is found by the next run. Asked
        # for even where nothing was found: it finishes what an earlier run was broken off in.
        protection.keys.erase(gone, Erasure(now, decision))
    log.info("erased", keys=len(gone), deliveries=deliveries, rejected=len(rejected), is_rehearsal=is_rehearsal)
    return Erased(len(gone), deliveries, len(rejected), decision)


def _told_of(identifiers: Sequence[str], world: Erasing) -> list[Delivery]:
    """Return the rejected deliveries that tell of somebody identified so."""
    wanted = set(identifiers)
    return [
        delivery
        for delivery, _ in world.rejected.rejected()
        if any(wanted.intersection(person) for person in world.protection.people_of(delivery))
    ]


def _closed_under(gone: Sequence[str], raw: RawStore) -> int:
    wanted = set(gone)
    return sum(
        holds_tokens(delivery) and not wanted.isdisjoint(key_ids(delivery)) for delivery in raw.deliveries(ALL_TIME)
    )


def _body(gone: Sequence[str], by: str, reason: str, now: datetime) -> bytes:
    content = {
        "type": ERASURE_EVENT_TYPE,
        "key_ids": list(gone),
        "reason": reason,
        "decided_by": by,
        "decided_at_ms": to_ms(now),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
