"""Decide: what a person decides about an exception becomes a signed delivery, kept and announced like any other.

Nothing is changed here. Derive makes the decision a fact of the ledger, the job `exceptions` closes what it settles, and a
replay of the raw store decides the same again.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from shared.domain.decisions import (
    EVENT_TYPE,
    Choice,
    Correction,
    Decision,
    latest_version,
    refuse_uncorrectable,
    refuse_unfit,
)
from shared.domain.deliveries import OPERATOR, Channel, Delivery
from shared.domain.entities import FIELDS
from shared.domain.errors import NotFoundError, SettingsError, TerminalError, TransientError
from shared.domain.facts import EntityKey, Value
from shared.domain.findings import FinanceException
from shared.domain.times import to_ms
from shared.pipeline.receive import verify
from shared.ports.casebook import Casebook
from shared.ports.event_bus import EventBus
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import Provider
from shared.ports.raw_store import RawStore
from shared.ports.secrets import Secrets

SHORT_ID_LENGTH = 12
"""So much of an exception's identity is shown in lists, and suffices to name it."""

log = structlog.get_logger("decide")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to decide, in their own words."""

    exception_id: str
    """The identity of an open exception, or the beginning of it."""
    choice: Choice
    reason: str
    decided_by: str
    assigned_to: str = ""
    field: str = ""
    """To correct: which field, and its value as text."""
    value: str = ""
    entity: str = ""
    """To correct: the key of the entity, where it is not the subject but one that the evidence names."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """What deciding needs of the world."""

    operator: Provider
    sign: Callable[[bytes, str, datetime], Mapping[str, str]]
    """Return the headers that sign a body with a secret as of an instant."""
    secrets: Secrets
    casebook: Casebook
    ledger: LedgerStore
    raw: RawStore
    bus: EventBus
    new_delivery_id: Callable[[datetime], str]


def decide(wish: Wish, world: Deciding, now: datetime) -> tuple[FinanceException, Delivery]:
    """Sign and keep a decision about an open exception; return the exception as it was decided on, and the delivery.

    Raises NotFoundError or TerminalError, naming the mend, for what cannot be decided so; SettingsError where there is no
    secret to sign with; what `take` raises.
    """
    exception = open_exception(world.casebook, wish.exception_id)
    decision = Decision(
        exception_id=exception.exception_id,
        choice=wish.choice,
        reason=wish.reason,
        decided_by=wish.decided_by,
        decided_at=now,
        evidence_digest=exception.evidence_digest,
        at_risk=exception.at_risk,
        assigned_to=wish.assigned_to,
    )
    correction = _correction(wish, exception, world.ledger) if wish.choice is Choice.CORRECT else None
    refuse_unfit(decision, correction)
    body = _body(decision, correction, exception)
    return exception, take(body, world.sign(body, signing_secret(world.secrets), now), world, now)


def take(body: bytes, headers: Mapping[str, str], world: Deciding, now: datetime) -> Delivery:
    """Keep a signed decision durably, announce it, and return it. Nothing enters that is not signed or cannot be read.

    Raises RefusedError for a signature that no live secret made or that is old, UnreadableError for a decision that is not
    whole, TransientError when the bytes could not be kept.
    """
    kept = {name: headers[name] for name in world.operator.capabilities.signature_headers if name in headers}
    delivery = Delivery(world.new_delivery_id(now), OPERATOR, Channel.MANUAL, now, "decide", kept, body)
    verify(delivery, world.operator, world.secrets, now)
    world.operator.read(delivery)
    world.raw.create_all([delivery])
    try:
        world.bus.publish_all([delivery.announcement])
    except TransientError as failure:
        # The bytes are durable; the straggler job announces what has no outcome.
        log.warning("announcement failed", delivery_id=delivery.delivery_id, failure=str(failure))
    return delivery


def open_exception(casebook: Casebook, beginning: str) -> FinanceException:
    """Return the one open exception whose identity begins so; raise NotFoundError or TerminalError saying which there are."""
    if not re.fullmatch(r"[0-9a-f]{4,64}", beginning):
        raise TerminalError(
            f"{beginning[:64]!r} names no exception: give at least 4 of the hex digits that `asiento exceptions` shows"
        )
    found = [each for each in casebook.exceptions() if each.exception_id.startswith(beginning)]
    if not found:
        raise NotFoundError(
            f"no open exception begins with {beginning}; what is closed needs no decision: see `asiento exceptions --closed`"
        )
    if len(found) > 1:
        shown = ", ".join(each.exception_id[:SHORT_ID_LENGTH] for each in found[:5])
        raise TerminalError(f"{len(found)} open exceptions begin with {beginning}: {shown}; give more digits")
    return found[0]


def _correction(wish: Wish, exception: FinanceException, ledger: LedgerStore) -> Correction:
    key = _corrected_key(wish, exception)
    value = _typed(key, wish.field, wish.value)
    refuse_uncorrectable(key, wish.field, value)
    entity = ledger.entity(key)
    if entity is None or entity.is_awaited:
        raise TerminalError(
            f"nothing describes {key} yet, so there is nothing to correct; name one that points at it, with its whole key"
        )
    return Correction(key, wish.field, value, latest_version(entity))


def _corrected_key(wish: Wish, exception: FinanceException) -> EntityKey:
    """Return the entity to correct: the exception's subject, or one that its evidence names."""
    subject = exception.subject.split(" ")[0]
    named = {word for text in exception.evidence.values() for word in re.split(r"[,\s]+", text)}
    wanted = wish.entity or subject
    if wanted != subject and wanted not in named:
        raise TerminalError(f"{wanted[:80]} is neither the subject of this exception nor named in its evidence")
    try:
        return EntityKey.parse(wanted)
    except ValueError:
        raise TerminalError(
            f"this exception is about delivery {subject}, which is never changed; mend what its evidence names, or accept it"
        ) from None


def _typed(key: EntityKey, field: str, text: str) -> Value:
    """Return a value of the type that the field has; what is not of that type stays text and is refused by name."""
    declared = FIELDS[key.kind].get(field)
    if declared is not None and declared.type is bool and text in ("true", "false"):
        return text == "true"
    if declared is not None and declared.type is int and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return text


def signing_secret(secrets: Secrets) -> str:
    """Return the secret that decisions are signed with; raise SettingsError where there is none."""
    live = secrets.versions(f"{OPERATOR}-webhook")
    if not live:
        raise SettingsError(
            f"there is no secret {OPERATOR}-webhook to sign decisions with; store one (docs/exceptions.md says how)"
        )
    return live[0]


def _body(decision: Decision, correction: Correction | None, exception: FinanceException) -> bytes:
    at_risk = decision.at_risk
    content: dict[str, Any] = {
        "type": EVENT_TYPE,
        "exception_id": decision.exception_id,
        "exception_kind": exception.kind.value,
        "subject": exception.subject,
        "decision": decision.choice.value,
        "reason": decision.reason,
        "decided_by": decision.decided_by,
        "decided_at_ms": to_ms(decision.decided_at),
        "evidence_digest": decision.evidence_digest,
        "at_risk": {"amount_minor": at_risk.amount_minor, "currency": at_risk.currency} if at_risk else None,
    }
    if decision.assigned_to:
        content["assigned_to"] = decision.assigned_to
    if correction is not None:
        content["correction"] = {
            "key": str(correction.key),
            "field": correction.field,
            "value": correction.value,
            "version_at_ms": correction.version.at_ms,
            "version_step": correction.version.step,
        }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
