"""Asiento's decisions: what they are about, what they settle, and what a person may say of an entity."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.decisions import (
    ERASURE_EVENT_TYPE,
    EVENT_TYPE,
    Choice,
    Correction,
    Decision,
    decision_key,
    decision_of,
    decision_values,
    latest_version,
    refuse_uncorrectable,
    refuse_unfit,
)
from shared.domain.deliveries import OPERATOR
from shared.domain.entities import FIELDS, Merge, refuse_undeclared
from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind, Fact, Stamp, Version
from shared.domain.findings import PASSING_EVIDENCE, ExceptionKind, FinanceException
from shared.domain.fold import Entity, fold
from shared.domain.money import Money
from shared.domain.times import from_ms, to_ms

NOON = from_ms(1_773_500_400_000)
EXCEPTION = FinanceException(
    ExceptionKind.DIFFERENCE,
    "payment:stripe:ch_1 amount_differs",
    "stripe",
    NOON,
    "r1",
    NOON,
    Money("ARS", 1_050),
    {"provider": "10 minor units of ARS", "last_seen_run": "r1", "attempts": "1"},
)
DECISION = Decision(
    EXCEPTION.exception_id, Choice.ACCEPT, "seen", "ana", NOON, EXCEPTION.evidence_digest, Money("ARS", 1_050), ""
)


def stamp(fact: Fact, event: str = "operator:1") -> Stamp:
    """Return the stamp of a person's statement."""
    return Stamp(*fact.version, 3, event, event)


def test_evidence_is_what_is_said_not_when() -> None:
    """Asiento takes evidence for the same when only runs, attempts and versions moved on, and for other in all else."""
    passing = replace(EXCEPTION, evidence={**EXCEPTION.evidence, **dict.fromkeys(PASSING_EVIDENCE, "9")})
    assert passing.evidence_digest == EXCEPTION.evidence_digest
    for changed in (
        replace(EXCEPTION, at_risk=Money("ARS", 1_051)),
        replace(EXCEPTION, at_risk=Money("USD", 1_050)),
        replace(EXCEPTION, at_risk=None),
        replace(EXCEPTION, evidence={"provider": "11 minor units of ARS"}),
        replace(EXCEPTION, evidence={**EXCEPTION.evidence, "ledger": "absent"}),
    ):
        assert changed.evidence_digest != EXCEPTION.evidence_digest


@pytest.mark.parametrize("at_risk", [Money("ARS", 1_050), None])
def test_comes_back_from_the_ledger_as_it_was_made(at_risk: Money | None) -> None:
    """Asiento reads a decision back from its entity, money that is not known included."""
    decision = replace(DECISION, at_risk=at_risk)
    fact = Fact(decision_key(decision.exception_id), Version(to_ms(NOON)), decision_values(decision, "x", "y"))
    refuse_undeclared(fact)
    assert decision_of(fold(fact.key, [(fact, stamp(fact))])) == decision


def test_the_latest_stands_and_leaves_no_amount_behind() -> None:
    """Asiento lets a later decision overwrite all of an earlier one but the name that it was assigned to."""
    first = replace(DECISION, choice=Choice.ASSIGN, assigned_to="Eva")
    later = replace(DECISION, at_risk=None, decided_by="bob", decided_at=NOON + timedelta(seconds=1))
    facts = [
        Fact(decision_key(each.exception_id), Version(to_ms(each.decided_at)), decision_values(each, "x", "y"))
        for each in (later, first)
    ]
    folded = fold(facts[0].key, [(fact, stamp(fact)) for fact in facts])
    assert decision_of(folded) == replace(later, assigned_to="Eva")
    assert (folded.values["amount_minor"], folded.values["currency"]) == (0, "XXX")


def test_a_decision_settles_what_it_saw() -> None:
    """Asiento closes an exception by a decision about the evidence that it shows, and by one that closes at all."""
    assert DECISION.settles(EXCEPTION.evidence_digest)
    assert not DECISION.settles(replace(EXCEPTION, at_risk=None).evidence_digest)
    assert not replace(DECISION, choice=Choice.ASSIGN, assigned_to="Eva").settles(EXCEPTION.evidence_digest)


def test_what_deliveries_are_called_stays() -> None:
    """Asiento reads decisions that were kept years ago by the words that they were kept under."""
    assert (EVENT_TYPE, ERASURE_EVENT_TYPE) == ("decision.made", "erasure.decided")


def test_a_refusal_names_links_first() -> None:
    """Asiento lists the fields that a person may correct, those that point at something before the others."""
    with pytest.raises(TerminalError, match=r"it may be one of (\w+, )+\w+") as refused:
        refuse_uncorrectable(EntityKey(EntityKind.SETTLEMENT_LINE, "stripe", "1"), "nothing", "x")
    listed = str(refused.value).partition("one of ")[2].split(", ")
    points = [FIELDS[EntityKind.SETTLEMENT_LINE][name].link is not None for name in listed]
    assert points == sorted(points, reverse=True)
    assert {True, False} == set(points)


def test_a_correction_is_of_the_latest_version_that_stands() -> None:
    """Asiento states a correction as of the latest instant and step that any field of the entity stands by."""
    key = EntityKey(EntityKind.PAYMENT, "stripe", "ch_1")
    entity = Entity(key)
    for version, values in ((Version(5, 2), {"status": "success"}), (Version(5, 1), {"fee_minor": 1})):
        fact = Fact(key, version, values)
        entity.join(fact, stamp(fact))
    assert latest_version(entity) == Version(5, 2)


def test_money_and_identities_are_never_corrected() -> None:
    """Asiento lets a person state exactly what may be said again and is no money, of every kind but a decision."""
    for kind, fields in FIELDS.items():
        key = EntityKey(kind, OPERATOR if kind is EntityKind.DECISION else "stripe", "1")
        for name, field in fields.items():
            value = f"{field.link.value}:stripe:2" if field.link else field.type()
            may_be = (
                kind is not EntityKind.DECISION
                and field.merge is Merge.LATEST
                and not name.endswith("_minor")
                and name != "currency"
            )
            if may_be:
                refuse_uncorrectable(key, name, value)
            else:
                with pytest.raises(TerminalError, match=name):
                    refuse_uncorrectable(key, name, value)


def test_a_decision_is_whole() -> None:
    """Asiento refuses a decision without what its choice asks for, or with what another asks for."""
    correction = Correction(EntityKey(EntityKind.TICKET, "betterez", "1"), "seat", "1A", Version(1))
    refuse_unfit(DECISION, None)
    refuse_unfit(replace(DECISION, choice=Choice.CORRECT), correction)
    refuse_unfit(replace(DECISION, choice=Choice.ASSIGN, assigned_to="Ana García"), None)
    refuse_unfit(replace(DECISION, choice=Choice.ASSIGN, assigned_to="x" * 64), None)
    refuse_unfit(replace(DECISION, reason="x" * 500), None)
    for unfit, stated in (
        (DECISION, correction),
        (replace(DECISION, choice=Choice.CORRECT), None),
        (replace(DECISION, choice=Choice.ASSIGN), None),
        (replace(DECISION, assigned_to="Eva"), None),
        (replace(DECISION, choice=Choice.ASSIGN, assigned_to="x" * 65), None),
        (replace(DECISION, choice=Choice.ASSIGN, assigned_to="two\nlines"), None),
        (replace(DECISION, reason=" "), None),
        (replace(DECISION, reason="x" * 501), None),
        (replace(DECISION, reason="two\nlines"), None),
        (replace(DECISION, decided_by="Ana García"), None),
        (replace(DECISION, exception_id="abc"), None),
        (replace(DECISION, evidence_digest="abc"), None),
    ):
        with pytest.raises(TerminalError):
            refuse_unfit(unfit, stated)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("fee_minor", 1, "payment.fee_minor is money"),
        ("currency", "USD", "payment.currency is money"),
        ("status", 1, "payment.status is str, not int"),
        ("paid_at_ms", "noon", "payment.paid_at_ms is int, not str"),
        ("paid_at_ms", True, "payment.paid_at_ms is int, not bool"),
        ("sale", "sale:betterez:", "points at a sale"),
        ("sale", "sale::s1", "points at a sale"),
        ("sale", "ticket:betterez:t1", "points at a sale"),
        ("sale", "s1", "points at a sale"),
        ("colour", "red", "has no field 'colour'"),
    ],
)
def test_says_why_a_person_may_not_state_this(field: str, value: str | int, says: str) -> None:
    """Asiento refuses money by name, a value of another type and a key that is half of one, each with its own reason."""
    with pytest.raises(TerminalError, match=says):
        refuse_uncorrectable(EntityKey(EntityKind.PAYMENT, "stripe", "ch_1"), field, value)


def test_offers_no_money_for_correction() -> None:
    """Asiento offers, in the place of a field that may not be corrected, fields that may be, and none of money."""
    with pytest.raises(TerminalError) as refused:
        refuse_uncorrectable(EntityKey(EntityKind.TICKET, "betterez", "t1"), "colour", "red")
    offered = str(refused.value).partition("one of ")[2].split(", ")
    assert {"sale", "seat", "status"} <= set(offered)
    assert not [name for name in offered if name.endswith("_minor")]
