"""How one class of work stands, kept up run by run: when it last ran, last succeeded, and which failures stand."""

import json
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from shared.adapters.google.documents import Fields
from shared.domain.facts import EntityKind
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import from_ms, to_ms
from shared.ports.casebook import JobStatus


class Failure(NamedTuple):
    """A failed run that nothing has made good. Its window is empty where the run had none."""

    run_id: str
    started_at_ms: int
    window_start_ms: int
    window_end_ms: int


@dataclass(frozen=True, slots=True)
class Work:
    """One class of work: a job, of one provider and kind where it compares."""

    job: str
    provider: str
    kind: str
    last_run_ms: int
    last_success_ms: int | None = None
    failures: tuple[Failure, ...] = ()
    """In the order in which they were recorded."""

    @classmethod
    def of(cls, run: ReconciliationRun) -> "Work":
        """Return the work of a run before its first."""
        return cls(run.job, run.provider, run.kind.value if run.kind else "", to_ms(run.started_at))

    def after(self, run: ReconciliationRun) -> "Work":
        """Return how this work stands once a run of it has ended."""
        started_at_ms = to_ms(run.started_at)
        window = (to_ms(run.window.start), to_ms(run.window.end)) if run.window else (0, 0)
        seen = replace(self, last_run_ms=max(self.last_run_ms, started_at_ms))
        if run.has_failed:
            return replace(seen, failures=(*self.failures, Failure(run.run_id, started_at_ms, *window)))
        left = tuple(each for each in self.failures if self.kind and not _covers(window, each))
        last_success_ms = max(started_at_ms, self.last_success_ms or started_at_ms)
        return replace(seen, last_success_ms=last_success_ms, failures=left)


def _covers(window: tuple[int, int], failure: Failure) -> bool:
    return window[0] <= failure.window_start_ms and window[1] >= failure.window_end_ms


def status_of(work: Work, error: str) -> JobStatus:
    """Return the work in the port's words, with what its latest standing failure says."""
    return JobStatus(
        job=work.job,
        provider=work.provider,
        kind=EntityKind(work.kind) if work.kind else None,
        last_run_at=from_ms(work.last_run_ms),
        last_success_at=None if work.last_success_ms is None else from_ms(work.last_success_ms),
        failing=len(work.failures),
        failing_since=min((from_ms(each.started_at_ms) for each in work.failures), default=None),
        error=error,
    )


def to_fields(work: Work) -> Fields:
    """Return the work's document."""
    return {"body": json.dumps(asdict(work), ensure_ascii=False, separators=(",", ":"))}


def from_fields(fields: Fields) -> Work:
    """Read the work back."""
    body = json.loads(str(fields["body"]))
    return Work(**{**body, "failures": tuple(Failure(*each) for each in body["failures"])})
