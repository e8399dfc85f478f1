"""Asiento's casebook on Firestore: a run and what it changes are one commit, whatever becomes of its answer."""

import pytest

from shared.adapters.google.casebook import GoogleCasebook
from shared.adapters.google.documents import Documents
from shared.domain.errors import TerminalError
from shared.domain.findings import ExceptionKind, Sighting
from shared.domain.times import Window
from tests.adapters.embedded.test_casebook import NOON, exception, missing, run
from tests.conformance.samples import after
from tests.emulators.faults import Fault
from tests.emulators.firestore import FirestoreEmulator


@pytest.fixture
def casebook(documents: Documents) -> GoogleCasebook:
    """An empty casebook."""
    return GoogleCasebook(documents)


def test_another_instance_reads_what_was_kept(casebook: GoogleCasebook, documents: Documents) -> None:
    """Asiento reads runs, differences and exceptions back as they were kept, in any instance."""
    recorded = casebook.record_run(run("r1"), [missing(1)])
    casebook.see_exceptions([exception("sale:tiny:a/b.c")])
    again = GoogleCasebook(documents)
    assert again.runs() == again.runs("transactions") == [recorded]
    assert [each.mismatch for each in again.open_differences()] == [missing(1)]
    assert list(again.exceptions(subject="sale:tiny:a/b.c")) == [exception("sale:tiny:a/b.c")]


def test_runs_come_latest_first(casebook: GoogleCasebook) -> None:
    """Asiento lists runs in the order in which they were recorded, the latest first."""
    for number in range(12):
        casebook.record_run(run(f"r{number}", job="fetches" if number % 2 else "transactions"))
    assert [each.run_id for each in casebook.runs(limit=3)] == ["r11", "r10", "r9"]
    assert [each.run_id for each in casebook.runs("transactions", limit=2)] == ["r10", "r8"]


def test_a_commit_that_is_refused_leaves_no_trace(casebook: GoogleCasebook, firestore: FirestoreEmulator) -> None:
    """Asiento keeps neither a run without its differences nor differences without their run."""
    firestore.faults.plan("Commit", Fault.PERMISSION_DENIED)
    with pytest.raises(TerminalError):
        casebook.record_run(run("r1"), [missing(1)])
    assert casebook.runs() == []
    assert list(casebook.open_differences()) == []
    assert casebook.record_run(run("r1"), [missing(1)]).opened == 1


def test_a_commit_whose_answer_was_lost_is_recorded_once(
    casebook: GoogleCasebook, firestore: FirestoreEmulator
) -> None:
    """Asiento finds the run recorded when the answer was lost, with the counts of what it did then."""
    firestore.faults.plan("Commit", Fault.ANSWER_LOST)
    recorded = casebook.record_run(run("r1"), [missing(1), missing(2)])
    assert (recorded.opened, recorded.closed) == (2, 0)
    assert casebook.runs() == [recorded]
    assert casebook.status()[0].last_success_at == NOON


def test_a_contended_run_concludes_from_what_stands_then(
    casebook: GoogleCasebook, firestore: FirestoreEmulator
) -> None:
    """Asiento concludes again when another run of the same work was recorded meanwhile."""
    casebook.record_run(run("r1"), [missing(1)])
    firestore.faults.plan("Commit", Fault.ABORTED)
    recorded = casebook.record_run(run("r2", 1), [missing(2)])
    assert (recorded.opened, recorded.closed) == (1, 1)
    assert [each.mismatch for each in casebook.open_differences()] == [missing(2)]


def test_the_error_shown_is_of_a_failure_that_stands(casebook: GoogleCasebook) -> None:
    """Asiento shows what the latest failure that stands says, not one that was made good."""
    other_day = Window(after(days=9), after(days=10))
    casebook.record_run(run("r1", 0, error="TransientError: first"))
    casebook.record_run(run("r2", 1, error="TransientError: second", window=other_day))
    assert casebook.status()[0].error == "TransientError: second"
    casebook.record_run(run("r3", 2, window=other_day))
    (status,) = casebook.status()
    assert (status.failing, status.error) == (1, "TransientError: first")


def test_a_large_closure_is_made_in_parts(casebook: GoogleCasebook) -> None:
    """Asiento closes more exceptions than one transaction carries, each once."""
    casebook.see_exceptions([exception(f"x{number}") for number in range(450)])
    assert casebook.close_unseen([ExceptionKind.UNLINKED], Sighting("r2", after(days=365))) == 450
    assert casebook.close_unseen([ExceptionKind.UNLINKED], Sighting("r3", after(days=366))) == 0
    assert len(list(casebook.exceptions(is_open=False))) == 450
