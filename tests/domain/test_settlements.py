"""Asiento knows what a settlement line says of payments, refunds and payouts, and what it leaves unsaid."""

import pytest

from shared.domain.facts import EntityKey, EntityKind, Fact, Stamp, Value, Version
from shared.domain.fold import Entity
from shared.domain.reconciliation import NO_CURRENCY, Claim, DifferenceType, Pair
from shared.domain.settlements import (
    Generations,
    Share,
    Subject,
    Total,
    is_due,
    is_otherwise,
    ledger_claim,
    settled_claim,
    shares_of,
)
from shared.domain.times import Window, from_ms

PAYMENT = EntityKey(EntityKind.PAYMENT, "mercadopago", "701")
REFUND = EntityKey(EntityKind.REFUND, "mercadopago", "9")
PAYOUT = EntityKey(EntityKind.SETTLEMENT_LINE, "mercadopago", "po_1")
LINE = EntityKey(EntityKind.SETTLEMENT_LINE, "mercadopago", "row:1:1")
SUBJECT = Subject(DifferenceType.SETTLED_OTHERWISE, PAYMENT, "release")


def entity(key: EntityKey, **values: Value) -> Entity:
    """Return an entity of one statement."""
    folded = Entity(key)
    folded.join(Fact(key, Version(1), {"currency": "ARS", **values}), Stamp(1, 0, 0, "e", "d"))
    return folded


def line(line_type: str, **values: Value) -> Entity:
    """Return a settlement line of 100.00 gross and 93.00 net."""
    amounts: dict[str, Value] = {"gross_minor": 10_000, "net_minor": 9_300, "settled_at_ms": 5}
    return entity(LINE, line_type=line_type, **{**amounts, **values})


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (line("payment", payment=str(PAYMENT)), [(DifferenceType.SETTLED_OTHERWISE, PAYMENT, 10_000)]),
        (line("movement", payment=str(PAYMENT)), [(DifferenceType.SETTLED_OTHERWISE, PAYMENT, 10_000)]),
        (line("refund", payment=str(PAYMENT)), [(DifferenceType.REFUNDS_SETTLED_OTHERWISE, PAYMENT, 10_000)]),
        (
            line("movement", refund=str(REFUND), payout=str(PAYOUT)),
            [(DifferenceType.SETTLED_OTHERWISE, REFUND, 10_000), (DifferenceType.PAID_OUT_OTHERWISE, PAYOUT, 9_300)],
        ),
        (line("dispute", payment=str(PAYMENT)), []),
        (line("hold", payment=str(PAYMENT)), []),
        (line("hold", refund=str(REFUND)), []),
        (line("payment"), []),
        (entity(LINE, line_type="payment", payment=str(PAYMENT), gross_minor=1), []),
        (entity(LINE, line_type="payment", payment=str(PAYMENT), settled_at_ms=1), []),
    ],
)
def test_what_a_line_says(told: Entity, said: list[tuple[DifferenceType, EntityKey, int]]) -> None:
    """Asiento takes from a line what it says of payment, refund and payout, and nothing that it does not."""
    shares = list(shares_of(told))
    assert [(share.subject.type, share.subject.key, share.amount_minor) for share in shares] == said
    assert {(share.currency, share.settled_at_ms) for share in shares} <= {("ARS", 5)}
    silent = entity(LINE, line_type="payment", payment=str(PAYMENT), gross_minor=1, settled_at_ms=5)
    del silent.registers["currency"]
    assert [share.currency for share in shares_of(silent)] == [NO_CURRENCY]


def test_what_a_settlement_claims() -> None:
    """Asiento holds the sum of the lines against the thing, at no version and of no status of its own."""
    assert settled_claim(SUBJECT, Total(100, "ARS", 7)) == Claim(PAYMENT, 0, 100, "ARS", "")


def test_each_report_tells_the_whole_of_a_payout() -> None:
    """Asiento adds no bank's receipt of a payout to the movements that the processor says it is made of."""
    movement, receipt = (
        line(kind, payout=str(PAYOUT), report=report) for kind, report in (("movement", ""), ("receipt", "bank"))
    )
    told = [share.subject for each in (movement, receipt) for share in shares_of(each)]
    assert told == [Subject(DifferenceType.PAID_OUT_OTHERWISE, PAYOUT, report) for report in ("", "bank")]


def test_lines_of_two_currencies_have_no_sum() -> None:
    """Asiento adds up lines of one currency only: a total of two is of none, and so differs from whatever it is held to."""
    total = Total(100, "ARS", 1)
    total.add(Share(SUBJECT, 50, "ARS", 7))
    assert (total.amount_minor, total.currency, total.last_settled_at_ms) == (150, "ARS", 7)
    total.add(Share(SUBJECT, 50, "USD", 3))
    assert (total.currency, total.last_settled_at_ms) == (NO_CURRENCY, 7)


@pytest.mark.parametrize(
    ("settled", "amount", "differs"),
    [
        (Claim(PAYMENT, 0, 100, "ARS", ""), Claim(PAYMENT, 9, 100, "ARS", "success"), False),
        (Claim(PAYMENT, 0, 101, "ARS", ""), Claim(PAYMENT, 9, 100, "ARS", "success"), True),
        (Claim(PAYMENT, 0, 100, "USD", ""), Claim(PAYMENT, 9, 100, "ARS", "success"), True),
        (Claim(PAYMENT, 0, 100, "ARS", ""), None, True),
        (None, Claim(PAYMENT, 9, 100, "ARS", "success"), True),
        (Claim(PAYMENT, 0, 100, "ARS", ""), Claim(PAYMENT, 9, None, "ARS", "success"), True),
    ],
)
def test_sides_must_agree_to_the_cent(settled: Claim | None, amount: Claim | None, differs: bool) -> None:  # noqa: FBT001  a case, no flag
    """Asiento holds both sides to the same amount and currency, and lets neither be silent."""
    assert is_otherwise(Pair(settled, amount)) is differs


def test_what_leaves_is_negative() -> None:
    """Asiento holds the amount of a refund against its settlement with the sign of what leaves."""
    assert ledger_claim(entity(REFUND, amount_minor=400)).amount_minor == -400
    assert ledger_claim(entity(REFUND)).amount_minor is None
    assert ledger_claim(entity(PAYMENT, amount_minor=400)).amount_minor == 400
    assert ledger_claim(entity(PAYOUT, net_minor=-5)).amount_minor == -5


@pytest.mark.parametrize(
    ("key", "status", "due"),
    [
        (PAYMENT, "success", True),
        (PAYMENT, "refunded", True),
        (PAYMENT, "charged_back", True),
        (PAYMENT, "pending", False),
        (PAYMENT, "failed", False),
        (REFUND, "success", True),
        (REFUND, "pending", False),
    ],
)
def test_a_settlement_is_due_of_what_moved(key: EntityKey, status: str, due: bool) -> None:  # noqa: FBT001  a case, no flag
    """Asiento expects the settlement of money that moved, and of no other."""
    assert is_due(entity(key, status=status)) is due


def test_a_refund_that_names_itself_is_settled_as_itself() -> None:
    """Asiento holds a refund line that names the refund against that refund, and not against the sum of its payment."""
    (share,) = shares_of(line("refund", refund=str(REFUND), payment=str(PAYMENT)))
    assert share.subject == Subject(DifferenceType.SETTLED_OTHERWISE, REFUND, "")


@pytest.mark.parametrize(("last_settled_at_ms", "is_in"), [(9, False), (10, True), (19, True), (20, False)])
def test_a_subject_is_compared_where_its_last_line_falls(last_settled_at_ms: int, *, is_in: bool) -> None:
    """Asiento compares a subject in the window of its last line, the start included and the end not."""
    window = Window(from_ms(10), from_ms(20))
    assert Total(1, "ARS", last_settled_at_ms).is_last_settled_in(window) is is_in


def test_only_the_highest_generation_of_a_statement_stands() -> None:
    """Asiento counts the lines of a statement's latest issue, every line of no statement, and looks each statement up once."""
    statement = EntityKey(EntityKind.SETTLEMENT_LINE, "bank", "s1")
    looked_up: list[EntityKey] = []

    def entity_of(key: EntityKey) -> Entity | None:
        looked_up.append(key)
        return entity(key, generation=2) if key == statement else None

    generations = Generations(entity_of)
    lines = [line("payment", statement=str(statement), generation=number) for number in (1, 2, 3)]
    assert [generations.stands(each) for each in (*lines, line("payment"))] == [False, True, False, True]
    assert looked_up == [statement]
