"""Asiento's comparison of two views says exactly what an independent, slower comparison says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind, Fact, Stamp, Value, Version
from shared.domain.findings import OWNERS, SUGGESTED_FIXES, ExceptionKind, Sighting, conflicting, persisting, unlinked
from shared.domain.fold import Entity
from shared.domain.money import AMOUNT_MINOR_MAX
from shared.domain.reconciliation import (
    LISTING_JOB,
    Claim,
    Difference,
    DifferenceType,
    Mismatch,
    Pair,
    ReconciliationRun,
    RunStatus,
    Tally,
    claim_of,
    conclude,
    differing,
    key_of,
    paired,
)
from shared.domain.times import Window

NOON = datetime(2026, 3, 10, 15, tzinfo=UTC)
DAY = Window(NOON, NOON + timedelta(days=1))


def key(number: int) -> EntityKey:
    """Return the key of a payment."""
    return EntityKey(EntityKind.PAYMENT, "tiny", f"p{number:02d}")


def claim(number: int, amount_minor: int | None = 100, currency: str | None = "ARS", status: str = "success") -> Claim:
    """Return a claim about a payment."""
    return Claim(key(number), 5, amount_minor, currency, status)


def run(number: int, window: Window | None = DAY, minutes: int = 0) -> ReconciliationRun:
    """Return a successful run that started some minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    return ReconciliationRun(
        f"run{number}", "transactions", "tiny", EntityKind.PAYMENT, window, at, at, RunStatus.SUCCEEDED
    )


_ANY_CLAIM = st.builds(
    Claim,
    key=st.integers(1, 12).map(key),
    version_at_ms=st.sampled_from([0, 1, 2]),
    amount_minor=st.sampled_from([None, 99, 100, 100, 101]),
    currency=st.sampled_from([None, "ARS", "ARS", "USD"]),
    status=st.sampled_from(["", "success", "success", "failed"]),
)
_VIEW = st.lists(_ANY_CLAIM, unique_by=lambda each: each.key).map(sorted)


def by_hand(provider: list[Claim], ledger: list[Claim]) -> set[tuple[str, str]]:
    """Compare two views with tables and without the code under test."""
    theirs = {each[0][2]: each[1:5] for each in provider}
    ours = {each[0][2]: each[1:5] for each in ledger}
    found = {(name, "missing_in_ledger") for name in theirs.keys() - ours.keys()}
    found |= {(name, "missing_at_provider") for name in ours.keys() - theirs.keys()}
    for name in theirs.keys() & ours.keys():
        (their_version, their_amount, their_currency, their_status) = theirs[name]
        (our_version, our_amount, our_currency, our_status) = ours[name]
        if their_amount is not None and their_amount != our_amount:
            found.add((name, "amount_differs"))
        if their_currency is not None and their_currency != our_currency:
            found.add((name, "currency_differs"))
        if their_status and their_status != our_status:
            found.add((name, "status_differs"))
        if their_version > our_version:
            found.add((name, "older_in_ledger"))
    return found


@given(provider=_VIEW, ledger=_VIEW)
def test_differences_are_exactly_those_found_by_hand(provider: list[Claim], ledger: list[Claim]) -> None:
    """Asiento finds every difference between two views and none besides."""
    found = [mismatch for pair in paired(provider, ledger) for mismatch in differing(pair)]
    named = [(mismatch.key.entity_id, mismatch.type.value) for mismatch in found]
    assert len(named) == len(set(named))
    assert set(named) == by_hand(provider, ledger)
    assert len({mismatch.difference_id for mismatch in found}) == len(found)


@given(provider=_VIEW, ledger=_VIEW)
def test_drift_is_the_difference_of_the_totals(provider: list[Claim], ledger: list[Claim]) -> None:
    """Asiento's drift is the provider's total less the ledger's, per currency, where every amount is stated."""
    provider = [replace_claim(each) for each in provider]
    ledger = [replace_claim(each) for each in ledger]
    tally = Tally()
    for pair in paired(provider, ledger):
        tally.add(pair)
    assert (tally.provider, tally.ledger) == (len(provider), len(ledger))
    for currency in ("ARS", "USD"):
        theirs = sum(each.amount_minor or 0 for each in provider if each.currency == currency)
        ours = sum(each.amount_minor or 0 for each in ledger if each.currency == currency)
        assert tally.drift_minor.get(currency, 0) == theirs - ours


def replace_claim(drawn: Claim) -> Claim:
    """Return a claim that states its amount and currency."""
    return drawn._replace(amount_minor=drawn.amount_minor or 1, currency=drawn.currency or "ARS")


def test_drift_without_an_amount_or_a_currency() -> None:
    """Asiento subtracts nothing from an amount that is not stated, and keeps amounts of no currency apart."""
    tally = Tally()
    tally.add(Pair(claim(1, None), claim(1, 100)))
    tally.add(Pair(claim(2, 150, None), claim(2, 100)))
    tally.add(Pair(claim(3, 7, None), None))
    tally.add(Pair(None, claim(4, None)))
    assert (tally.provider, tally.ledger, tally.drift_minor) == (3, 3, {"ARS": 50, "XXX": 7})


@given(provider=_VIEW, ledger=_VIEW)
def test_pairing_names_each_entity_once_in_order(provider: list[Claim], ledger: list[Claim]) -> None:
    """Asiento names every entity of either side once, in order."""
    keys = [key_of(pair) for pair in paired(provider, ledger)]
    assert keys == sorted({each.key for each in (*provider, *ledger)})
    assert all(before < after for before, after in pairwise(keys))


@pytest.mark.parametrize("disorder", [[claim(2), claim(1)], [claim(1), claim(1)]])
def test_side_out_of_order(disorder: list[Claim]) -> None:
    """Asiento refuses a side that is out of order or names an entity twice: it would make differences that are none."""
    with pytest.raises(TerminalError, match="the provider side names payment:tiny:p01"):
        list(paired(disorder, []))
    with pytest.raises(TerminalError, match="the ledger side names"):
        list(paired([], disorder))


def test_pair_of_nothing() -> None:
    """Asiento knows no pair without a side."""
    with pytest.raises(ValueError, match="at least one side"):
        key_of(Pair(None, None))


def test_kinds_without_status_or_amount() -> None:
    """Asiento compares of a shift that it is there, not a status that shifts do not have."""
    shift = EntityKey(EntityKind.SHIFT, "tiny", "h1")
    assert differing(Pair(Claim(shift, 0, None, None, "closed"), Claim(shift, 0, None, None, ""))) == []
    entity = Entity(shift)
    entity.join(Fact(shift, Version(9), {"shift_number": "7"}), Stamp(9, 0, 0, "e", "d"))
    assert claim_of(entity) == Claim(shift, 9, None, None, "")


@pytest.mark.parametrize(("stated", "amount"), [({"gross_minor": -7}, -7), ({"gross_minor": 9, "net_minor": 8}, 8)])
def test_amount_of_a_settlement_line(stated: dict[str, Value], amount: int) -> None:
    """Asiento compares a payout by what was paid out, a dispute by what was taken back."""
    line = EntityKey(EntityKind.SETTLEMENT_LINE, "tiny", "l1")
    entity = Entity(line)
    entity.join(Fact(line, Version(1), stated), Stamp(1, 0, 0, "e", "d"))
    assert claim_of(entity).amount_minor == amount


def test_difference_has_one_identity_in_every_run() -> None:
    """Asiento knows a difference again by whom, what and how, not by the figures of the day."""
    first = Mismatch(DifferenceType.AMOUNT_DIFFERS, claim(1, 100), claim(1, 101))
    assert first.difference_id == Mismatch(DifferenceType.AMOUNT_DIFFERS, claim(1, 5), claim(1, 6)).difference_id
    assert first.difference_id != first._replace(type=DifferenceType.STATUS_DIFFERS).difference_id
    assert first.difference_id == sha256(b"tiny\npayment\np01\namount_differs").hexdigest()


_FOUND = st.lists(st.integers(1, 6), unique=True)
_WINDOWS = st.sampled_from([DAY, Window(NOON, NOON + timedelta(hours=1)), Window(NOON - timedelta(days=1), DAY.end)])


@given(st.lists(st.tuples(_FOUND, _WINDOWS), min_size=1, max_size=8))
def test_closed_only_by_a_later_look_at_the_same_place(history: list[tuple[list[int], Window]]) -> None:
    """Asiento closes a difference exactly when a later run looked where it was last seen and did not find it."""
    standing: dict[str, Difference] = {}
    model: dict[int, Window] = {}
    for number, (found, window) in enumerate(history):
        mismatches = [Mismatch(DifferenceType.MISSING_IN_LEDGER, claim(each), None) for each in found]
        conclusion = conclude(run(number, window, minutes=number), mismatches, list(standing.values()))
        opened = set(found) - model.keys()
        gone = {
            n for n, seen in model.items() if n not in found and window.start <= seen.start and seen.end <= window.end
        }
        assert (conclusion.run.opened, conclusion.run.closed) == (len(opened), len(gone))
        model = {n: seen for n, seen in model.items() if n not in gone} | dict.fromkeys(found, window)
        for changed in conclusion.differences:
            if changed.closed_by_run is None:
                standing[changed.difference_id] = changed
            else:
                assert changed.closed_by_run == f"run{number}"
                del standing[changed.difference_id]
        assert sorted(each.mismatch.key.entity_id for each in standing.values()) == [f"p{n:02d}" for n in sorted(model)]


def test_older_look_closes_nothing() -> None:
    """Asiento lets no run that looked before a difference was seen close it, though it is recorded later."""
    found = [Mismatch(DifferenceType.MISSING_IN_LEDGER, claim(1), None)]
    seen = conclude(run(2, minutes=2), found, []).differences
    assert conclude(run(1, minutes=1), [], seen).run.closed == 0
    assert conclude(run(3, minutes=3), [], seen).run.closed == 1
    assert conclude(run(4, minutes=2), [], seen).run.closed == 1
    assert conclude(run(5, None, minutes=3), [], seen).run.closed == 0


def test_a_run_says_how_long_it_took_and_how_it_ended() -> None:
    """Asiento tells of a run its milliseconds and whether it did all it set out to do; what a job is called stays."""
    one = replace(run(1), started_at=NOON, ended_at=NOON + timedelta(seconds=2))
    assert (one.duration_ms, one.has_failed) == (2_000, False)
    assert replace(one, status=RunStatus.FAILED).has_failed
    assert LISTING_JOB == "transactions"


def test_differences_need_a_window() -> None:
    """Asiento keeps no difference of which it could not say where it was seen."""
    with pytest.raises(ValueError, match="without a window"):
        conclude(run(1, None), [Mismatch(DifferenceType.MISSING_IN_LEDGER, claim(1), None)], [])


@pytest.mark.parametrize(
    ("provider", "ledger", "shown"),
    [
        (claim(1, 101), claim(1, 100), "ARS 0.01"),
        (claim(1, 100), claim(1, 100), "ARS 1.00"),
        (None, claim(1, -250), "ARS 2.50"),
        (claim(1, 300), None, "ARS 3.00"),
        (claim(1, 300, "USD"), claim(1, 300, "ARS"), "USD 3.00"),
        (claim(1, 300, None), claim(1, 200), "ARS 1.00"),
        (claim(1, 300, None), None, "None"),
        (claim(1, None, "ARS"), None, "None"),
        (claim(1, None, "ARS"), claim(1, 300), "ARS 3.00"),
        (claim(1, 300, "ZZZ"), None, "None"),
        (claim(1, AMOUNT_MINOR_MAX + 1), None, "None"),
        (claim(1, AMOUNT_MINOR_MAX), None, "ARS 10000000000000.00"),
        (claim(1, 300, "USD"), claim(1, 200, "ARS"), "USD 3.00"),
        (claim(1, 300, "ARS"), claim(1, 200, None), "ARS 1.00"),
    ],
)
def test_money_at_risk(provider: Claim | None, ledger: Claim | None, shown: str) -> None:
    """Asiento says what a difference puts at risk: what the amounts differ by, else the whole, else that it is not known."""
    mismatch = Mismatch(DifferenceType.AMOUNT_DIFFERS, provider, ledger)
    difference = Difference(mismatch, DAY, "run1", NOON, "run1", NOON)
    assert str(difference.at_risk) == shown
    assert str(persisting(difference, Sighting("run2", NOON)).at_risk) == shown


def test_every_exception_has_an_owner_and_a_fix() -> None:
    """Asiento hands nobody an exception without saying whose it is and what can be done."""
    assert OWNERS.keys() == SUGGESTED_FIXES.keys() == set(ExceptionKind)


def test_money_at_risk_of_several_currencies() -> None:
    """Asiento adds up no amounts of different currencies."""
    pointers = []
    for number, currency in enumerate(("ARS", "USD")):
        entity = Entity(key(number))
        stated: dict[str, Value] = {"amount_minor": 100, "currency": currency}
        entity.join(Fact(key(number), Version(1), stated), Stamp(1, 0, 0, "e", "d"))
        pointers.append(entity)
    awaited = Entity(EntityKey(EntityKind.SALE, "tiny", "s1"), awaited_since_ms=0)
    exception = unlinked(awaited, pointers, Sighting("run1", NOON))
    assert exception.at_risk is None
    assert exception.evidence["awaited_since"] == "1970-01-01T00:00:00+00:00"
    assert unlinked(awaited, pointers[:1], Sighting("run1", NOON)).exception_id == exception.exception_id
    assert replace(exception, closed_at=NOON + timedelta(hours=3)).age(NOON) == timedelta(hours=3)


def test_conflict_over_a_currency_risks_the_whole() -> None:
    """Asiento puts the whole amount at risk where it is the currency that statements disagree about."""
    entity = Entity(key(1))
    for at, currency in ((1, "ARS"), (2, "USD")):
        fact = Fact(key(1), Version(at), {"amount_minor": 100, "currency": currency})
        entity.join(fact, Stamp(at, 0, 0, f"e{at}", "d"))
    exception = conflicting(entity, Sighting("run1", NOON))
    assert (str(exception.at_risk), exception.evidence) == ("ARS 1.00", {"currency": "ARS or USD"})


@pytest.mark.parametrize("about", ["card payments in ARS", "card refunds in ARS"])
def test_difference_of_a_part_is_another_difference(about: str) -> None:
    """Asiento tells the differences of two parts of one entity apart, whichever side speaks of the part."""
    whole, part = claim(1), claim(1)._replace(about=about)
    kind = DifferenceType.MISSING_IN_LEDGER
    assert [Mismatch(kind, part, None).about, Mismatch(kind, None, part).about] == [about, about]
    assert Mismatch(kind, part, None).difference_id == Mismatch(kind, None, part).difference_id
    assert Mismatch(kind, part, None).difference_id != Mismatch(kind, whole, None).difference_id
    assert (Mismatch(kind, whole, None).about, Mismatch(kind, None, None).about) == ("", "")


def test_another_job_closes_nothing() -> None:
    """Asiento lets only the job that found a difference say that it is gone, however widely another one has looked."""
    found = Mismatch(DifferenceType.MISSING_IN_LEDGER, claim(1), None)
    (standing,) = conclude(run(1), [found], []).differences
    assert conclude(replace(run(2, minutes=1), job="settlements"), [], [standing]).differences == ()
    (closed,) = conclude(run(2, minutes=1), [], [standing]).differences
    assert closed.closed_by_run == "run2"


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (EntityKind.SALE, "total_minor"),
        (EntityKind.TICKET, "fare_minor"),
        (EntityKind.PAYMENT, "amount_minor"),
        (EntityKind.REFUND, "amount_minor"),
    ],
)
def test_each_kind_is_compared_by_its_amount(kind: EntityKind, field: str) -> None:
    """Asiento compares each kind that carries money by the amount that it is about, with its currency and status."""
    about = EntityKey(kind, "tiny", "x1")
    entity = Entity(about)
    entity.join(Fact(about, Version(4), {field: 250, "currency": "ARS", "status": "ok"}), Stamp(4, 0, 0, "e", "d"))
    assert claim_of(entity) == Claim(about, 4, 250, "ARS", "ok")


def test_equal_claims_drift_in_no_currency_of_which_no_amount_is_told() -> None:
    """Asiento counts claims that both sides make alike, and tells a drift only of currencies that amounts are told in."""
    tally = Tally()
    tally.add_equal([claim(1, None, "USD"), claim(2, 100, "ARS")])
    assert (tally.provider, tally.ledger, tally.drift_minor) == (2, 2, {"ARS": 0})
