"""The casebook in memory. What changes among the differences is decided by the domain, as in every world."""

from bisect import insort
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from shared.domain.completeness import CompletenessCertificate
from shared.domain.decisions import Decision
from shared.domain.facts import EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Sighting, decided, seen_again
from shared.domain.pauses import Pause
from shared.domain.reconciliation import Difference, Mismatch, ReconciliationRun, conclude
from shared.domain.times import Window
from shared.ports.casebook import JobStatus

_Work = tuple[str, str, EntityKind | None]


class MemoryCasebook:
    """Casebook in lists: a difference or exception that comes back is a new one beside the closed one."""

    def __init__(self) -> None:
        """Start empty."""
        self._runs: dict[str, ReconciliationRun] = {}
        self._open_differences: dict[str, Difference] = {}
        self._closed_differences: list[Difference] = []
        self._open_exceptions: dict[str, FinanceException] = {}
        self._closed_exceptions: list[FinanceException] = []
        self._certificates: list[CompletenessCertificate] = []
        self._pauses: dict[str, Pause] = {}

    def record_run(
        self,
        run: ReconciliationRun,
        found: Sequence[Mismatch] = (),
        certificates: Sequence[CompletenessCertificate] = (),
    ) -> ReconciliationRun:
        """Keep a run and what it changes and certifies."""
        if run.run_id in self._runs:
            return self._runs[run.run_id]
        if run.window is not None and run.kind is not None and not run.has_failed:
            concluded = conclude(run, found, self._standing(run, run.window, found))
            for difference in concluded.differences:
                self._open_differences.pop(difference.difference_id, None)
                if difference.closed_at is None:
                    self._open_differences[difference.difference_id] = difference
                else:
                    self._closed_differences.append(difference)
            run = concluded.run
        self._runs[run.run_id] = run
        for certificate in certificates:
            insort(self._certificates, certificate, key=lambda each: each.order)
        return run

    def runs(self, job: str | None = None, limit: int = 100) -> list[ReconciliationRun]:
        """Return runs, latest first."""
        return [run for run in reversed(self._runs.values()) if job is None or run.job == job][:limit]

    def status(self) -> list[JobStatus]:
        """Return how each class of work stands."""
        works: dict[_Work, list[ReconciliationRun]] = {}
        for run in self._runs.values():
            works.setdefault((run.job, run.provider, run.kind), []).append(run)
        return [
            _status(work, works[work]) for work in sorted(works, key=lambda each: (each[0], each[1], each[2] or ""))
        ]

    def last_success(self, job: str, provider: str = "", kind: EntityKind | None = None) -> datetime | None:
        """Return when this work last succeeded."""
        done = [
            run.started_at
            for run in self._runs.values()
            if (run.job, run.provider, run.kind) == (job, provider, kind) and not run.has_failed
        ]
        return max(done, default=None)

    def open_differences(self, provider: str | None = None, kind: EntityKind | None = None) -> Iterator[Difference]:
        """Yield open differences, oldest first."""
        for difference in sorted(
            self._open_differences.values(), key=lambda each: (each.opened_at, each.difference_id)
        ):
            key = difference.mismatch.key
            if provider in (None, key.provider) and kind in (None, key.kind):
                yield difference

    def differences_of(self, run_id: str) -> list[Difference]:
        """Return what a run opened or closed."""
        known = (*self._closed_differences, *self._open_differences.values())
        found = [each for each in known if run_id in (each.opened_by_run, each.closed_by_run)]
        return sorted(found, key=lambda each: (each.opened_at, each.difference_id))

    def see_exceptions(self, found: Sequence[FinanceException]) -> int:
        """Open or refresh."""
        before = set(self._open_exceptions)
        for exception in found:
            seen = seen_again(self._latest(exception.exception_id), exception)
            if seen is not None:
                self._put(seen)
        return len(set(self._open_exceptions) - before)

    def close_unseen(self, kinds: Collection[ExceptionKind], by: Sighting) -> int:
        """Close what this run has not seen."""
        unseen = [
            each
            for each in self._open_exceptions.values()
            if each.kind in kinds and each.last_seen_run != by.run_id and each.last_seen_at <= by.at
        ]
        return self._close(unseen, by.at)

    def close_exceptions(self, exception_ids: Collection[str], closed_at: datetime) -> int:
        """Close these."""
        named = [self._open_exceptions[each] for each in exception_ids if each in self._open_exceptions]
        return self._close(named, closed_at)

    def note_decisions(self, decisions: Sequence[Decision], at: datetime) -> int:
        """Note decisions, and close what they settle."""
        before = len(self._open_exceptions)
        for decision in decisions:
            latest = self._latest(decision.exception_id)
            noted = decided(latest, decision, at) if latest else None
            if noted is not None:
                self._put(noted)
        return before - len(self._open_exceptions)

    def exceptions(
        self,
        *,
        kinds: Collection[ExceptionKind] | None = None,
        provider: str | None = None,
        subject: str | None = None,
        is_open: bool | None = True,
    ) -> Iterator[FinanceException]:
        """Yield exceptions, oldest first."""
        known = (*self._closed_exceptions, *self._open_exceptions.values())
        for each in sorted(known, key=lambda exception: (exception.opened_at, exception.exception_id)):
            if (
                (kinds is None or each.kind in kinds)
                and provider in (None, each.provider)
                and subject in (None, each.subject)
                and is_open in (None, each.closed_at is None)
            ):
                yield each

    def completeness(self, first: date = date.min, last: date = date.max) -> Iterator[CompletenessCertificate]:
        """Yield the certificates that stand."""
        standing = {(each.day, each.provider, each.kind.value): each for each in self._certificates}
        yield from (standing[place] for place in sorted(standing) if first <= place[0] <= last)

    def certificates_of(self, provider: str, kind: EntityKind, day: date) -> list[CompletenessCertificate]:
        """Return every certificate of a day."""
        wanted = (provider, kind, day)
        return [each for each in self._certificates if (each.provider, each.kind, each.day) == wanted]

    def keep_pause(self, pause: Pause) -> None:
        """Keep the pause."""
        self._pauses[pause.provider] = pause

    def pauses(self) -> list[Pause]:
        """Return the pauses by provider."""
        return [self._pauses[provider] for provider in sorted(self._pauses)]

    def _standing(self, run: ReconciliationRun, window: Window, found: Sequence[Mismatch]) -> list[Difference]:
        again = {mismatch.difference_id for mismatch in found}
        return [
            each
            for each in self._open_differences.values()
            if each.difference_id in again
            or (
                (each.mismatch.key.provider, each.mismatch.key.kind) == (run.provider, run.kind)
                and window.start <= each.window.start
                and each.window.end <= window.end
            )
        ]

    def _latest(self, exception_id: str) -> FinanceException | None:
        episodes = [each for each in self._closed_exceptions if each.exception_id == exception_id]
        return self._open_exceptions.get(exception_id) or max(episodes, key=lambda each: each.opened_at, default=None)

    def _put(self, exception: FinanceException) -> None:
        """Write an episode in the place of the one that was opened at the same moment."""
        identity = (exception.exception_id, exception.opened_at)
        self._closed_exceptions = [
            each for each in self._closed_exceptions if (each.exception_id, each.opened_at) != identity
        ]
        self._open_exceptions.pop(exception.exception_id, None)
        if exception.is_open:
            self._open_exceptions[exception.exception_id] = exception
        else:
            self._closed_exceptions.append(exception)

    def _close(self, exceptions: Iterable[FinanceException], closed_at: datetime) -> int:
        closed = [replace(each, closed_at=closed_at) for each in exceptions]
        for each in closed:
            del self._open_exceptions[each.exception_id]
        self._closed_exceptions += closed
        return len(closed)


def _status(work: _Work, runs: Sequence[ReconciliationRun]) -> JobStatus:
    failing = [run for place, run in enumerate(runs) if run.has_failed and not _made_good(run, runs[place + 1 :])]
    job, provider, kind = work
    return JobStatus(
        job=job,
        provider=provider,
        kind=kind,
        last_run_at=max(run.started_at for run in runs),
        last_success_at=max((run.started_at for run in runs if not run.has_failed), default=None),
        failing=len(failing),
        failing_since=min((run.started_at for run in failing), default=None),
        error=failing[-1].error if failing else "",
    )


def _made_good(failed: ReconciliationRun, later: Iterable[ReconciliationRun]) -> bool:
    return any(not run.has_failed and _covers(run, failed) for run in later)


def _covers(run: ReconciliationRun, failed: ReconciliationRun) -> bool:
    if failed.kind is None or failed.window is None:
        return True
    window = run.window
    return window is not None and window.start <= failed.window.start and failed.window.end <= window.end
