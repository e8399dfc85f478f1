"""The warehouse in one DuckDB file. GoogleSQL is rendered once per statement and process."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from shared.adapters.embedded.plans import planned
from shared.domain.errors import TerminalError, TransientError
from shared.ports.warehouse import Columns, Files, Parameters, Row

_TYPES = {"INT64": "BIGINT", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "DATE": "DATE"}
_ROWS_AT_ONCE = 1_000
MEMORY_LIMIT = "1GiB"
"""What DuckDB may hold, however large the season: two threads gather some 400 MiB of bodies, the rest is for its joins."""
SETTINGS = {
    # Extensions are part of the wheel; nothing is fetched from anywhere.
    "autoinstall_known_extensions": "false",
    # Order is asked for where it matters.
    "preserve_insertion_order": "false",
    # A thread gathers 122,880 rows before it writes them, some 200 MiB of bodies: once, not five times.
    "write_buffer_row_group_count": "1",
    # What DuckDB chooses by itself keeps bodies nearly as long as they are, and takes longer.
    "force_compression": "zstd",
}
_LINE_BYTES_MAX = 8 * 1024 * 1024
"""The longest line of a loaded file: a body of the largest size with every character escaped."""


class DuckDbWarehouse:
    """A warehouse of one process: DuckDB lets one process at a time write its file.

    Jobs are not remembered, for none outlives the process that runs it: the file is changed by whole statements only.
    """

    def __init__(self, path: Path, memory_limit: str = MEMORY_LIMIT) -> None:
        """Open the file, and make it if there is none; raises TransientError while another process holds it."""
        self._datasets: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _told_apart(f"opening {path.name}"):
            self._connection = duckdb.connect(str(path), config={**SETTINGS, "memory_limit": memory_limit})
            # Text without an offset is UTC, as in BigQuery, wherever this machine stands.
            self._connection.execute("SET TimeZone = 'UTC'")

    def ensure_table(self, table: str, columns: Columns) -> None:
        """Create the table or add the columns that it lacks."""
        with _told_apart(f"making {table}"):
            self._make_dataset(table)
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {_quoted(table)} ({_declared(columns)})")
            described = self._connection.execute(f"SELECT * FROM {_quoted(table)} LIMIT 0").description or ()  # noqa: S608  a table of ours
        present = {column[0]: str(column[1]) for column in described}
        for column, kind in columns.items():
            if column not in present:
                with _told_apart(f"adding {table}.{column}"):
                    self._connection.execute(f'ALTER TABLE {_quoted(table)} ADD COLUMN "{column}" {_TYPES[kind]}')
            elif present[column] != _TYPES[kind]:
                raise TerminalError(
                    f"{table}.{column} is {present[column]} and its model now says {kind}: give the column a new name"
                )

    def load(self, table: str, columns: Columns, rows: Path, *, job_id: str, replace: bool) -> int:
        """Load newline-delimited JSON with the declared columns; nothing is guessed from the content."""
        source = _lines_of("?", columns, _LINE_BYTES_MAX)
        names = ", ".join(f'"{name}"' for name in columns)
        with _told_apart(f"making {table}"):
            self._make_dataset(table)
        with _told_apart(f"job {job_id}"), self._transaction():
            if replace:
                self._connection.execute(f"CREATE OR REPLACE TABLE {_quoted(table)} ({_declared(columns)})")
            if rows.stat().st_size == 0:
                return 0
            loaded = self._connection.execute(
                f"INSERT INTO {_quoted(table)} ({names}) SELECT {names} FROM {source}",  # noqa: S608  names are declared ones
                [str(rows)],
            ).fetchone()
        return int(loaded[0]) if loaded else 0

    def execute(self, sql: str, parameters: Parameters, *, job_id: str) -> None:
        """Run one statement; DuckDB makes it a transaction of its own."""
        rendered, names = render(sql)
        with _told_apart(f"job {job_id}"):
            self._connection.execute(rendered, {name: parameters[name] for name in names})

    def execute_over(self, sql: str, files: Files, *, job_id: str) -> None:
        """Run one statement in which the table of the files is a view of them, there for that statement only."""
        rendered, _ = render(sql)
        listed = "[" + ", ".join("'" + address.replace("'", "''") + "'" for address in files.addresses) + "]"
        view = _quoted(files.table)
        lines = _lines_of(listed, files.columns, max(files.line_bytes_max, _LINE_BYTES_MAX))
        with _told_apart(f"making {files.table}"):
            self._make_dataset(files.table)
        with _told_apart(f"job {job_id}"), self._transaction():
            self._connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {lines}")  # noqa: S608  names are declared ones, texts are quoted
            self._connection.execute(rendered)
            self._connection.execute(f"DROP VIEW {view}")

    def make_view(self, view: str, sql: str, *, replace: bool) -> None:
        """Make a view mean this query."""
        rendered, _ = render(sql)
        with _told_apart(f"view {view}"):
            self._make_dataset(view)
            making = "CREATE OR REPLACE VIEW" if replace else "CREATE VIEW IF NOT EXISTS"
            self._connection.execute(f"{making} {_quoted(view)} AS {rendered}")

    def query(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        """Yield rows in portions, on a cursor of its own: others may run statements meanwhile."""
        rendered, names = render(sql)
        with _told_apart("a query"):
            cursor = self._connection.cursor()
            cursor.execute(rendered, {name: parameters[name] for name in names})
            columns = [column[0] for column in cursor.description or ()]
            while portion := cursor.fetchmany(_ROWS_AT_ONCE):
                for values in portion:
                    yield dict(zip(columns, values, strict=True))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _make_dataset(self, name: str) -> None:
        dataset = name.partition(".")[0]
        if dataset not in self._datasets:
            self._connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{dataset}"')
            self._datasets.add(dataset)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()


@cache
def render(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a GoogleSQL statement as DuckDB reads it, and the parameters that it names; raises TerminalError."""
    try:
        statement = sqlglot.parse_one(sql, read="bigquery")
    except ParseError as wrong:
        fault = wrong.errors[0]
        raise TerminalError(f"not GoogleSQL at line {fault['line']}: {fault['description']}") from None
    names = {parameter.name for parameter in statement.find_all(exp.Parameter)}
    return planned(statement.transform(_cut)).sql(dialect="duckdb", copy=False), tuple(sorted(names))


def _cut(part: exp.Expr) -> exp.Expr:
    """Let an instant be cut to its millisecond, as BigQuery does: DuckDB's own function rounds it."""
    if not isinstance(part, exp.UnixMillis):
        return part
    return exp.IntDiv(this=exp.UnixMicros(this=part.this), expression=exp.Literal.number(1_000))


_ABOUT_NAMES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
"""Errors whose messages speak of tables and columns; those of all others may quote the data at fault."""


@contextmanager
def _told_apart(doing: str) -> Iterator[None]:
    """Raise DuckDB's errors as the two kinds that callers know, without the data that its messages quote."""
    try:
        yield
    except duckdb.IOException as busy:
        raise TransientError(f"{doing} failed on the file, try again: {_first_line(busy)}") from None
    except duckdb.OutOfMemoryException:
        raise TerminalError(f"{doing} needs more memory than the warehouse may hold: raise its limit") from None
    except _ABOUT_NAMES as wrong:
        raise TerminalError(f"{doing} failed: {_first_line(wrong)}") from None
    except duckdb.Error as wrong:
        raise TerminalError(f"{doing} failed on the data: {type(wrong).__name__}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _quoted(table: str) -> str:
    return ".".join(f'"{part}"' for part in table.split("."))


def _lines_of(files: str, columns: Columns, line_bytes_max: int) -> str:
    """Return the function that reads newline-delimited JSON with the declared columns."""
    typed = ", ".join(f"'{name}': '{_TYPES[kind]}'" for name, kind in columns.items())
    return f"read_json({files}, format = 'newline_delimited', columns = {{{typed}}}, maximum_object_size = {line_bytes_max})"


def _declared(columns: Columns) -> str:
    return ", ".join(f'"{name}" {_TYPES[kind]}' for name, kind in columns.items())
