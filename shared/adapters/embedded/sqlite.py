"""How the embedded adapters use SQLite: one writer at a time, readers beside it, durability chosen by name."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from shared.domain.errors import TransientError

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another process before the error is transient."""

CHECKPOINT_PAGES = 16_384
"""How far the write-ahead log grows (64 MiB) before it is written back: a page that changes often is written back once."""

_ROWS_A_STATEMENT_MAX = 32
_BYTES_A_STATEMENT_MAX = 256 * 1024
"""A prepared statement holds what was bound to it until it is used again: all sizes of one together hold 9 MiB at most.
A body may be longer than this share by itself, and has its statement alone."""

_PRIMARY_CODE = 0xFF
"""Of an error code of SQLite, the part that says what went wrong and not in which of its ways."""


class Durability(StrEnum):
    """What survives: FULL, a power cut after commit; NORMAL, a killed process (a power cut may lose the last commits)."""

    FULL = "FULL"
    NORMAL = "NORMAL"


class Database:
    """One SQLite file in write-ahead mode, with a connection for each thread and one write transaction at a time."""

    def __init__(
        self,
        path: Path,
        schema: str,
        durability: Durability = Durability.FULL,
        checkpoint_pages: int = CHECKPOINT_PAGES,
    ) -> None:
        """Open or create the file and apply `schema` (only `IF NOT EXISTS` statements)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._process_id = os.getpid()
        self._durability = durability
        self._checkpoint_pages = checkpoint_pages
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._opening = threading.Lock()
        self._writing = threading.RLock()
        with self._writing:
            self.connection.executescript(schema)

    @property
    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection. A forked process opens its own: SQLite must not be carried across a fork."""
        if self._process_id != os.getpid():
            self._forget_parent()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._durability.value}")
            connection.execute("PRAGMA cache_size = -65536")
            connection.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint_pages}")
            self._local.connection = connection
            with self._opening:
                self._connections.append(connection)
        return connection

    def _forget_parent(self) -> None:
        self._process_id = os.getpid()
        self._local = threading.local()
        self._connections = []
        self._opening = threading.Lock()
        self._writing = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run one write transaction: all of it or none. Raises TransientError if the file cannot be written now."""
        connection = self.connection
        with self._writing, self._written():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # of a full disk SQLite itself has taken everything back
                    connection.execute("ROLLBACK")
                raise

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert whole rows, all of them or none; raises TransientError if the file cannot be written now.

        A group that one statement holds needs no other to begin and to end: its thread gives the interpreter away once, not
        five times. `table` is a constant of ours, with its columns where not all are given; what is inserted is bound.
        """
        portions = [
            (_insert_statement(table, len(part[0]), len(part)), list(chain.from_iterable(part)))
            for part in _portions(rows)
        ]
        connection = self.connection
        if len(portions) == 1:
            with self._writing, self._written():
                connection.execute(*portions[0])
            return
        with self.transaction():
            for statement, cells in portions:
                connection.execute(statement, cells)

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Raise what keeps the file from being written as TransientError; a statement of ours that is wrong stays what it is."""
        try:
            yield
        except sqlite3.OperationalError as failure:
            code = getattr(failure, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
            if code == sqlite3.SQLITE_ERROR:
                raise
            raise TransientError(f"{self.path.name} cannot be written now: {failure}; try again") from failure

    def rows(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """Return all rows of a small query."""
        return self.connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._opening:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()


def _portions(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield rows in runs that one statement may hold; a row that is longer by itself is a run of its own."""
    first = held = 0
    for at, row in enumerate(rows):
        size = sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        if at > first and (at - first == _ROWS_A_STATEMENT_MAX or held + size > _BYTES_A_STATEMENT_MAX):
            yield rows[first:at]
            first, held = at, 0
        held += size
    if first < len(rows):
        yield rows[first:]


@cache
def _insert_statement(table: str, columns: int, rows: int) -> str:
    places = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {table} VALUES {', '.join([places] * rows)}"  # noqa: S608  a constant of ours, and places


def pages(database: Database, sql: str, parameters: dict[str, Any], page_size: int = 2_000) -> Iterator[Any]:
    """Yield the rows of a query ordered by its first column, page by page, holding no read transaction open.

    `sql` must filter by `> :after`, order by its first column and end in `LIMIT :page_size`.
    """
    after = ""
    while True:
        page = database.rows(sql, {**parameters, "after": after, "page_size": page_size})
        yield from page
        if len(page) < page_size:
            return
        after = page[-1][0]


def to_json(value: Any) -> str:
    """Return compact JSON; documents hold text, 64-bit integers and truths only."""
    return orjson.dumps(value).decode()


def json_list(values: Sequence[str] | set[str] | frozenset[str]) -> str:
    """Return values as one JSON parameter, for `IN (SELECT value FROM json_each(?))`."""
    return to_json(list(values))
