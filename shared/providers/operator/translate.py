"""What a decision says, as facts: the decision itself, and the field that it corrects (docs/exceptions.md)."""

from typing import Any

from shared.domain.decisions import (
    ERASURE_EVENT_TYPE,
    EVENT_TYPE,
    Choice,
    Correction,
    Decision,
    decision_key,
    decision_values,
    refuse_uncorrectable,
    refuse_unfit,
    refuse_unfit_reason,
)
from shared.domain.deliveries import OPERATOR, Channel, Delivery
from shared.domain.errors import Quarantine, TerminalError, UnreadableError
from shared.domain.facts import EntityKey, Fact, Reading, Version
from shared.domain.money import from_minor
from shared.domain.times import from_ms
from shared.providers.operator import payloads
from shared.providers.toolkit.json_body import content_digest, parse_object
from shared.providers.toolkit.payload_models import read_as
from shared.providers.toolkit.readings import refuse_channel, refuse_event_type
from shared.providers.toolkit.values import in_our_words

_CHOICES = {choice.value: choice.value for choice in Choice}


def read(delivery: Delivery) -> Reading:
    """Return what a delivery says; raise UnreadableError where that is not certain.

    The event key begins with the moment of the decision: of two corrections as of one version the later one stands.
    """
    if delivery.channel is not Channel.MANUAL:
        return refuse_channel(delivery.channel)
    body = parse_object(delivery.body)
    if body.get("type") == ERASURE_EVENT_TYPE:
        return _erasure(body)
    if body.get("type") != EVENT_TYPE:
        return refuse_event_type(str(body.get("type")))
    made = read_as(payloads.DecisionMade, body)
    digest = content_digest(body)
    return Reading(
        event_key=f"{OPERATOR}:decision:{made.decided_at_ms:015d}:{digest}",
        event_type=made.type,
        occurred_at_ms=made.decided_at_ms,
        content_digest=digest,
        facts=tuple(_facts(made)),
    )


def _erasure(body: dict[str, Any]) -> Reading:
    """Read the decision to erase people's keys: it is kept and sealed like any other, and says nothing about money."""
    decided = read_as(payloads.ErasureDecided, body)
    try:
        refuse_unfit_reason(decided.decided_by, decided.reason)
    except TerminalError as unfit:
        raise UnreadableError(Quarantine.WRONG_TYPE, str(unfit)) from None
    digest = content_digest(body)
    return Reading(
        event_key=f"{OPERATOR}:erasure:{decided.decided_at_ms:015d}:{digest}",
        event_type=decided.type,
        occurred_at_ms=decided.decided_at_ms,
        content_digest=digest,
        facts=(),
    )


def _facts(made: payloads.DecisionMade) -> list[Fact]:
    decision = Decision(
        exception_id=made.exception_id,
        choice=Choice(in_our_words(_CHOICES, made.decision, "decision")),
        reason=made.reason,
        decided_by=made.decided_by,
        decided_at=from_ms(made.decided_at_ms),
        evidence_digest=made.evidence_digest,
        at_risk=from_minor(made.at_risk.amount_minor, made.at_risk.currency) if made.at_risk else None,
        assigned_to=made.assigned_to,
    )
    try:
        correction = _correction(made.correction) if made.correction else None
        refuse_unfit(decision, correction)
    except (TerminalError, ValueError) as unfit:
        raise UnreadableError(Quarantine.WRONG_TYPE, str(unfit)) from None
    values = decision_values(decision, made.exception_kind, made.subject)
    facts = [Fact(decision_key(decision.exception_id), Version(made.decided_at_ms), values)]
    if correction is not None:
        facts.append(Fact(correction.key, correction.version, {correction.field: correction.value}))
    return facts


def _correction(stated: payloads.Correction) -> Correction:
    key = EntityKey.parse(stated.key)
    refuse_uncorrectable(key, stated.field, stated.value)
    return Correction(key, stated.field, stated.value, Version(stated.version_at_ms, stated.version_step))
