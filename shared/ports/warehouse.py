"""The warehouse: where the BI layer is derived, checked and published (DESIGN I8, I9).

Statements are GoogleSQL in every world; an adapter of another engine renders them for itself. Tables are named
`dataset.table`; column types are those of GoogleSQL (INT64, STRING, BOOL, DATE). Every job is named by its caller: an
engine that remembers jobs runs a job of one name once, so that a retried step is no second step.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol, TypeAlias

Cell: TypeAlias = str | int | bool | date | None
"""One value of a row. Money is an integer of minor units; no cell is a float."""

Row: TypeAlias = dict[str, Cell]
"""One row of an answer, by column name, in the order of the columns."""

Columns: TypeAlias = Mapping[str, str]
"""Column name to GoogleSQL type, in order."""

Parameters: TypeAlias = Mapping[str, str | int | bool | date]
"""Named parameters; a statement may use some of them, as `@name`."""


FILES_MAX = 10_000
"""How many files one statement may read: what BigQuery takes in one job."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files of newline-delimited JSON where they lie, and the table as which one statement reads them.

    Members of an object that are no columns are passed over. Addresses are those of the world's own stores.
    """

    table: str
    columns: Columns
    addresses: Sequence[str]
    line_bytes_max: int
    """How long the longest line is."""


class Warehouse(Protocol):
    """Runs jobs. Raises TransientError when the same job can succeed later, TerminalError when it cannot."""

    def ensure_table(self, table: str, columns: Columns) -> None:
        """Create a table, and its dataset, where there is none; add the columns that it lacks. Keeps its rows.

        Raises TerminalError naming a column whose type has changed.
        """

    def load(self, table: str, columns: Columns, rows: Path, *, job_id: str, replace: bool) -> int:
        """Load a file of newline-delimited JSON objects in one step, all or nothing, and return the number of rows.

        With `replace` the table, and its columns, become what the file holds; without, the rows are added. An absent or
        null member is NULL.
        """

    def execute(self, sql: str, parameters: Parameters, *, job_id: str) -> None:
        """Run one statement that changes rows, all or nothing."""

    def execute_over(self, sql: str, files: Files, *, job_id: str) -> None:
        """Run one statement that changes rows and reads files as a table, all or nothing; at most FILES_MAX of them.

        The table is there for this statement only.
        """

    def make_view(self, view: str, sql: str, *, replace: bool) -> None:
        """Make a view mean this query, whose rows are computed when it is read; without `replace`, one that is there stays."""

    def query(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        """Yield the rows of a query."""

    def close(self) -> None:
        """Give connections and files back."""
