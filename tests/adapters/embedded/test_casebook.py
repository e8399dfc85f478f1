"""Asiento's casebook keeps a run and its differences together, and never forgets a failure or a closure."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.adapters.embedded.casebook import SqliteCasebook
from shared.domain.decisions import Choice, Decision
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Sighting
from shared.domain.money import Money
from shared.domain.reconciliation import Claim, DifferenceType, Mismatch, ReconciliationRun, RunStatus
from shared.domain.times import Window

NOON = datetime(2026, 3, 10, 15, 0, 0, 123_000, tzinfo=UTC)
DAY = Window(NOON, NOON + timedelta(days=1))


@pytest.fixture
def casebook(tmp_path: Path) -> Iterator[SqliteCasebook]:
    """An empty casebook."""
    casebook = SqliteCasebook(tmp_path / "cases.db")
    yield casebook
    casebook.close()


def run(
    run_id: str,
    minutes: int = 0,
    *,
    error: str = "",
    window: Window | None = DAY,
    kind: EntityKind | None = EntityKind.SALE,
    job: str = "transactions",
) -> ReconciliationRun:
    """Return a run that started some minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    status = RunStatus.FAILED if error else RunStatus.SUCCEEDED
    provider = "tiny" if kind else ""
    return ReconciliationRun(
        run_id,
        job,
        provider,
        kind,
        window,
        at,
        at + timedelta(seconds=2),
        status,
        error,
        at,
        at,
        {"ledger": 3},
        {"ARS": -1},
    )


def missing(number: int, kind: EntityKind = EntityKind.SALE) -> Mismatch:
    """Return a mismatch of one entity."""
    return Mismatch(
        DifferenceType.MISSING_IN_LEDGER, Claim(EntityKey(kind, "tiny", f"s{number}"), 1, 100, "ARS", "paid"), None
    )


def exception(
    subject: str, run_id: str = "r1", minutes: int = 0, kind: ExceptionKind = ExceptionKind.UNLINKED
) -> FinanceException:
    """Return an exception seen some minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    return FinanceException(kind, subject, "tiny", at, run_id, at, Money("ARS", 100), {"why": "because"})


def test_gives_back_what_it_was_given(casebook: SqliteCasebook, tmp_path: Path) -> None:
    """Asiento reads runs, differences and exceptions back as they were kept, in another process too."""
    recorded = casebook.record_run(run("r1"), [missing(1)])
    assert recorded == replace(run("r1"), opened=1)
    casebook.see_exceptions([exception("sale:tiny:s1")])
    casebook.close()
    again = SqliteCasebook(tmp_path / "cases.db")
    assert again.runs() == [recorded]
    assert again.runs("fetches") == []
    (difference,) = again.open_differences("tiny", EntityKind.SALE)
    assert difference.mismatch == missing(1)
    assert (difference.window, difference.opened_at, difference.opened_by_run) == (DAY, NOON, "r1")
    assert list(again.exceptions()) == [exception("sale:tiny:s1")]
    again.close()


def test_run_and_differences_together_or_not_at_all(casebook: SqliteCasebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento keeps neither a run without its differences nor differences without their run."""
    with monkeypatch.context() as patch:
        patch.setattr("shared.adapters.embedded.casebook._run_row", lambda _: _die())
        with pytest.raises(KeyboardInterrupt):
            casebook.record_run(run("r1"), [missing(1)])
    assert casebook.runs() == []
    assert list(casebook.open_differences()) == []
    assert casebook.record_run(run("r1"), [missing(1)]).opened == 1


def test_recording_again_is_harmless(casebook: SqliteCasebook) -> None:
    """Asiento gives back the record where the same run is recorded again."""
    first = casebook.record_run(run("r1"), [missing(1)])
    assert casebook.record_run(run("r1"), [missing(1)]) == first
    assert len(casebook.runs()) == 1


def test_failed_run_changes_no_difference(casebook: SqliteCasebook) -> None:
    """Asiento neither opens nor closes by a run that failed."""
    casebook.record_run(run("r1"), [missing(1)])
    failed = casebook.record_run(run("r2", 1, error="TransientError: down"), [missing(2)])
    assert (failed.opened, failed.closed) == (0, 0)
    assert [each.mismatch for each in casebook.open_differences()] == [missing(1)]


def test_closed_and_opened_again(casebook: SqliteCasebook) -> None:
    """Asiento keeps a closed difference as it was and opens another beside it when it comes back."""
    casebook.record_run(run("r1"), [missing(1)])
    assert casebook.record_run(run("r2", 1)).closed == 1
    assert casebook.record_run(run("r3", 2), [missing(1)]).opened == 1
    (closed,) = casebook.differences_of("r1")
    (still_open,) = casebook.differences_of("r3")
    assert casebook.differences_of("r2") == [closed]
    assert closed.difference_id == still_open.difference_id
    assert (closed.closed_by_run, closed.closed_at) == ("r2", NOON + timedelta(minutes=1))
    assert list(casebook.open_differences()) == [still_open]


def test_other_kinds_and_providers_are_left_alone(casebook: SqliteCasebook) -> None:
    """Asiento closes nothing of another kind."""
    casebook.record_run(run("r1", kind=EntityKind.TICKET), [missing(1, EntityKind.TICKET)])
    assert casebook.record_run(run("r2", 1)).closed == 0
    assert len(list(casebook.open_differences(kind=EntityKind.TICKET))) == 1
    assert list(casebook.open_differences(kind=EntityKind.SALE)) == []
    assert list(casebook.open_differences(provider="other")) == []


def test_seen_in_another_window(casebook: SqliteCasebook) -> None:
    """Asiento follows a difference to the window where it is last seen."""
    hour = Window(NOON + timedelta(days=3), NOON + timedelta(days=3, hours=1))
    casebook.record_run(run("r1"), [missing(1)])
    moved = casebook.record_run(run("r2", 1, window=hour), [missing(1)])
    assert (moved.opened, moved.closed) == (0, 0)
    assert casebook.record_run(run("r3", 2)).closed == 0
    assert casebook.record_run(run("r4", 3, window=hour)).closed == 1


def test_many_in_order_of_age(casebook: SqliteCasebook) -> None:
    """Asiento yields differences and exceptions oldest first, page by page."""
    for minutes in (2, 0, 1):
        casebook.record_run(
            run(f"r{minutes}", minutes, window=Window(*[NOON + timedelta(hours=minutes)] * 2)),
            [missing(n) for n in range(minutes * 1_500, (minutes + 1) * 1_500)],
        )
    casebook.see_exceptions([exception(f"x{n}", minutes=-n) for n in range(4_500)])
    opened = [each.opened_at for each in casebook.open_differences()]
    assert len(opened) == 4_500
    assert opened == sorted(opened)
    assert [each.subject for each in casebook.exceptions()] == [f"x{n}" for n in reversed(range(4_500))]


def test_concurrent_runs_open_once(casebook: SqliteCasebook) -> None:
    """Asiento opens a difference once when the same comparison runs many times at once."""
    with ThreadPoolExecutor(8) as pool:
        recorded = list(pool.map(lambda n: casebook.record_run(run(f"r{n}"), [missing(1), missing(2)]), range(40)))
    assert sum(each.opened for each in recorded) == 2
    assert sum(each.closed for each in recorded) == 0
    assert len(list(casebook.open_differences())) == 2


def test_failure_stands_until_its_window_succeeds(casebook: SqliteCasebook) -> None:
    """Asiento does not take the success of another day for that of a failed one."""
    casebook.record_run(run("r1", 0, error="TransientError: down"))
    casebook.record_run(run("r2", 1, window=Window(NOON + timedelta(days=1), NOON + timedelta(days=2))))
    casebook.record_run(run("r3", 2, window=Window(NOON, NOON + timedelta(hours=23))))
    (status,) = casebook.status()
    assert (status.failing, status.failing_since, status.error) == (1, NOON, "TransientError: down")
    assert (status.last_run_at, status.last_success_at) == (NOON + timedelta(minutes=2), NOON + timedelta(minutes=2))
    casebook.record_run(run("r4", 3, window=Window(NOON - timedelta(days=1), NOON + timedelta(days=1))))
    (status,) = casebook.status()
    assert (status.is_failing, status.failing_since, status.error) == (False, None, "")


def test_failed_job_is_failed_for_seven_days(casebook: SqliteCasebook) -> None:
    """Asiento counts no failed run as a success, however often it runs, and shows since when it fails."""
    casebook.record_run(run("r0", kind=None, window=None, job="fetches"))
    for day in range(1, 8):
        casebook.record_run(
            run(f"r{day}", day * 1440, error="TransientError: down", kind=None, window=None, job="fetches")
        )
    (status,) = casebook.status()
    assert casebook.last_success("fetches") == status.last_success_at == NOON
    assert (status.failing, status.failing_since) == (7, NOON + timedelta(days=1))
    assert casebook.last_success("stragglers") is None
    casebook.record_run(run("r8", 8 * 1440, kind=None, window=None, job="fetches"))
    assert not casebook.status()[0].is_failing


def test_each_class_of_work_has_its_status(casebook: SqliteCasebook) -> None:
    """Asiento leaves no class of work out: each job, provider and kind stands for itself."""
    casebook.record_run(run("r1", error="TransientError: down"))
    casebook.record_run(run("r2", kind=EntityKind.TICKET))
    casebook.record_run(run("r3", kind=None, window=DAY, job="stragglers", error="TransientError: down"))
    casebook.record_run(run("r4", 9, kind=None, window=Window(NOON, NOON), job="stragglers"))
    shown = [(each.job, each.kind, each.is_failing, each.last_success_at is None) for each in casebook.status()]
    assert shown == [
        ("stragglers", None, False, False),
        ("transactions", EntityKind.SALE, True, True),
        ("transactions", EntityKind.TICKET, False, False),
    ]


def test_seeing_keeps_the_age(casebook: SqliteCasebook) -> None:
    """Asiento opens an exception once and keeps its age while what is known of it is refreshed."""
    assert casebook.see_exceptions([exception("a"), exception("a"), exception("b")]) == 2
    later = replace(exception("a", "r2", 5), evidence={"why": "still"})
    assert casebook.see_exceptions([later]) == 0
    assert casebook.see_exceptions([exception("a", "r0", -5)]) == 0
    kept = {each.subject: each for each in casebook.exceptions()}
    assert kept["a"] == replace(later, opened_at=NOON)


def test_closing_what_a_run_has_not_seen(casebook: SqliteCasebook) -> None:
    """Asiento closes what a run did not see, unless a later run saw it, and nothing of other kinds."""
    casebook.see_exceptions([exception("gone"), exception("seen"), exception("other", kind=ExceptionKind.NOT_FOUND)])
    casebook.see_exceptions([exception("seen", "r2", 1), exception("later", "r3", 2)])
    assert casebook.close_unseen([ExceptionKind.UNLINKED], Sighting("r2", NOON + timedelta(minutes=1))) == 1
    assert {each.subject for each in casebook.exceptions()} == {"seen", "later", "other"}
    (closed,) = casebook.exceptions(is_open=False)
    assert (closed.subject, closed.closed_at) == ("gone", NOON + timedelta(minutes=1))
    assert len(list(casebook.exceptions(is_open=None))) == 4


def test_closing_by_identity(casebook: SqliteCasebook) -> None:
    """Asiento closes the exceptions that are named, once."""
    casebook.see_exceptions([exception("a"), exception("b")])
    assert casebook.close_exceptions([exception("a").exception_id, "unheard of"], NOON) == 1
    assert casebook.close_exceptions([exception("a").exception_id], NOON) == 0


def decision(about: FinanceException, choice: Choice = Choice.ACCEPT, minutes: int = 5, by: str = "ana") -> Decision:
    """Return a decision about an exception as it stands, made some minutes after noon."""
    made_at = NOON + timedelta(minutes=minutes)
    return Decision(about.exception_id, choice, "seen", by, made_at, about.evidence_digest, about.at_risk)


def test_decided_stays_closed(casebook: SqliteCasebook) -> None:
    """Asiento keeps a decided exception closed while its evidence is the same, and opens it anew when it is another."""
    casebook.see_exceptions([exception("a"), exception("b")])
    accepted = decision(exception("a"))
    assert casebook.note_decisions([accepted], NOON + timedelta(minutes=6)) == 1
    assert casebook.note_decisions([accepted], NOON + timedelta(minutes=7)) == 0
    assert casebook.see_exceptions([exception("a", "r2", 10), exception("b", "r2", 10)]) == 0
    assert [each.subject for each in casebook.exceptions()] == ["b"]
    (closed,) = casebook.exceptions(is_open=False)
    assert (closed.closed_at, closed.decision, closed.is_settled) == (NOON + timedelta(minutes=6), accepted, True)

    changed = replace(exception("a", "r3", 20), at_risk=Money("ARS", 101))
    assert casebook.see_exceptions([changed]) == 1
    (again,) = casebook.exceptions(subject="a")
    assert (again.opened_at, again.decision, again.is_decided_otherwise) == (changed.opened_at, accepted, True)
    assert casebook.see_exceptions([exception("a", "r4", 30)]) == 0
    assert list(casebook.exceptions(subject="a")) == []
    assert len(list(casebook.exceptions(subject="a", is_open=False))) == 2


def test_decisions_come_in_any_order(casebook: SqliteCasebook) -> None:
    """Asiento lets the decision that was made last stand, and takes one about nothing that it knows for none."""
    casebook.see_exceptions([exception("a")])
    assigned = replace(decision(exception("a"), Choice.ASSIGN, minutes=9), assigned_to="Eva")
    assert casebook.note_decisions([assigned, decision(exception("unheard of"))], NOON) == 0
    assert casebook.note_decisions([decision(exception("a"), minutes=8)], NOON) == 0
    (kept,) = casebook.exceptions()
    assert (kept.decision, kept.assigned_to) == (assigned, "Eva")
    assert casebook.note_decisions([decision(exception("a"), Choice.WRITE_OFF, minutes=10)], NOON) == 1


def test_decided_about_something_else(casebook: SqliteCasebook) -> None:
    """Asiento leaves an exception open that shows other evidence by the time the decision is heard of."""
    casebook.see_exceptions([replace(exception("a"), at_risk=None)])
    assert casebook.note_decisions([decision(exception("a"))], NOON) == 0
    (kept,) = casebook.exceptions()
    assert (kept.is_open, kept.is_decided_otherwise) == (True, True)
    assert casebook.see_exceptions([exception("a", "r2", 10)]) == 0
    assert list(casebook.exceptions()) == []


def test_a_decision_is_kept_when_its_cause_returns(casebook: SqliteCasebook) -> None:
    """Asiento does not open what was accepted, went away, and came back as it was."""
    casebook.see_exceptions([exception("a")])
    casebook.close_exceptions([exception("a").exception_id], NOON + timedelta(minutes=1))
    assert casebook.note_decisions([decision(exception("a"))], NOON + timedelta(minutes=6)) == 0
    assert casebook.see_exceptions([exception("a", "r2", 10)]) == 0
    assert list(casebook.exceptions()) == []


def test_filters(casebook: SqliteCasebook) -> None:
    """Asiento lists exceptions by kind, provider and subject."""
    casebook.see_exceptions([exception("a"), exception("b", kind=ExceptionKind.NOT_FOUND)])
    casebook.see_exceptions([replace(exception("c"), provider="other")])

    def listed(**filters: object) -> list[str]:
        return [each.subject for each in casebook.exceptions(**filters)]  # type: ignore[arg-type]  # any of the filters, by name

    assert listed(kinds=[ExceptionKind.NOT_FOUND]) == ["b"]
    assert listed(provider="other") == ["c"]
    assert listed(subject="a") == ["a"]
    assert listed(subject="a", provider="other") == []
    assert listed(kinds=[]) == []


def _die() -> None:
    raise KeyboardInterrupt
