"""Decisions: what a person of the company decides about an exception, and what of an entity a person may correct.

A decision is about an exception as it stood: it carries the digest of the evidence that the person saw. While an exception
shows the same evidence the decision settles it; once it shows other evidence, the decision is about something else.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.deliveries import OPERATOR
from shared.domain.entities import FIELDS, Merge
from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind, Value, Version
from shared.domain.fold import Entity
from shared.domain.money import Money
from shared.domain.reconciliation import NO_CURRENCY, money_if_known
from shared.domain.times import from_ms, to_ms

EVENT_TYPE = "decision.made"
"""What the delivery of a decision says that it is."""
ERASURE_EVENT_TYPE = "erasure.decided"
"""The same of the decision to erase the keys of a person."""
REASON_LENGTH_MAX = 500
ASSIGNED_LENGTH_MAX = 64
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Choice(StrEnum):
    """What may be decided about an exception."""

    ACCEPT = "accept"
    """It is right as it is: nothing is lost and nothing need be done."""
    WRITE_OFF = "write_off"
    """It is wrong and will stay so: the company bears what is at risk."""
    CORRECT = "correct"
    """A field of an entity is stated anew; the exception closes when its cause is gone."""
    ASSIGN = "assign"
    """A person takes care of it."""

    @property
    def settles(self) -> bool:
        """Return whether an exception is closed by this choice itself."""
        return self in (Choice.ACCEPT, Choice.WRITE_OFF)


@dataclass(frozen=True, slots=True)
class Correction:
    """One field of one entity, stated by a person as of a version of that entity.

    The version is the latest that the ledger knows, so that the person outranks all that was said of it and a provider
    that speaks again later outranks the person.
    """

    key: EntityKey
    field: str
    value: Value
    version: Version


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one exception, by whom, when and why."""

    exception_id: str
    choice: Choice
    reason: str
    decided_by: str
    """A login of the company's staff."""
    decided_at: datetime
    evidence_digest: str
    """What the exception showed when it was decided on (`FinanceException.evidence_digest`)."""
    at_risk: Money | None
    """The money at risk that was decided on; None where it was not known."""
    assigned_to: str = ""
    """Who takes care of it; an earlier assignment stands until there is another."""

    def settles(self, evidence_digest: str) -> bool:
        """Return whether this decision closes an exception that shows this evidence."""
        return self.choice.settles and self.evidence_digest == evidence_digest


def refuse_unfit(decision: Decision, correction: Correction | None) -> None:
    """Raise TerminalError, naming the mend, where a decision is not whole: who, why, and what its choice asks for."""
    if not _DIGEST.fullmatch(decision.exception_id) or not _DIGEST.fullmatch(decision.evidence_digest):
        raise TerminalError("a decision names its exception and the evidence by 64 hex digits; take it from the list")
    refuse_unfit_reason(decision.decided_by, decision.reason)
    if (decision.choice is Choice.ASSIGN) != bool(decision.assigned_to):
        raise TerminalError("to assign an exception takes a name, and no other decision takes one")
    if len(decision.assigned_to) > ASSIGNED_LENGTH_MAX or not decision.assigned_to.isprintable():
        raise TerminalError(f"a name has at most {ASSIGNED_LENGTH_MAX} printable characters; shorten it")
    if (decision.choice is Choice.CORRECT) != (correction is not None):
        raise TerminalError("to correct takes a field and its value, and no other decision takes one")


def refuse_unfit_reason(decided_by: str, reason: str) -> None:
    """Raise TerminalError, naming the mend, where it is not said as it must be who decides and why."""
    if not _LOGIN.fullmatch(decided_by):
        raise TerminalError(
            "who decides is given by a login: up to 64 lower-case letters, digits and any of . _ @ + -; give yours"
        )
    if not (reason.strip() and reason.isprintable() and len(reason) <= REASON_LENGTH_MAX):
        raise TerminalError(f"a decision needs a reason of one line, at most {REASON_LENGTH_MAX} characters; give one")


def decision_key(exception_id: str) -> EntityKey:
    """Return the key of the ledger's entity for what was decided about an exception."""
    return EntityKey(EntityKind.DECISION, OPERATOR, exception_id)


def decision_values(decision: Decision, exception_kind: str, subject: str) -> dict[str, Value]:
    """Return what a decision states in the ledger. Every decision states all but an assignment that it does not make.

    Money that is not known is zero of no currency, so that no amount of an earlier decision is left standing.
    """
    stated: dict[str, Value] = {
        "decision": decision.choice.value,
        "exception_kind": exception_kind,
        "subject": subject,
        "reason": decision.reason,
        "decided_by": decision.decided_by,
        "evidence_digest": decision.evidence_digest,
        "amount_minor": decision.at_risk.amount_minor if decision.at_risk else 0,
        "currency": decision.at_risk.currency if decision.at_risk else NO_CURRENCY,
        "decided_at_ms": to_ms(decision.decided_at),
    }
    return {**stated, "assigned_to": decision.assigned_to} if decision.assigned_to else stated


def decision_of(entity: Entity) -> Decision:
    """Return the decision that stands, from its described entity."""
    values = entity.values
    return Decision(
        exception_id=entity.key.entity_id,
        choice=Choice(str(values["decision"])),
        reason=str(values["reason"]),
        decided_by=str(values["decided_by"]),
        decided_at=from_ms(int(values["decided_at_ms"])),
        evidence_digest=str(values["evidence_digest"]),
        at_risk=money_if_known(str(values["currency"]), int(values["amount_minor"])),
        assigned_to=str(values.get("assigned_to", "")),
    )


def latest_version(entity: Entity) -> Version:
    """Return the latest version of an entity that any standing value is of: what a correction is stated as of."""
    stamp = max(stamp for _, stamp in entity.registers.values())
    return Version(stamp.at_ms, stamp.step)


def refuse_uncorrectable(key: EntityKey, field: str, value: Value) -> None:
    """Raise TerminalError, saying why and what to do instead, where a person may not state this of an entity."""
    fields = _correctable(key.kind)
    declared = FIELDS[key.kind].get(field)
    if declared is None:
        raise TerminalError(f"a {key.kind.value} has no field {field[:40]!r}; it may be one of {', '.join(fields)}")
    if field.endswith("_minor") or field == "currency":
        raise TerminalError(
            f"{key.kind.value}.{field} is money, and money is only what a provider says: have it corrected there and "
            "fetched again, or accept or write off the exception"
        )
    if field not in fields:
        raise TerminalError(
            f"{key.kind.value}.{field} may never change under one identity; it may be one of {', '.join(fields)}"
        )
    if type(value) is not declared.type:
        raise TerminalError(f"{key.kind.value}.{field} is {declared.type.__name__}, not {type(value).__name__}")
    if declared.link is not None and not _is_key_of(declared.link, str(value)):
        raise TerminalError(
            f"{key.kind.value}.{field} points at a {declared.link.value}: "
            f"give its whole key, {declared.link.value}:<provider>:<id>"
        )


def _correctable(kind: EntityKind) -> list[str]:
    """Return the fields of a kind that a person may correct, links first: what is said again, later, and is no money."""
    if kind is EntityKind.DECISION:
        return []
    names = [
        name for name, field in FIELDS[kind].items() if field.merge is Merge.LATEST and not name.endswith("_minor")
    ]
    return sorted(names, key=lambda name: FIELDS[kind][name].link is None)


def _is_key_of(kind: EntityKind, text: str) -> bool:
    try:
        key = EntityKey.parse(text)
    except ValueError:
        return False
    return key.kind is kind and bool(key.provider and key.entity_id)
