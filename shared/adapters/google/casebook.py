"""The casebook on Firestore: runs, how each class of work stands, differences and exceptions.

    case_runs/{number, last first}        a run, as it was recorded
    case_run_ids/{run id}                 the number under which a run was recorded
    case_work/{job, provider, kind}       how a class of work stands; every run of it writes here, so runs of one class
                                          never conclude side by side
    differences/{episode}                 open or closed; one that comes back is another beside the old
    exceptions/{episode}                  the same
    open_exceptions/{exception id}        the episode that is open

What one run changes is one transaction, bounded by Firestore's 10 MiB: about ten thousand differences.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from pydantic import TypeAdapter

from shared.adapters.google import casebook_work as standing
from shared.adapters.google.casebook_work import Work
from shared.adapters.google.documents import EQUAL, IN, Documents, Fields, Filter, Query, Transaction, document_id
from shared.domain.facts import EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Sighting
from shared.domain.reconciliation import Difference, Mismatch, ReconciliationRun, conclude
from shared.domain.times import from_ms, to_ms
from shared.ports.casebook import JobStatus

_RUNS, _RUN_IDS, _WORK, _STATE = "case_runs", "case_run_ids", "case_work", "case_state/runs"
_DIFFERENCES, _EXCEPTIONS, _OPEN_EXCEPTIONS = "differences", "exceptions", "open_exceptions"
_NUMBER_MAX = 10**12
_CHUNK = 200
_IS_OPEN = Filter("is_open", EQUAL, value=True)

_RUN, _DIFFERENCE = TypeAdapter(ReconciliationRun), TypeAdapter(Difference)
_EXCEPTION = TypeAdapter(FinanceException)

_T = TypeVar("_T")


class GoogleCasebook:
    """Casebook on one Firestore database; it may be the ledger's."""

    def __init__(self, documents: Documents) -> None:
        """Take the database."""
        self._documents = documents

    def record_run(self, run: ReconciliationRun, found: Sequence[Mismatch] = ()) -> ReconciliationRun:
        """Keep a run and what it changes in one transaction."""
        return self._documents.in_transaction(partial(self._record, run, found))

    def runs(self, job: str | None = None, limit: int = 100) -> list[ReconciliationRun]:
        """Return runs, latest first."""
        query = Query(_RUNS, _given(job=job), limit=limit)
        return [_run(fields) for _, fields in self._documents.all_at_once(query)]

    def status(self) -> list[JobStatus]:
        """Return how each class of work stands."""
        works = [standing.from_fields(fields) for _, fields in self._documents.pages(Query(_WORK))]
        in_order = sorted(works, key=lambda work: (work.job, work.provider, work.kind))
        return [standing.status_of(work, self._error_of(work)) for work in in_order]

    def last_success(self, job: str, provider: str = "", kind: EntityKind | None = None) -> datetime | None:
        """Return when this work last succeeded."""
        where = _work_path(job, provider, kind)
        fields = self._documents.get([where]).get(where)
        last_success_ms = standing.from_fields(fields).last_success_ms if fields else None
        return None if last_success_ms is None else from_ms(last_success_ms)

    def open_differences(self, provider: str | None = None, kind: EntityKind | None = None) -> Iterator[Difference]:
        """Yield open differences, oldest first."""
        filters = (_IS_OPEN, *_given(provider=provider, kind=kind.value if kind else None))
        for _, fields in self._documents.pages(Query(_DIFFERENCES, filters)):
            yield _difference(fields)

    def differences_of(self, run_id: str) -> list[Difference]:
        """Return what a run opened or closed."""
        found: dict[str, Fields] = {}
        for filters in (_given(opened_by_run=run_id), _given(closed_by_run=run_id)):
            found.update(self._documents.pages(Query(_DIFFERENCES, filters)))
        return [_difference(found[where]) for where in sorted(found)]

    def see_exceptions(self, found: Sequence[FinanceException]) -> int:
        """Open or refresh, a part at a time."""
        latest = {exception.exception_id: exception for exception in found}
        parts = _parts(list(latest.values()))
        return sum(self._documents.in_transaction(partial(_see, part)) for part in parts)

    def close_unseen(self, kinds: Collection[ExceptionKind], by: Sighting) -> int:
        """Close what this run has not seen."""

        def is_unseen(exception: FinanceException) -> bool:
            return exception.last_seen_run != by.run_id and exception.last_seen_at <= by.at

        unseen = [each.exception_id for each in self.exceptions(kinds=kinds) if is_unseen(each)]
        return self._close(unseen, by.at, is_unseen)

    def close_exceptions(self, exception_ids: Collection[str], closed_at: datetime) -> int:
        """Close these."""
        return self._close(sorted(set(exception_ids)), closed_at, lambda _: True)

    def exceptions(
        self,
        *,
        kinds: Collection[ExceptionKind] | None = None,
        provider: str | None = None,
        subject: str | None = None,
        is_open: bool | None = True,
    ) -> Iterator[FinanceException]:
        """Yield exceptions, oldest first."""
        filters = _given(provider=provider, subject=subject, is_open=is_open)
        if kinds is not None:
            if not kinds:
                return
            filters = (*filters, Filter("kind", IN, [kind.value for kind in kinds]))
        for _, fields in self._documents.pages(Query(_EXCEPTIONS, filters)):
            yield _exception(fields)

    def _record(self, run: ReconciliationRun, found: Sequence[Mismatch], transaction: Transaction) -> ReconciliationRun:
        run_id, work_path = _run_id_path(run.run_id), _work_path(run.job, run.provider, run.kind)
        held = transaction.get([run_id, work_path, _STATE])
        if run_id in held:
            (recorded,) = transaction.get([str(held[run_id]["body"])]).values()
            return _run(recorded)
        if run.window is not None and run.kind is not None and not run.has_failed:
            # Not part of the transaction, and as good as: whoever changes these writes the work, which is part of it.
            concluded = conclude(run, found, self.open_differences(run.provider, run.kind))
            run = concluded.run
            for difference in concluded.differences:
                transaction.set(*_difference_document(difference))
        number = int(held[_STATE]["count"]) + 1 if _STATE in held else 1
        where = f"{_RUNS}/{_NUMBER_MAX - number:012d}"
        work = standing.from_fields(held[work_path]) if work_path in held else Work.of(run)
        transaction.set(where, {"body": _RUN.dump_json(run).decode(), "job": run.job})
        transaction.set(run_id, {"body": where})
        transaction.set(_STATE, {"count": number})
        transaction.set(work_path, standing.to_fields(work.after(run)))
        return run

    def _error_of(self, work: Work) -> str:
        """Return what the latest failure that stands says."""
        if not work.failures:
            return ""
        (pointer,) = self._documents.get([_run_id_path(work.failures[-1].run_id)]).values()
        (recorded,) = self._documents.get([str(pointer["body"])]).values()
        return _run(recorded).error

    def _close(
        self, exception_ids: Sequence[str], closed_at: datetime, is_due: Callable[[FinanceException], bool]
    ) -> int:
        def work(part: Sequence[str], transaction: Transaction) -> int:
            due = [each for each in _open_ones(transaction, part).values() if is_due(each)]
            for exception in due:
                transaction.set(*_exception_document(replace(exception, closed_at=closed_at)))
                transaction.delete(f"{_OPEN_EXCEPTIONS}/{exception.exception_id}")
            return len(due)

        return sum(self._documents.in_transaction(partial(work, part)) for part in _parts(exception_ids))


def _see(found: Sequence[FinanceException], transaction: Transaction) -> int:
    known = _open_ones(transaction, [exception.exception_id for exception in found])
    for exception in found:
        before = known.get(exception.exception_id)
        if before is None:
            where, fields = _exception_document(exception)
            transaction.set(f"{_OPEN_EXCEPTIONS}/{exception.exception_id}", {"body": where})
            transaction.set(where, fields)
        elif exception.last_seen_at >= before.last_seen_at:
            transaction.set(*_exception_document(replace(exception, opened_at=before.opened_at)))
    return len(found) - len(known)


def _open_ones(transaction: Transaction, exception_ids: Sequence[str]) -> dict[str, FinanceException]:
    pointers = transaction.get([f"{_OPEN_EXCEPTIONS}/{each}" for each in exception_ids])
    episodes = transaction.get(sorted(str(fields["body"]) for fields in pointers.values()))
    found = [_exception(fields) for fields in episodes.values()]
    return {exception.exception_id: exception for exception in found}


def _difference_document(difference: Difference) -> tuple[str, Fields]:
    key = difference.mismatch.key
    episode = f"{to_ms(difference.opened_at):015d}/{difference.difference_id}/{difference.opened_by_run}"
    fields: dict[str, str | int | bool] = {
        "body": _DIFFERENCE.dump_json(difference).decode(),
        "provider": key.provider,
        "kind": key.kind.value,
        "opened_by_run": difference.opened_by_run,
    }
    if difference.closed_by_run is None:
        fields["is_open"] = True
    else:
        fields["closed_by_run"] = difference.closed_by_run
    return f"{_DIFFERENCES}/{document_id(episode)}", fields


def _exception_document(exception: FinanceException) -> tuple[str, Fields]:
    episode = f"{to_ms(exception.opened_at):015d}/{exception.exception_id}"
    return f"{_EXCEPTIONS}/{document_id(episode)}", {
        "body": _EXCEPTION.dump_json(exception).decode(),
        "kind": exception.kind.value,
        "provider": exception.provider,
        "subject": exception.subject,
        "is_open": exception.closed_at is None,
    }


def _run(fields: Fields) -> ReconciliationRun:
    return _RUN.validate_json(str(fields["body"]))


def _difference(fields: Fields) -> Difference:
    return _DIFFERENCE.validate_json(str(fields["body"]))


def _exception(fields: Fields) -> FinanceException:
    return _EXCEPTION.validate_json(str(fields["body"]))


def _run_id_path(run_id: str) -> str:
    return f"{_RUN_IDS}/{document_id(run_id)}"


def _work_path(job: str, provider: str, kind: EntityKind | None) -> str:
    key = "|".join((job, provider, kind.value if kind else ""))
    return f"{_WORK}/{document_id(key)}"


def _given(**wanted: str | bool | None) -> tuple[Filter, ...]:
    """Return a filter for each value that is given."""
    return tuple(Filter(name, EQUAL, value) for name, value in wanted.items() if value is not None)


def _parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
