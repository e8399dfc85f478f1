"""Judging: which difference stands in the way of which certificate."""

import json

import pytest

from shared.bi import certification
from shared.bi.certification import CHECKS, Difference, Figure, Grain, catalog, judge
from shared.domain.errors import TerminalError

A, B = Grain("2026-01", "ARS", "a"), Grain("2026-01", "ARS", "b")
LATER = Grain("2026-02", "ARS", "a")
ALL = [A, B, LATER]
CHECK = CHECKS[0]


def refused(*differences: Difference) -> list[Grain]:
    """Return what is refused of all candidates, in March."""
    return [each.grain for each in judge(ALL, [], differences, "2026-03") if not each.passed]


def test_refuses_what_a_difference_concerns() -> None:
    """Asiento refuses exactly the months, currencies and business units that a difference concerns."""
    assert refused() == []
    assert refused(Difference(CHECK, "2026-01", "ARS", "a", "off")) == [A]
    assert refused(Difference(CHECK, "2026-01", None, None, "off")) == [A, B]
    assert refused(Difference(CHECK, None, "ARS", "a", "off")) == [A, LATER]
    assert refused(Difference(CHECK, None, None, None, "off")) == ALL


def test_does_not_mind_a_month_that_is_not_over() -> None:
    """Asiento certifies closed months in spite of differences in the open one."""
    assert refused(Difference(CHECK, "2026-03", None, None, "off")) == []


def test_lets_no_difference_go_unseen() -> None:
    """Asiento refuses by name a closed month of which nothing but a difference is known."""
    assert refused(Difference(CHECK, "2025-11", None, "c", "off")) == [Grain("2025-11", "unknown", "c")]
    judgements = judge([], [], [Difference(CHECK, None, None, None, "off")], "2026-03")
    assert [(each.grain, each.passed) for each in judgements] == [(Grain("unknown", "unknown", "unknown"), False)]


def test_says_figures_and_checks() -> None:
    """Asiento's certificate says every figure by both paths and every check, with the first differences of each."""
    figures = [(A, Figure("tickets_issued", 3, 100, 3, 100)), (A, Figure("fares_earned", 1, 40, 1, 41))]
    many = [Difference(CHECKS[2], "2026-01", "ARS", "a", f"difference {number:02d}") for number in range(25)]
    judgement = judge([A], figures, many, "2026-03")[0]
    assert json.loads(judgement.figures_json) == {"fares_earned": [1, 40, 1, 41], "tickets_issued": [3, 100, 3, 100]}
    checks = json.loads(judgement.checks_json)
    assert list(checks) == list(CHECKS)
    assert checks[CHECKS[2]] == [*(f"difference {number:02d}" for number in range(20)), "and 5 more"]
    assert checks[CHECKS[3]] == []


def test_a_figure_that_neither_path_has_is_nothing() -> None:
    """Asiento says of a figure of which neither path knows that both counts and both amounts are zero."""
    (judgement,) = judge([A], [(A, Figure("tickets_issued", 3, 100, 3, 100))], [], "2026-03")
    assert judgement.figure("tickets_issued") == Figure("tickets_issued", 3, 100, 3, 100)
    assert judgement.figure("fares_earned") == Figure("fares_earned", 0, 0, 0, 0)


def test_a_certificate_keeps_words_as_they_are_written() -> None:
    """Asiento's certificate is read by people: `cancelación` stands in it as that, and without blanks between its parts."""
    judgement = judge([A], [], [Difference(CHECK, "2026-01", "ARS", "a", "cancelación")], "2026-03")[0]
    assert f'"{CHECK}":["cancelación"],' in judgement.checks_json


def test_judges_in_order() -> None:
    """Asiento says of the same build the same in the same order, whatever order the warehouse answers in."""
    figures = [(B, Figure(name, 1, 1, 1, 1)) for name in ("tickets_issued", "fares_earned")]
    judgements = judge([LATER, B, A], figures, [], "2026-03")
    assert [each.grain for each in judgements] == [A, B, LATER]
    assert [each.name for each in judgements[1].figures] == ["fares_earned", "tickets_issued"]
    assert [str(grain) for grain in (A, LATER)] == ["2026-01 ARS a", "2026-02 ARS a"]


def test_a_difference_of_an_empty_name_is_not_unseen() -> None:
    """Asiento refuses what is of a business unit without a name by that, and certifies nothing beside it that agrees."""
    judgements = judge([A], [], [Difference(CHECK, "2026-01", "ARS", "", "off")], "2026-03")
    assert [(each.grain, each.passed) for each in judgements] == [(Grain("2026-01", "ARS", ""), False), (A, True)]


@pytest.mark.parametrize(("found", "last"), [(20, "difference 19"), (21, "and 1 more")])
def test_counts_the_differences_that_it_does_not_name(found: int, last: str) -> None:
    """Asiento's certificate names twenty differences of a check, and says how many more there are, if there are."""
    many = [Difference(CHECK, "2026-01", "ARS", "a", f"difference {number:02d}") for number in range(found)]
    assert json.loads(judge([A], [], many, "2026-03")[0].checks_json)[CHECK][-1] == last


def test_the_catalog_has_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento builds nothing while a check stands in a model and not in the list, and names each of them in order."""
    strangers = sorted(CHECKS[:9])
    monkeypatch.setattr(certification, "CHECKS", CHECKS[9:])
    catalog.cache_clear()
    try:
        with pytest.raises(TerminalError, match=f"^{', '.join(strangers)}: every check"):
            catalog()
    finally:
        catalog.cache_clear()
