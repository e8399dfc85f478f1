"""The casebook on Firestore: runs, how each class of work stands, differences and exceptions.

    case_runs/{number, last first}        a run, as it was recorded
    case_run_ids/{run id}                 the number under which a run was recorded
    case_work/{job, provider, kind}       how a class of work stands; every run of it writes here, so runs of one class
                                          never conclude side by side
    differences/{episode}                 open or closed; one that comes back is another beside the old
    exceptions/{episode}                  the same
    exception_ids/{exception id}          its last episode, open or closed

What one run changes is one transaction, bounded by Firestore's 10 MiB: about ten thousand differences.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import TypeVar

from pydantic import TypeAdapter

from shared.adapters.google import casebook_sources as sources
from shared.adapters.google import casebook_work as standing
from shared.adapters.google.casebook_work import Work
from shared.adapters.google.documents import EQUAL, IN, Documents, Fields, Filter, Query, Transaction, document_id
from shared.domain.completeness import CompletenessCertificate
from shared.domain.decisions import Decision
from shared.domain.facts import EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Sighting, decided, seen_again
from shared.domain.pauses import Pause
from shared.domain.reconciliation import Difference, Mismatch, ReconciliationRun, conclude
from shared.domain.times import from_ms, to_ms
from shared.ports.casebook import JobStatus

_RUNS, _RUN_IDS, _WORK, _STATE = "case_runs", "case_run_ids", "case_work", "case_state/runs"
_DIFFERENCES, _EXCEPTIONS, _EXCEPTION_IDS = "differences", "exceptions", "exception_ids"
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

    def record_run(
        self,
        run: ReconciliationRun,
        found: Sequence[Mismatch] = (),
        certificates: Sequence[CompletenessCertificate] = (),
    ) -> ReconciliationRun:
        """Keep a run and what it changes and certifies in one transaction."""
        return self._documents.in_transaction(partial(self._record, run, found, certificates))

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

    def note_decisions(self, decisions: Sequence[Decision], at: datetime) -> int:
        """Note decisions, and close what they settle, a part at a time."""

        def work(part: Sequence[Decision], transaction: Transaction) -> int:
            latest = _latest_episodes(transaction, [decision.exception_id for decision in part])
            known = [(latest[each.exception_id], each) for each in part if each.exception_id in latest]
            noted = [changed for episode, each in known if (changed := decided(episode, each, at))]
            for exception in noted:
                transaction.set(*_exception_document(exception))
            return sum(latest[each.exception_id].is_open and not each.is_open for each in noted)

        return sum(self._documents.in_transaction(partial(work, part)) for part in _parts(decisions))

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

    def completeness(self, first: date = date.min, last: date = date.max) -> Iterator[CompletenessCertificate]:
        """Yield the certificates that stand."""
        return sources.standing(self._documents, first, last)

    def certificates_of(self, provider: str, kind: EntityKind, day: date) -> list[CompletenessCertificate]:
        """Return every certificate of a day."""
        return sources.history(self._documents, provider, kind, day)

    def keep_pause(self, pause: Pause) -> None:
        """Keep the pause."""
        sources.keep_pause(self._documents, pause)

    def pauses(self) -> list[Pause]:
        """Return the pauses by provider."""
        return sources.pauses(self._documents)

    def _record(
        self,
        run: ReconciliationRun,
        found: Sequence[Mismatch],
        certificates: Sequence[CompletenessCertificate],
        transaction: Transaction,
    ) -> ReconciliationRun:
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
        sources.add(transaction, certificates)
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
            latest = _latest_episodes(transaction, part).values()
            due = [each for each in latest if each.is_open and is_due(each)]
            for exception in due:
                transaction.set(*_exception_document(replace(exception, closed_at=closed_at)))
            return len(due)

        return sum(self._documents.in_transaction(partial(work, part)) for part in _parts(exception_ids))


def _see(found: Sequence[FinanceException], transaction: Transaction) -> int:
    latest = _latest_episodes(transaction, [exception.exception_id for exception in found])
    opened = 0
    for exception in found:
        before = latest.get(exception.exception_id)
        seen = seen_again(before, exception)
        if seen is None:
            continue
        where, fields = _exception_document(seen)
        transaction.set(where, fields)
        if before is None or not before.is_open:
            opened += 1
            transaction.set(f"{_EXCEPTION_IDS}/{exception.exception_id}", {"body": where})
    return opened


def _latest_episodes(transaction: Transaction, exception_ids: Sequence[str]) -> dict[str, FinanceException]:
    pointers = transaction.get([f"{_EXCEPTION_IDS}/{each}" for each in exception_ids])
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
