"""Asiento announces again what was kept and lost on the way."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.errors import TransientError
from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window, from_ms
from shared.pipeline.derive import derive
from shared.pipeline.reconcile import reconcile
from shared.pipeline.reconciliation import stragglers as job
from tests.pipeline.small_company import NOON, WEEK, Company, body, sale, sold


def sweep(company: Company, window: Window = WEEK) -> ReconciliationRun:
    """Run the job as of now."""
    (run,) = reconcile("stragglers", company.world, window, company.clock.now())
    return run


def seen(run: ReconciliationRun) -> dict[str, int]:
    """Return what was kept and announced again in the window."""
    return {name: run.counts[name] for name in ("kept", "announced_again")}


def older(run: ReconciliationRun) -> dict[str, int]:
    """Return what was kept and announced again of what is older than the window."""
    return {name: run.counts[name] for name in ("older_kept", "older_announced_again")}


def complete_until(run: ReconciliationRun) -> datetime:
    """Return until when the run knows that every delivery has its outcome."""
    return from_ms(run.counts["complete_until_ms"])


def recent(company: Company) -> Window:
    """Return the last two hours, as a scheduled run looks at."""
    now = company.clock.now()
    return Window(now - timedelta(hours=2), now)


def test_lost_announcement(company: Company) -> None:
    """Asiento derives a delivery whose announcement was lost, once the straggler job has run."""
    lost = company.hear(body("e1", (sale(1), 1, sold())), announce=False)
    company.hear(body("e2", (sale(2), 1, sold())))
    company.derive()
    company.clock.put_forward(minutes=3)
    assert seen(sweep(company)) == {"kept": 2, "announced_again": 1}
    assert company.derive() == 1
    verdict = company.ledger.verdict(lost)
    assert verdict is not None
    assert verdict.outcome is Outcome.APPLIED
    assert seen(sweep(company)) == {"kept": 2, "announced_again": 0}


def test_grace(company: Company) -> None:
    """Asiento gives a delivery two minutes on its way before it counts as lost."""
    company.hear(body("e1", (sale(1), 1, sold())), announce=False)
    company.clock.put_forward(seconds=119)
    assert sweep(company).counts["announced_again"] == 0
    company.clock.put_forward(seconds=2)
    assert sweep(company).counts["announced_again"] == 1


def test_what_is_newer_than_the_window_waits(company: Company) -> None:
    """Asiento does not look at what came after the window that it was asked for."""
    company.hear(body("e1", (sale(1), 1, sold())), announce=False)
    company.clock.put_forward(hours=1)
    run = sweep(company, Window(NOON - timedelta(hours=2), NOON - timedelta(hours=1)))
    assert {**seen(run), **older(run)} == {
        "kept": 0,
        "announced_again": 0,
        "older_kept": 0,
        "older_announced_again": 0,
    }


def test_nothing_is_out_of_reach_for_ever(company: Company) -> None:
    """Asiento finds a straggler that is a year older than any window, and knows afterwards that all is complete."""
    company.hear(body("e1", (sale(1), 1, sold())), announce=False)
    company.clock.put_forward(days=365)
    run = sweep(company, recent(company))
    assert older(run) == {"older_kept": 1, "older_announced_again": 1}
    assert complete_until(run) == NOON, "it does not pass the gap"
    company.derive()
    runs = [sweep(company, recent(company)) for _ in range(4)]
    assert [older(run)["older_kept"] for run in runs] == [0, 1, 0, 0], "the days after it, then its own again"
    assert runs[-1].window is not None
    assert complete_until(runs[-1]) == runs[-1].window.end


def test_older_days_are_looked_at_in_turn(company: Company) -> None:
    """Asiento looks at one older day a run, passes no gap, and lets no gap hide those after it."""
    for number in range(4):
        company.hear(body(f"e{number}", (sale(number), 1, sold())), announce=number in (0, 2))
        company.clock.put_forward(days=10)
    company.derive()
    runs = [sweep(company, recent(company)) for _ in range(8)]
    assert all(run.counts["older_kept"] <= 1 for run in runs)
    assert all(complete_until(run) <= NOON + timedelta(days=11) for run in runs), "the gap after ten days stands"
    found = [run.counts["older_announced_again"] for run in runs]
    assert found == [0, 1, 0, 1, 0, 1, 0, 1], "day by day, then from the first gap again"
    company.derive()
    runs = [sweep(company, recent(company)) for _ in range(8)]
    assert {run.counts["older_announced_again"] for run in runs} == {0}
    assert runs[-1].window is not None
    assert complete_until(runs[-1]) == runs[-1].window.end


def test_a_failed_run_forgets_nothing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento goes on where the last run that came to its end left off, whatever failed since."""
    company.hear(body("e1", (sale(1), 1, sold())))
    company.derive()
    company.clock.put_forward(days=30)
    _, before = sweep(company, recent(company)), sweep(company, recent(company))
    with monkeypatch.context() as broken:
        broken.setattr(company.ledger, "without_verdict", _fail)
        company.hear(body("e2", (sale(2), 1, sold())))
        company.clock.put_forward(hours=1)
        assert sweep(company, recent(company)).has_failed
    company.derive()
    run = sweep(company, recent(company))
    assert complete_until(run) > complete_until(before)
    assert run.counts["older_kept"] == 0


def _fail(_: object) -> set[str]:
    raise TransientError("the ledger is away")


def give_up(company: Company) -> None:
    """Let the bus give up whatever it holds."""
    for _ in range(6):
        company.clock.put_forward(hours=1)
        company.bus.release(
            [each.lease_id for each in company.bus.lease(100, company.clock.now())], company.clock.now()
        )


def with_dead_letters(company: Company, code_version: str = "test") -> None:
    """Let the job see what the bus gave up, and which code derives now."""
    company.world = replace(company.world, dead_letters=company.bus, code_version=code_version)


def test_a_dead_letter_without_an_outcome_is_put_back(company: Company) -> None:
    """Asiento puts back a dead letter whose delivery has no outcome: a store was down, and it goes through now."""
    with_dead_letters(company)
    company.hear(body("e1", (sale(1), 1, sold())))
    give_up(company)
    assert len(company.bus.dead_letters()) == 1
    assert sweep(company).counts["redriven"] == 1
    assert company.bus.dead_letters() == []
    company.derive()
    assert company.ledger.outcome_counts() == {Outcome.APPLIED: 1}


def test_a_dead_letter_that_came_through_otherwise_is_gone(company: Company) -> None:
    """Asiento ends a dead letter whose delivery was announced a second time and has its outcome."""
    with_dead_letters(company)
    delivery_id = company.hear(body("e1", (sale(1), 1, sold())))
    give_up(company)
    company.bus.publish_all([each.announcement for each in company.bus.dead_letters()])
    company.derive()
    before = company.ledger.verdict(delivery_id)
    assert sweep(company).counts["redriven"] == 1
    company.derive()
    assert company.bus.dead_letters() == []
    assert company.ledger.verdict(delivery_id) == before, "it keeps its verdict"


@pytest.mark.meets_unforeseen
def test_what_this_code_failed_on_stays_a_dead_letter(company: Company) -> None:
    """Asiento leaves a dead letter alone while the code that failed on it is the code that derives."""
    with_dead_letters(company)
    company.hear(b"[1]")
    (leased,) = company.bus.lease(1, company.clock.now())
    derive([leased.announcement.object_name], company.deriving(), company.clock.now())
    give_up(company)
    assert company.ledger.outcome_counts() == {Outcome.FAILED: 1}
    assert sweep(company).counts["redriven"] == 0
    with_dead_letters(company, "mended")
    assert sweep(company).counts["redriven"] == 1


@pytest.mark.meets_unforeseen
def test_mended_code_tries_what_failed_once(company: Company) -> None:
    """Asiento announces again what other code failed on, and leaves it when the present code has failed on it too."""
    with_dead_letters(company)
    delivery_id = company.hear(b"[1]")
    company.derive()
    assert sweep(company).counts["failed_before"] == 0
    with_dead_letters(company, "mended")
    assert sweep(company).counts["failed_before"] == 1
    company.derive(code_version="mended")
    verdict = company.ledger.verdict(delivery_id)
    assert verdict is not None
    assert [each.code_version for each in verdict.attempts] == ["test", "mended"]
    assert sweep(company).counts["failed_before"] == 0


def test_failed_is_no_straggler(company: Company) -> None:
    """Asiento does not announce again what has an outcome, a bad one included."""
    company.hear(b"no json")
    company.derive()
    company.clock.put_forward(minutes=3)
    assert seen(sweep(company)) == {"kept": 1, "announced_again": 0}


def test_many_in_chunks(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento finds every straggler among many, a chunk at a time, and twice at once does no harm."""
    monkeypatch.setattr(job, "CHUNK", 7)
    for number in range(40):
        company.hear(body(f"e{number}", (sale(number), 1, sold())), announce=number % 3 == 0)
    company.derive()
    company.clock.put_forward(minutes=3)
    assert seen(sweep(company)) == {"kept": 40, "announced_again": 26}
    assert seen(sweep(company)) == {"kept": 40, "announced_again": 26}, "they are on their way; again is harmless"
    company.derive()
    assert company.ledger.outcome_counts() == {Outcome.APPLIED: 40}
