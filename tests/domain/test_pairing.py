"""Asiento compares stretches of claims at once and finds exactly what it finds claim by claim."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.pairing import FEW, STRETCH, unequal
from shared.domain.reconciliation import Claim, Mismatch, Tally, differing, paired

CHANGES: tuple[Callable[[Claim], Claim], ...] = (
    lambda claim: claim._replace(amount_minor=7),
    lambda claim: claim._replace(amount_minor=None, currency=None),
    lambda claim: claim._replace(currency="BRL"),
    lambda claim: claim._replace(status=""),
    lambda claim: claim._replace(version_at_ms=claim.version_at_ms + 1),
)


def unchanged(claim: Claim) -> Claim:
    """Return a claim as it is."""
    return claim


def claims(numbers: range) -> list[Claim]:
    """Return claims about payments, in order of their keys; each ninth tells no amount."""
    return [
        Claim(
            EntityKey(EntityKind.PAYMENT, "tiny", f"p{number:05d}"),
            number,
            None if number % 9 == 0 else number,
            "ARS",
            "paid",
        )
        for number in numbers
    ]


def found(provider: list[Claim], ledger: list[Claim]) -> tuple[list[Mismatch], Tally]:
    """Return what the comparison in stretches finds and counts."""
    tally, mismatches = Tally(), list[Mismatch]()
    for pair in unequal(provider, ledger, tally):
        tally.add(pair)
        mismatches += differing(pair)
    return mismatches, tally


def found_singly(provider: list[Claim], ledger: list[Claim]) -> tuple[list[Mismatch], Tally]:
    """Return what the comparison claim by claim finds and counts."""
    tally, mismatches = Tally(), list[Mismatch]()
    for pair in paired(provider, ledger):
        tally.add(pair)
        mismatches += differing(pair)
    return mismatches, tally


@given(
    size=st.integers(0, 3 * STRETCH),
    lacking=st.tuples(*[st.sets(st.integers(0, 3 * STRETCH), max_size=6)] * 2),
    changed=st.dictionaries(st.integers(0, 3 * STRETCH), st.sampled_from(CHANGES), max_size=3 * FEW),
)
def test_stretches_find_what_single_claims_find(
    size: int, lacking: tuple[set[int], set[int]], changed: dict[int, Callable[[Claim], Claim]]
) -> None:
    """Asiento finds the same differences in the same order, counts and drift, whatever is missing or changed, and where."""
    whole = claims(range(size))
    provider = [changed.get(at, unchanged)(each) for at, each in enumerate(whole) if at not in lacking[0]]
    ledger = [each for at, each in enumerate(whole) if at not in lacking[1]]
    assert found(provider, ledger) == found_singly(provider, ledger)


def test_sides_that_agree_never_become_pairs() -> None:
    """Asiento looks at claims one by one only where a stretch of them is not the same on both sides."""
    tally = Tally()
    both = claims(range(1, 5 * STRETCH))
    assert list(unequal(both, list(both), tally)) == []
    assert (tally.provider, tally.ledger, tally.drift_minor) == (len(both), len(both), {"ARS": 0})


def test_one_stretch_of_each_side_is_held() -> None:
    """Asiento's comparison reads on only when it has compared: memory does not grow with the sides."""
    read = 0

    def counted(side: list[Claim]) -> Iterator[Claim]:
        nonlocal read
        for claim in side:
            read += 1
            yield claim

    whole = claims(range(10 * STRETCH))
    pairs = unequal(counted(whole), counted(whole[1:]), Tally())
    assert next(pairs).ledger is None
    assert read <= 2 * STRETCH


@pytest.mark.parametrize("at", [1, STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH - 1])
@pytest.mark.parametrize("side", ["provider", "ledger"])
def test_a_side_out_of_order_is_refused(side: str, at: int) -> None:
    """Asiento refuses a side out of order and names it, also where the disorder lies between two stretches."""
    whole = claims(range(3 * STRETCH))
    disorder = [*whole[: at - 1], whole[at], whole[at - 1], *whole[at + 1 :]]
    provider, ledger = (disorder, whole) if side == "provider" else (whole, disorder)
    with pytest.raises(TerminalError, match=f"the {side} side names .* must come in order of keys"):
        list(unequal(provider, ledger, Tally()))


def test_a_key_that_comes_twice_is_refused() -> None:
    """Asiento refuses a side that names an entity twice, also where both sides do."""
    whole = claims(range(3))
    twice = [whole[0], whole[0], *whole[1:]]
    with pytest.raises(TerminalError, match="each once"):
        list(unequal(twice, list(twice), Tally()))


@pytest.mark.parametrize("first", ["provider", "ledger"])
def test_disorder_after_the_other_side_has_ended_is_refused(first: str) -> None:
    """Asiento refuses a key that comes again where a stretch ended, also when the other side has nothing more to say."""
    whole = claims(range(STRETCH))
    sides = (whole, [*whole, whole[-1]]) if first == "provider" else ([*whole, whole[-1]], whole)
    with pytest.raises(TerminalError, match="each once"):
        list(unequal(*sides, Tally()))


@given(
    at=st.integers(1, 3 * STRETCH - 1),
    lacking=st.sets(st.integers(0, 3 * STRETCH), max_size=3 * FEW),
    side=st.sampled_from(["provider", "ledger"]),
)
def test_disorder_is_refused_wherever_it_lies(at: int, lacking: set[int], side: str) -> None:
    """Asiento refuses a side out of order whatever the other side lacks, and blames no side that is in order."""
    whole = claims(range(3 * STRETCH))
    disorder = [*whole[: at - 1], whole[at], whole[at - 1], *whole[at + 1 :]]
    other = [each for number, each in enumerate(whole) if number not in lacking]
    sides = (disorder, other) if side == "provider" else (other, disorder)
    with pytest.raises(TerminalError, match=f"the {side} side names"):
        list(unequal(*sides, Tally()))
