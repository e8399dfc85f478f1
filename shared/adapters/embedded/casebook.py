"""The casebook in one SQLite file. A difference or exception that comes back after its closure is a new row beside the old."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from shared.adapters.embedded import casebook_sources as sources
from shared.adapters.embedded.sqlite import Database, json_list, pages
from shared.domain.completeness import CompletenessCertificate
from shared.domain.decisions import Decision
from shared.domain.facts import EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Sighting, decided, seen_again
from shared.domain.pauses import Pause
from shared.domain.reconciliation import Difference, Mismatch, ReconciliationRun, RunStatus, conclude
from shared.domain.times import from_ms, to_ms
from shared.ports.casebook import JobStatus

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    place INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, job TEXT NOT NULL, provider TEXT NOT NULL, kind TEXT NOT NULL,
    window_start_ms INTEGER NOT NULL, window_end_ms INTEGER NOT NULL, started_at_ms INTEGER NOT NULL,
    has_failed INTEGER NOT NULL, document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_of_work ON runs (job, provider, kind, has_failed, started_at_ms);
CREATE INDEX IF NOT EXISTS runs_of_window ON runs (job, provider, kind, window_start_ms) WHERE has_failed = 0;
CREATE TABLE IF NOT EXISTS differences (
    episode TEXT PRIMARY KEY, difference_id TEXT NOT NULL, provider TEXT NOT NULL, kind TEXT NOT NULL,
    window_start_ms INTEGER NOT NULL, window_end_ms INTEGER NOT NULL, opened_by_run TEXT NOT NULL, closed_by_run TEXT,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS differences_open ON differences (difference_id) WHERE closed_by_run IS NULL;
CREATE INDEX IF NOT EXISTS differences_standing ON differences (provider, kind, window_start_ms) WHERE closed_by_run IS NULL;
CREATE INDEX IF NOT EXISTS differences_opened ON differences (opened_by_run);
CREATE INDEX IF NOT EXISTS differences_closed ON differences (closed_by_run) WHERE closed_by_run IS NOT NULL;
CREATE TABLE IF NOT EXISTS exceptions (
    episode TEXT PRIMARY KEY, exception_id TEXT NOT NULL, kind TEXT NOT NULL, provider TEXT NOT NULL, subject TEXT NOT NULL,
    last_seen_run TEXT NOT NULL, last_seen_at_ms INTEGER NOT NULL, closed_at_ms INTEGER, document TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS exceptions_open ON exceptions (exception_id) WHERE closed_at_ms IS NULL;
CREATE INDEX IF NOT EXISTS exceptions_of_kind ON exceptions (kind) WHERE closed_at_ms IS NULL;
CREATE INDEX IF NOT EXISTS exceptions_of_subject ON exceptions (subject);
CREATE INDEX IF NOT EXISTS exceptions_episodes ON exceptions (exception_id, episode);
"""

_IN = "IN (SELECT value FROM json_each(?))"
_OPEN_DIFFERENCE = "SELECT document FROM differences WHERE closed_by_run IS NULL"
_STANDING = f"""
{_OPEN_DIFFERENCE} AND difference_id {_IN}
UNION
{_OPEN_DIFFERENCE} AND provider = ? AND kind = ? AND window_start_ms >= ? AND window_end_ms <= ?
"""
_FAILING = """
SELECT failed.job, failed.provider, failed.kind, failed.started_at_ms, failed.document FROM runs AS failed
WHERE failed.has_failed = 1 AND NOT EXISTS (
    SELECT 1 FROM runs AS good
    WHERE good.has_failed = 0 AND good.job = failed.job AND good.provider = failed.provider AND good.kind = failed.kind
    AND good.place > failed.place AND (failed.kind = '' OR (
        good.window_start_ms <= failed.window_start_ms AND good.window_end_ms >= failed.window_end_ms))
) ORDER BY failed.place
"""
_WORK = """
SELECT job, provider, kind, max(started_at_ms), max(CASE WHEN has_failed = 0 THEN started_at_ms END) FROM runs
GROUP BY job, provider, kind ORDER BY job, provider, kind
"""
_OPEN_EXCEPTION = "SELECT document FROM exceptions WHERE closed_at_ms IS NULL"
_LATEST_EPISODES = """
SELECT document FROM exceptions AS latest WHERE exception_id IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
    SELECT 1 FROM exceptions AS later WHERE later.exception_id = latest.exception_id AND later.episode > latest.episode)
"""

_RUN, _DIFFERENCE = TypeAdapter(ReconciliationRun), TypeAdapter(Difference)
_EXCEPTION = TypeAdapter(FinanceException)


class SqliteCasebook:
    """Casebook on one file."""

    def __init__(self, path: Path) -> None:
        """Open or create the casebook."""
        self._database = Database(path, _SCHEMA + sources.SCHEMA)

    def record_run(
        self,
        run: ReconciliationRun,
        found: Sequence[Mismatch] = (),
        certificates: Sequence[CompletenessCertificate] = (),
    ) -> ReconciliationRun:
        """Keep a run and what it changes and certifies in one transaction."""
        with self._database.transaction() as connection:
            recorded = connection.execute("SELECT document FROM runs WHERE run_id = ?", (run.run_id,)).fetchone()
            if recorded:
                return _RUN.validate_json(recorded[0])
            if run.window is not None and run.kind is not None and not run.has_failed:
                concluded = conclude(run, found, _standing(connection, run, found))
                connection.executemany(
                    "INSERT OR REPLACE INTO differences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    map(_difference_row, concluded.differences),
                )
                run = concluded.run
            connection.execute("INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _run_row(run))
            sources.add(connection, certificates)
        return run

    def runs(self, job: str | None = None, limit: int = 100) -> list[ReconciliationRun]:
        """Return runs, latest first."""
        rows = self._database.rows(
            "SELECT document FROM runs WHERE :job IS NULL OR job = :job ORDER BY place DESC LIMIT :limit",
            {"job": job, "limit": limit},
        )
        return [_RUN.validate_json(row[0]) for row in rows]

    def status(self) -> list[JobStatus]:
        """Return how each class of work stands."""
        failing: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
        for job, provider, kind, started_at_ms, document in self._database.rows(_FAILING):
            failing.setdefault((job, provider, kind), []).append((started_at_ms, document))
        return [
            _status(job, provider, kind, last_run_ms, last_success_ms, failing.get((job, provider, kind), []))
            for job, provider, kind, last_run_ms, last_success_ms in self._database.rows(_WORK)
        ]

    def last_success(self, job: str, provider: str = "", kind: EntityKind | None = None) -> datetime | None:
        """Return when this work last succeeded."""
        rows = self._database.rows(
            "SELECT max(started_at_ms) FROM runs WHERE job = ? AND provider = ? AND kind = ? AND has_failed = 0",
            (job, provider, _kind_text(kind)),
        )
        return _instant(rows[0][0])

    def open_differences(self, provider: str | None = None, kind: EntityKind | None = None) -> Iterator[Difference]:
        """Yield open differences, oldest first."""
        sql = (
            "SELECT episode, document FROM differences WHERE closed_by_run IS NULL "
            "AND (:provider IS NULL OR provider = :provider) AND (:kind IS NULL OR kind = :kind) "
            "AND episode > :after ORDER BY episode LIMIT :page_size"
        )
        filters = {"provider": provider, "kind": kind.value if kind else None}
        for _, document in pages(self._database, sql, filters):
            yield _DIFFERENCE.validate_json(document)

    def differences_of(self, run_id: str) -> list[Difference]:
        """Return what a run opened or closed."""
        rows = self._database.rows(
            "SELECT document FROM differences WHERE opened_by_run = :run_id OR closed_by_run = :run_id ORDER BY episode",
            {"run_id": run_id},
        )
        return [_DIFFERENCE.validate_json(row[0]) for row in rows]

    def see_exceptions(self, found: Sequence[FinanceException]) -> int:
        """Open or refresh."""
        with self._database.transaction() as connection:
            latest = _latest_episodes(connection, [exception.exception_id for exception in found])
            seen = [seen_again(latest.get(exception.exception_id), exception) for exception in found]
            changed = [each for each in seen if each is not None]
            _write_exceptions(connection, changed)
        was_open = {identity for identity, each in latest.items() if each.is_open}
        return len({each.exception_id for each in changed if each.is_open} - was_open)

    def close_unseen(self, kinds: Collection[ExceptionKind], by: Sighting) -> int:
        """Close what this run has not seen."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                f"{_OPEN_EXCEPTION} AND kind {_IN} AND last_seen_run != ? AND last_seen_at_ms <= ?",
                (json_list([kind.value for kind in kinds]), by.run_id, to_ms(by.at)),
            )
            return _close(connection, rows, by.at)

    def close_exceptions(self, exception_ids: Collection[str], closed_at: datetime) -> int:
        """Close these."""
        with self._database.transaction() as connection:
            rows = connection.execute(f"{_OPEN_EXCEPTION} AND exception_id {_IN}", (json_list(list(exception_ids)),))
            return _close(connection, rows, closed_at)

    def note_decisions(self, decisions: Sequence[Decision], at: datetime) -> int:
        """Note decisions, and close what they settle."""
        with self._database.transaction() as connection:
            latest = _latest_episodes(connection, [decision.exception_id for decision in decisions])
            known = [(latest[each.exception_id], each) for each in decisions if each.exception_id in latest]
            noted = [changed for episode, each in known if (changed := decided(episode, each, at))]
            _write_exceptions(connection, noted)
        return sum(latest[each.exception_id].is_open and not each.is_open for each in noted)

    def exceptions(
        self,
        *,
        kinds: Collection[ExceptionKind] | None = None,
        provider: str | None = None,
        subject: str | None = None,
        is_open: bool | None = True,
    ) -> Iterator[FinanceException]:
        """Yield exceptions, oldest first."""
        sql = (
            "SELECT episode, document FROM exceptions WHERE kind IN (SELECT value FROM json_each(:kinds)) "
            "AND (:provider IS NULL OR provider = :provider) AND (:subject IS NULL OR subject = :subject) "
            "AND (:is_open IS NULL OR (closed_at_ms IS NULL) = :is_open) "
            "AND episode > :after ORDER BY episode LIMIT :page_size"
        )
        wanted = list(ExceptionKind) if kinds is None else list(kinds)
        filters = {
            "kinds": json_list([kind.value for kind in wanted]),
            "provider": provider,
            "subject": subject,
            "is_open": is_open,
        }
        for _, document in pages(self._database, sql, filters):
            yield _EXCEPTION.validate_json(document)

    def completeness(self, first: date = date.min, last: date = date.max) -> Iterator[CompletenessCertificate]:
        """Yield the certificates that stand."""
        return sources.standing(self._database, first, last)

    def certificates_of(self, provider: str, kind: EntityKind, day: date) -> list[CompletenessCertificate]:
        """Return every certificate of a day."""
        return sources.history(self._database, provider, kind, day)

    def keep_pause(self, pause: Pause) -> None:
        """Keep the pause."""
        sources.keep_pause(self._database, pause)

    def pauses(self) -> list[Pause]:
        """Return the pauses by provider."""
        return sources.pauses(self._database)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _standing(connection: sqlite3.Connection, run: ReconciliationRun, found: Sequence[Mismatch]) -> list[Difference]:
    """Return the open differences that `conclude` needs: those found again, and those last seen inside the window."""
    start_ms, end_ms = _bounds_ms(run)
    identities = json_list([mismatch.difference_id for mismatch in found])
    rows = connection.execute(_STANDING, (identities, run.provider, _kind_text(run.kind), start_ms, end_ms))
    return [_DIFFERENCE.validate_json(row[0]) for row in rows]


def _run_row(run: ReconciliationRun) -> tuple[Any, ...]:
    return (
        run.run_id,
        run.job,
        run.provider,
        _kind_text(run.kind),
        *_bounds_ms(run),
        to_ms(run.started_at),
        run.status is RunStatus.FAILED,
        _RUN.dump_json(run).decode(),
    )


def _bounds_ms(run: ReconciliationRun) -> tuple[int, int]:
    return (to_ms(run.window.start), to_ms(run.window.end)) if run.window else (0, 0)


def _difference_row(difference: Difference) -> tuple[Any, ...]:
    key = difference.mismatch.key
    return (
        f"{_sortable(difference.opened_at)}/{difference.difference_id}/{difference.opened_by_run}",
        difference.difference_id,
        key.provider,
        key.kind.value,
        to_ms(difference.window.start),
        to_ms(difference.window.end),
        difference.opened_by_run,
        difference.closed_by_run,
        _DIFFERENCE.dump_json(difference).decode(),
    )


def _latest_episodes(connection: sqlite3.Connection, exception_ids: Sequence[str]) -> dict[str, FinanceException]:
    rows = connection.execute(_LATEST_EPISODES, (json_list(exception_ids),))
    return {exception.exception_id: exception for exception in _exceptions(rows)}


def _close(connection: sqlite3.Connection, rows: Iterable[Any], closed_at: datetime) -> int:
    closed = [replace(exception, closed_at=closed_at) for exception in _exceptions(rows)]
    _write_exceptions(connection, closed)
    return len(closed)


def _exceptions(rows: Iterable[Any]) -> list[FinanceException]:
    return [_EXCEPTION.validate_json(row[0]) for row in rows]


def _write_exceptions(connection: sqlite3.Connection, exceptions: Iterable[FinanceException]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO exceptions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_exception_row, exceptions)
    )


def _exception_row(exception: FinanceException) -> tuple[Any, ...]:
    return (
        f"{_sortable(exception.opened_at)}/{exception.exception_id}",
        exception.exception_id,
        exception.kind.value,
        exception.provider,
        exception.subject,
        exception.last_seen_run,
        to_ms(exception.last_seen_at),
        to_ms(exception.closed_at) if exception.closed_at else None,
        _EXCEPTION.dump_json(exception).decode(),
    )


def _sortable(instant: datetime) -> str:
    return f"{to_ms(instant):015d}"


def _status(  # noqa: PLR0917  the columns of one row
    job: str, provider: str, kind: str, last_run_ms: int, last_success_ms: int | None, failing: list[tuple[int, str]]
) -> JobStatus:
    return JobStatus(
        job=job,
        provider=provider,
        kind=EntityKind(kind) if kind else None,
        last_run_at=from_ms(last_run_ms),
        last_success_at=_instant(last_success_ms),
        failing=len(failing),
        failing_since=min((from_ms(started_at_ms) for started_at_ms, _ in failing), default=None),
        error=_RUN.validate_json(failing[-1][1]).error if failing else "",
    )


def _instant(instant_ms: int | None) -> datetime | None:
    return None if instant_ms is None else from_ms(instant_ms)


def _kind_text(kind: EntityKind | None) -> str:
    return kind.value if kind else ""
