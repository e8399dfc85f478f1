"""The embedded warehouse: DuckDB runs the GoogleSQL that BigQuery runs."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from shared.adapters.embedded.warehouse import MEMORY_LIMIT, DuckDbWarehouse, render
from shared.domain.errors import TerminalError, TransientError

COLUMNS = {"name": "STRING", "amount_minor": "INT64", "is_open": "BOOL", "day": "DATE"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDbWarehouse]:
    """An empty warehouse."""
    warehouse = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
    yield warehouse
    warehouse.close()


def lines(tmp_path: Path, *rows: object) -> Path:
    """Write rows as newline-delimited JSON."""
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_loads_rows_as_declared(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    """Asiento loads rows with the declared types; what is absent is NULL, and text stays what it was."""
    rows = lines(
        tmp_path,
        {"name": "007", "amount_minor": 9_007_199_254_740_993, "is_open": True, "day": "2026-01-31"},
        {"name": 'line\nbreak "quoted" \u2028 ñandú \U0001f68c', "amount_minor": None},
    )
    assert warehouse.load("staging.things", COLUMNS, rows, job_id="load-1", replace=True) == 2
    assert list(warehouse.query("SELECT * FROM staging.things ORDER BY amount_minor DESC", {})) == [
        {"name": "007", "amount_minor": 9_007_199_254_740_993, "is_open": True, "day": date(2026, 1, 31)},
        {"name": 'line\nbreak "quoted" \u2028 ñandú \U0001f68c', "amount_minor": None, "is_open": None, "day": None},
    ]


def test_replaces_or_adds(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    """Asiento replaces what a table holds, columns included, or adds to it, as it is told."""
    warehouse.load("staging.things", COLUMNS, lines(tmp_path, {"name": "a"}), job_id="load-1", replace=True)
    warehouse.load("staging.things", {"name": "STRING"}, lines(tmp_path, {"name": "b"}), job_id="load-2", replace=True)
    warehouse.load("staging.things", {"name": "STRING"}, lines(tmp_path, {"name": "c"}), job_id="load-3", replace=False)
    assert sorted(str(row) for row in warehouse.query("SELECT * FROM staging.things", {})) == [
        "{'name': 'b'}",
        "{'name': 'c'}",
    ]
    assert warehouse.load("staging.things", {"name": "STRING"}, lines(tmp_path), job_id="load-4", replace=True) == 0
    assert list(warehouse.query("SELECT * FROM staging.things", {})) == []


def test_loads_all_or_nothing(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    """Asiento keeps the former rows when a file cannot be loaded, and does not quote the value at fault."""
    warehouse.load("staging.things", COLUMNS, lines(tmp_path, {"name": "a"}), job_id="load-1", replace=True)
    broken = lines(tmp_path, {"name": "b"}, {"amount_minor": "Juana Pérez"})
    with pytest.raises(TerminalError, match="job load-2") as raised:
        warehouse.load("staging.things", COLUMNS, broken, job_id="load-2", replace=True)
    assert "Juana" not in str(raised.value)
    assert [row["name"] for row in warehouse.query("SELECT name FROM staging.things", {})] == ["a"]


def test_keeps_rows_when_a_table_gains_a_column(warehouse: DuckDbWarehouse) -> None:
    """Asiento adds a new column to a table and keeps its rows; a changed type is refused by name."""
    warehouse.ensure_table("mart.things", {"name": "STRING"})
    warehouse.execute("INSERT INTO mart.things (name) SELECT @name", {"name": "a", "unused": 1}, job_id="write-1")
    warehouse.ensure_table("mart.things", {"name": "STRING", "day": "DATE"})
    assert list(warehouse.query("SELECT * FROM mart.things", {})) == [{"name": "a", "day": None}]
    with pytest.raises(TerminalError, match=r"mart\.things\.day is DATE and its model now says INT64"):
        warehouse.ensure_table("mart.things", {"name": "STRING", "day": "INT64"})


def test_keeps_a_view_or_replaces_it(warehouse: DuckDbWarehouse) -> None:
    """Asiento leaves a view alone unless it is told to replace it."""
    warehouse.make_view("viz.one", "SELECT 1 AS one", replace=False)
    warehouse.make_view("viz.one", "SELECT 2 AS one", replace=False)
    assert list(warehouse.query("SELECT * FROM viz.one", {})) == [{"one": 1}]
    warehouse.make_view("viz.one", "SELECT 3 AS one", replace=True)
    assert list(warehouse.query("SELECT * FROM viz.one", {})) == [{"one": 3}]


def test_streams_answers_while_others_write(warehouse: DuckDbWarehouse) -> None:
    """Asiento reads a long answer in portions, and may write meanwhile."""
    warehouse.ensure_table("mart.things", {"amount_minor": "INT64"})
    rows = warehouse.query("SELECT n AS n FROM UNNEST(GENERATE_ARRAY(1, 5000)) AS n", {})
    first = next(rows)["n"]
    warehouse.execute("INSERT INTO mart.things (amount_minor) SELECT 1", {}, job_id="write-1")
    assert {first, *(row["n"] for row in rows)} == set(range(1, 5_001))


def test_reads_time_without_offset_as_utc(warehouse: DuckDbWarehouse) -> None:
    """Asiento reads a time without an offset as UTC, as BigQuery does, on a machine of any time zone."""
    sql = "SELECT UNIX_MILLIS(CAST('2026-01-05T10:00:00.250' AS TIMESTAMP)) AS ms"
    assert list(warehouse.query(sql, {})) == [{"ms": 1_767_607_200_250}]


def test_cuts_an_instant_to_its_millisecond(warehouse: DuckDbWarehouse) -> None:
    """Asiento counts the milliseconds that have passed at an instant, as BigQuery does, and never one too many."""
    (row,) = warehouse.query("SELECT UNIX_MILLIS(TIMESTAMP('2026-03-01T12:00:00.123999Z')) AS at_ms", {})
    assert row["at_ms"] == 1_772_366_400_123


def test_holds_no_more_than_it_declares(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    """Asiento tells DuckDB how much memory it may hold, and a warehouse that is given less holds less."""
    asked = "SELECT memory_limit AS told FROM pragma_database_size()"
    assert [row["told"] for row in warehouse.query(asked, {})] == ["1.0 GiB"]
    assert MEMORY_LIMIT == "1GiB"
    with closing(DuckDbWarehouse(tmp_path / "tight.duckdb", memory_limit="64MiB")) as tight:
        assert [row["told"] for row in tight.query(asked, {})] == ["64.0 MiB"]


def test_writes_beside_its_file_what_it_may_not_hold(tmp_path: Path) -> None:
    """Asiento tells apart more rows than it may hold, on disk beside the warehouse, and leaves nothing of them there."""
    counted = """
        SELECT COUNT(*) AS names
        FROM (SELECT DISTINCT TO_HEX(MD5(CAST(n AS STRING))) AS name FROM UNNEST(GENERATE_ARRAY(1, 600000)) AS n)
    """
    with closing(DuckDbWarehouse(tmp_path / "tight.duckdb", memory_limit="32MiB")) as tight:
        assert list(tight.query(counted, {})) == [{"names": 600_000}]
    assert [path.name for path in tmp_path.iterdir()] == ["tight.duckdb"]


def test_says_what_does_not_fit(tmp_path: Path) -> None:
    """Asiento names the job that needs more memory than it may have, and what to do."""
    with closing(DuckDbWarehouse(tmp_path / "tight.duckdb", memory_limit="8MiB")) as tight:
        tight.ensure_table("mart.things", {"name": "STRING"})
        whole = "INSERT INTO mart.things (name) SELECT STRING_AGG(CAST(n AS STRING)) FROM UNNEST(GENERATE_ARRAY(1, 3000000)) AS n"
        with pytest.raises(TerminalError, match=r"job write-1 needs more memory .*: raise its limit"):
            tight.execute(whole, {}, job_id="write-1")


@pytest.mark.parametrize(
    "sql",
    ["SELECT nothing FROM nowhere.at_all", "SELECT CAST('Juana Pérez' AS INT64) AS n", "SELEC 1"],
    ids=["table", "value", "syntax"],
)
def test_names_what_failed_and_quotes_no_data(warehouse: DuckDbWarehouse, sql: str) -> None:
    """Asiento raises a terminal error for a statement that can never run, without the data at fault."""
    with pytest.raises(TerminalError) as raised:
        list(warehouse.query(sql, {}))
    assert "Juana" not in str(raised.value)


def test_asks_to_try_again_while_another_process_holds_the_file(tmp_path: Path) -> None:
    """Asiento says to try again while another process has the warehouse open."""
    path = tmp_path / "held.duckdb"
    hold = f"import duckdb; held = duckdb.connect({str(path)!r}); print('held', flush=True); input()"
    with Popen([sys.executable, "-c", hold], stdin=PIPE, stdout=PIPE, text=True) as holder:  # noqa: S603  our own line
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TransientError, match=r"opening held\.duckdb failed on the file, try again"):
            DuckDbWarehouse(path)
        holder.communicate("\n")
    DuckDbWarehouse(path).close()


def test_renders_a_statement_once() -> None:
    """Asiento renders GoogleSQL for DuckDB with its parameters named, and remembers it."""
    rendered, names = render("SELECT CAST(x AS INT64) AS n FROM mart.t WHERE a = @a AND b = @b AND c = @a")
    assert names == ("a", "b")
    assert "BIGINT" in rendered
    assert "$a" in rendered
