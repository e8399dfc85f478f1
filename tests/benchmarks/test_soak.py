"""The soak finds what it looks for: it passes where all is well, and fails where anything is lost or disagrees."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.soak import Soak, page_of, soak
from shared.domain.outcomes import Outcome

SALES = 10


@pytest.fixture(scope="module")
def seen() -> Soak:
    """A few sales through the real door, deriving beside it."""
    return soak(SALES, compressed_to_s=2)


def test_a_few_sales_pass_the_real_door_without_loss(seen: Soak) -> None:
    """Asiento acknowledges, keeps and derives everything, and its ledger agrees with the books to the cent."""
    assert seen.is_sound
    assert seen.acknowledged == seen.kept == seen.planned == len(seen.latencies_ns) > SALES
    assert all(books > 0 for books, _ in seen.books.values())
    assert f"| {SALES}" in page_of(seen).replace(f"| {seen.tickets}, ", "| ")


SPOILED: dict[str, Callable[[Soak], Soak]] = {
    "one is lost": lambda seen: replace(seen, kept=seen.kept - 1),
    "one was not acknowledged": lambda seen: replace(seen, acknowledged=seen.acknowledged - 1, kept=seen.kept - 1),
    "one has no outcome": lambda seen: replace(seen, without_outcome=1),
    "one is quarantined": lambda seen: replace(seen, outcomes={**seen.outcomes, Outcome.QUARANTINED: 1}),
    "a centavo is missing": lambda seen: replace(seen, books={"fares": (100, 99)}),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_says_when_anything_is_amiss(seen: Soak, spoil: Callable[[Soak], Soak]) -> None:
    """Asiento's soak fails where anything was lost, left underived, or does not agree."""
    assert not spoil(seen).is_sound
