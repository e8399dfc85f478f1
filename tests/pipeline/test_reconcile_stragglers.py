"""Asiento announces again what was kept and lost on the way."""

from datetime import timedelta

import pytest

from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window
from shared.pipeline.reconcile import reconcile
from shared.pipeline.reconciliation import stragglers as job
from tests.pipeline.small_company import NOON, WEEK, Company, body, sale, sold


def sweep(company: Company, window: Window = WEEK) -> ReconciliationRun:
    """Run the job as of now."""
    (run,) = reconcile("stragglers", company.world, window, company.clock.now())
    return run


def test_lost_announcement(company: Company) -> None:
    """Asiento derives a delivery whose announcement was lost, once the straggler job has run."""
    lost = company.hear(body("e1", (sale(1), 1, sold())), announce=False)
    company.hear(body("e2", (sale(2), 1, sold())))
    company.derive()
    company.clock.put_forward(minutes=3)
    assert sweep(company).counts == {"kept": 2, "announced_again": 1}
    assert company.derive() == 1
    verdict = company.ledger.verdict(lost)
    assert verdict is not None
    assert verdict.outcome is Outcome.APPLIED
    assert sweep(company).counts == {"kept": 2, "announced_again": 0}


def test_grace(company: Company) -> None:
    """Asiento gives a delivery two minutes on its way before it counts as lost."""
    company.hear(body("e1", (sale(1), 1, sold())), announce=False)
    company.clock.put_forward(seconds=119)
    assert sweep(company).counts["announced_again"] == 0
    company.clock.put_forward(seconds=2)
    assert sweep(company).counts["announced_again"] == 1


def test_only_the_window(company: Company) -> None:
    """Asiento looks only at what was received in the window that it was asked for."""
    company.hear(body("e1", (sale(1), 1, sold())), announce=False)
    company.clock.put_forward(hours=1)
    later = Window(NOON + timedelta(minutes=30), NOON + timedelta(hours=1))
    assert sweep(company, later).counts == {"kept": 0, "announced_again": 0}
    assert sweep(company, Window(NOON + timedelta(hours=2), NOON + timedelta(hours=3))).counts["kept"] == 0


def test_failed_is_no_straggler(company: Company) -> None:
    """Asiento does not announce again what has an outcome, a bad one included."""
    company.hear(b"no json")
    company.derive()
    company.clock.put_forward(minutes=3)
    assert sweep(company).counts == {"kept": 1, "announced_again": 0}


def test_many_in_chunks(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento finds every straggler among many, a chunk at a time, and twice at once does no harm."""
    monkeypatch.setattr(job, "CHUNK", 7)
    for number in range(40):
        company.hear(body(f"e{number}", (sale(number), 1, sold())), announce=number % 3 == 0)
    company.derive()
    company.clock.put_forward(minutes=3)
    assert sweep(company).counts == {"kept": 40, "announced_again": 26}
    assert sweep(company).counts == {"kept": 40, "announced_again": 26}, "they are on their way; again is harmless"
    company.derive()
    assert company.ledger.outcome_counts() == {Outcome.APPLIED: 40}
