"""Asiento applies what it can read of a file, and lets the file need attention until it can read the rest."""

import random

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Version
from shared.domain.outcomes import Outcome
from tests.domain.test_settle import Ledger, batches, derivation

HELD = ("line 3: identity_broken: off", "lines 5, 6: malformed_csv: shifted")


def line(number: int, net_minor: int = 100) -> Fact:
    """Return a settlement line."""
    key = EntityKey(EntityKind.SETTLEMENT_LINE, "mercadopago", f"row:{number}:1")
    return Fact(key, Version(number), {"net_minor": net_minor, "currency": "ARS"})


def file(name: str, *facts: Fact, held: tuple[str, ...] = ()) -> Reading:
    """Return the reading of a file."""
    return Reading(f"mercadopago:file:{name}", "report.release", 1, name, facts, held=held)


def test_good_rows_apply_and_the_file_needs_attention() -> None:
    """Asiento keeps the good rows of a file and quarantines it with the numbers of the others."""
    ledger = Ledger()
    (verdict,) = ledger.settle([derivation("d1", file("a", line(1), line(2), held=HELD))])
    assert verdict.outcome is Outcome.QUARANTINED
    assert verdict.outcome.needs_attention
    assert verdict.reason == f"rows_held: {HELD[0]}; {HELD[1]}"
    assert len(ledger.facts) == 2


def test_a_contradiction_outranks_held_rows_and_names_both() -> None:
    """Asiento calls a file with held rows that contradicts the ledger a conflict, and names the rows all the same."""
    ledger = Ledger()
    ledger.settle([derivation("d1", file("a", line(1)))])
    (verdict,) = ledger.settle([derivation("d2", file("b", line(1, 101), held=HELD))])
    assert verdict.outcome is Outcome.CONFLICT
    assert "net_minor was said to be 100 and 101" in verdict.reason
    assert HELD[0] in verdict.reason


def test_the_same_file_again_is_a_duplicate_and_hides_nothing() -> None:
    """Asiento takes the same file for a duplicate; the one that came first still needs attention."""
    ledger = Ledger()
    reading = file("a", line(1), held=HELD)
    first, second = ledger.settle([derivation("d1", reading), derivation("d2", reading)])
    assert (first.outcome, second.outcome) == (Outcome.QUARANTINED, Outcome.DUPLICATE)
    assert "d1" in second.reason


def test_a_replay_that_reads_more_applies_the_rest() -> None:
    """Asiento applies the held rows when a replay can read them, and the file needs no attention any more."""
    ledger = Ledger()
    ledger.settle([derivation("d1", file("a", line(1), held=HELD))])
    (verdict,) = ledger.settle([derivation("d1", file("a", line(1), line(3)))], is_replay=True)
    assert [attempt.outcome for attempt in verdict.attempts] == [Outcome.QUARANTINED, Outcome.APPLIED]
    whole = Ledger()
    whole.settle([derivation("d1", file("a", line(1), line(3)))])
    assert (ledger.hash, set(ledger.facts)) == (whole.hash, set(whole.facts))


@given(st.lists(st.sets(st.integers(1, 6), max_size=4), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_order_and_repetition_of_overlapping_files_cannot_be_seen(
    contents: list[set[int]], shuffle: random.Random
) -> None:
    """Asiento reaches one ledger from overlapping files, held rows among them, in any order, repeated and re-batched."""
    files = [
        file("-".join(map(str, sorted(rows))), *map(line, sorted(rows)), held=HELD if 1 in rows else ())
        for rows in contents
    ]
    plain = Ledger()
    plain.settle([derivation(f"d{at}", each) for at, each in enumerate(files)])
    again = [derivation(f"d{at}", each) for at, each in enumerate(files)]
    again += [derivation(f"x{at}", shuffle.choice(files)) for at in range(3)]
    shuffle.shuffle(again)
    other = Ledger()
    for batch in batches(again, shuffle):
        other.settle(batch)
    assert (other.hash, set(other.facts)) == (plain.hash, set(plain.facts))
    assert {key.entity_id for key in other.entities} == {f"row:{n}:1" for rows in contents for n in rows}
