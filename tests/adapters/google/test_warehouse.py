"""Asiento's warehouse on BigQuery: a job of one name runs once, whatever fails, and none reads more than it may."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest

from shared.adapters.google.warehouse import BYTES_BILLED_MAX, GoogleWarehouse, _errors
from shared.domain.errors import TerminalError, TransientError
from tests.emulators.bigquery import BigQueryEmulator
from tests.emulators.bigquery_fixtures import (  # noqa: F401  pytest finds fixtures by their names
    LOCATION,
    OpenWarehouse,
    _bigquery_server,
    bigquery,
    open_warehouse,
)
from tests.emulators.faults import Fault
from tests.emulators.fixtures import HURRIED

# ruff: noqa: F811  fixtures are named by their arguments

NAME = {"name": "STRING"}
ADD_A = "INSERT INTO mart.things (name) SELECT 'a'"
PASSING = (Fault.UNAVAILABLE, Fault.TOO_MANY_REQUESTS, Fault.INTERNAL, Fault.DEADLINE_EXCEEDED, Fault.ANSWER_LOST)
BACKEND_ERROR = {"reason": "backendError", "message": "Error encountered during execution. Retrying may solve it."}
CONTENDED = {
    "reason": "invalidQuery",
    "message": "Could not serialize access to table mart.things due to concurrent update",
}


@pytest.fixture
def warehouse(open_warehouse: OpenWarehouse) -> GoogleWarehouse:
    """A warehouse with one empty table, `mart.things`."""
    opened = open_warehouse()
    opened.ensure_table("mart.things", NAME)
    return opened


def names(warehouse: GoogleWarehouse, table: str = "mart.things") -> list[Any]:
    """Return what is in a table."""
    return [row["name"] for row in warehouse.query(f"SELECT name FROM {table} ORDER BY name", {})]  # noqa: S608  known


def line(tmp_path: Path, name: str) -> Path:
    """Write one row."""
    path = tmp_path / f"{name}.ndjson"
    path.write_text(json.dumps({"name": name}) + "\n", encoding="utf-8")
    return path


def jobs_of(warehouse: GoogleWarehouse, bigquery: BigQueryEmulator) -> dict[str, dict[str, Any]]:
    """Return the configuration of every job of a warehouse, by name."""
    project = warehouse._client.project
    return {name: job["configuration"] for (of, name), job in bigquery.jobs.resources.items() if of == project}


def test_runs_a_job_of_one_name_once(warehouse: GoogleWarehouse, open_warehouse: OpenWarehouse) -> None:
    """Asiento runs a statement once under one name, though another run of the step asks for it again."""
    warehouse.execute(ADD_A, {}, job_id="write-1")
    open_warehouse().execute(ADD_A, {}, job_id="write-1")
    assert names(warehouse) == ["a"]
    warehouse.execute(ADD_A, {}, job_id="write-2")
    assert names(warehouse) == ["a", "a"]


def test_loads_a_file_of_one_name_once(
    warehouse: GoogleWarehouse, open_warehouse: OpenWarehouse, tmp_path: Path
) -> None:
    """Asiento adds the rows of a file once under one name, and counts them again for whoever asks again."""
    for each in (warehouse, open_warehouse()):
        assert each.load("mart.things", NAME, line(tmp_path, "a"), job_id="load-1", replace=False) == 1
    assert names(warehouse) == ["a"]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("method", ["jobs.insert", "jobs.get", "jobs.getQueryResults", "tables.get", "datasets.get"])
def test_bears_a_fault_at_any_call(
    warehouse: GoogleWarehouse, bigquery: BigQueryEmulator, open_warehouse: OpenWarehouse, method: str, fault: Fault
) -> None:
    """Asiento bears two faults in a row at any call of a step, and the step has run once."""
    if method == "jobs.get":  # asked only where the name is taken
        warehouse.execute(ADD_A, {}, job_id="write-1")
    bigquery.clear()
    bigquery.faults.plan(method, fault, times=2)
    retried = open_warehouse()
    retried.ensure_table("mart.things", NAME)
    retried.execute(ADD_A, {}, job_id="write-1")
    assert names(retried) == ["a"]
    assert bigquery.faults.struck[method] == 2


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.ANSWER_LOST], ids=lambda fault: fault.name.lower())
def test_bears_a_fault_of_an_upload(
    warehouse: GoogleWarehouse, bigquery: BigQueryEmulator, tmp_path: Path, fault: Fault
) -> None:
    """Asiento sends a file again when its upload fails or its answer is lost, and its rows are there once."""
    bigquery.faults.plan("jobs.upload", fault)
    assert warehouse.load("mart.things", NAME, line(tmp_path, "a"), job_id="load-1", replace=False) == 1
    assert bigquery.faults.struck["jobs.upload"] == 1
    assert names(warehouse) == ["a"]


def test_survives_an_outage(
    warehouse: GoogleWarehouse, bigquery: BigQueryEmulator, open_warehouse: OpenWarehouse
) -> None:
    """Asiento says to try again after an outage that swallowed every answer; the retried step finds that it has run."""
    bigquery.faults.plan("jobs.insert", Fault.ANSWER_LOST, times=1)
    bigquery.faults.plan("jobs.insert", Fault.UNAVAILABLE, times=500)
    with pytest.raises(TransientError, match=r"job write-1: .* try again later"):
        open_warehouse(HURRIED).execute(ADD_A, {}, job_id="write-1")
    bigquery.clear()
    warehouse.execute(ADD_A, {}, job_id="write-1")
    assert names(warehouse) == ["a"]


@pytest.mark.parametrize("error", [BACKEND_ERROR, CONTENDED], ids=["backend", "contended"])
def test_follows_a_job_that_failed_by_no_fault_of_its_own(
    warehouse: GoogleWarehouse, bigquery: BigQueryEmulator, open_warehouse: OpenWarehouse, error: dict[str, str]
) -> None:
    """Asiento begins a successor where a job failed in passing, and a retried step finds the one that succeeded."""
    bigquery.jobs.failures += [error, error]
    warehouse.execute(ADD_A, {}, job_id="write-1")
    open_warehouse().execute(ADD_A, {}, job_id="write-1")
    assert names(warehouse) == ["a"]
    written = [name for name in jobs_of(warehouse, bigquery) if name.startswith("write")]
    assert written == ["write-1", "write-1-2", "write-1-3"]


def test_gives_up_after_three_failures_and_goes_on_from_there(
    warehouse: GoogleWarehouse, bigquery: BigQueryEmulator, open_warehouse: OpenWarehouse
) -> None:
    """Asiento gives a step back as passing when three of its jobs fail; tried again, it begins the fourth."""
    bigquery.jobs.failures += [BACKEND_ERROR] * 3
    with pytest.raises(TransientError, match=r"job write-1-3: .* contended \(backendError\)"):
        warehouse.execute(ADD_A, {}, job_id="write-1")
    open_warehouse().execute(ADD_A, {}, job_id="write-1")
    assert names(warehouse) == ["a"]
    assert "write-1-4" in jobs_of(warehouse, bigquery)


def test_tries_a_query_again_that_failed_in_passing(warehouse: GoogleWarehouse, bigquery: BigQueryEmulator) -> None:
    """Asiento asks again where a query failed by no fault of its own."""
    warehouse.execute(ADD_A, {}, job_id="write-1")
    bigquery.jobs.failures += [BACKEND_ERROR]
    assert names(warehouse) == ["a"]


def test_remembers_a_failure(warehouse: GoogleWarehouse, open_warehouse: OpenWarehouse) -> None:
    """Asiento does not run again what cannot succeed: a retried step is told the failure of the first."""
    for each in (warehouse, open_warehouse()):
        with pytest.raises(TerminalError, match="job write-1 failed"):
            each.execute("INSERT INTO mart.later (name) SELECT 'a'", {}, job_id="write-1")
        warehouse.ensure_table("mart.later", NAME)


def test_refuses_a_name_that_meant_something_else(warehouse: GoogleWarehouse, tmp_path: Path) -> None:
    """Asiento refuses a job whose name was used for another statement, other parameters or another file."""
    adding = "INSERT INTO mart.things (name) SELECT @name"
    warehouse.execute(adding, {"name": "a"}, job_id="write-1")
    with pytest.raises(TerminalError, match="job write-1 was begun for something else"):
        warehouse.execute(adding, {"name": "b"}, job_id="write-1")
    warehouse.load("mart.things", NAME, line(tmp_path, "c"), job_id="load-1", replace=False)
    with pytest.raises(TerminalError, match="job load-1 was begun for something else"):
        warehouse.load("mart.things", NAME, line(tmp_path, "d"), job_id="load-1", replace=False)
    assert names(warehouse) == ["a", "c"]


def test_puts_a_ceiling_and_labels_on_every_job(
    warehouse: GoogleWarehouse, bigquery: BigQueryEmulator, tmp_path: Path
) -> None:
    """Asiento labels every job as its own and puts a ceiling on what every statement may read."""
    warehouse.load("mart.things", NAME, line(tmp_path, "a"), job_id="load-1", replace=True)
    warehouse.execute(ADD_A, {}, job_id="write-1")
    warehouse.make_view("viz.things", "SELECT name FROM mart.things", replace=True)
    assert names(warehouse, "viz.things") == ["a", "a"]
    jobs = jobs_of(warehouse, bigquery).values()
    statements = [job for job in jobs if "query" in job]
    assert len(jobs) == 4
    assert len(statements) == 3
    assert {job["labels"]["application"] for job in jobs} == {"asiento"}
    assert {job["query"]["maximumBytesBilled"] for job in statements} == {str(BYTES_BILLED_MAX)}
    assert all(job["query"]["useLegacySql"] is False for job in statements)


def test_makes_datasets_where_it_is_told(warehouse: GoogleWarehouse, bigquery: BigQueryEmulator) -> None:
    """Asiento makes a dataset in its own location, once; where there is one, it needs no right to make any."""
    assert warehouse._client.get_dataset("mart").location == LOCATION
    bigquery.clear()
    again = GoogleWarehouse(warehouse._client)
    again.ensure_table("mart.things", NAME)
    again.ensure_table("mart.others", NAME)
    assert bigquery.faults.calls["datasets.get"] == 1
    assert bigquery.faults.calls["datasets.insert"] == 0


def test_bears_that_another_adds_a_column_meanwhile(
    warehouse: GoogleWarehouse, open_warehouse: OpenWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento says to try again where another run has changed a table that it was about to widen, and overwrites nothing."""
    client, narrow, wide = warehouse._client, {**NAME, "is_open": "BOOL"}, {**NAME, "day": "DATE"}
    update_table = client.update_table

    def second(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        open_warehouse().ensure_table("mart.things", wide)
        return update_table(*args, **kwargs)

    monkeypatch.setattr(client, "update_table", second)
    with pytest.raises(TransientError, match=r"adding is_open to mart\.things"):
        warehouse.ensure_table("mart.things", narrow)
    warehouse.ensure_table("mart.things", narrow)
    warehouse.execute("INSERT INTO mart.things (day) SELECT DATE '2026-01-31'", {}, job_id="write-1")
    rows = list(warehouse.query("SELECT * FROM mart.things", {}))
    assert rows == [{"name": None, "day": date(2026, 1, 31), "is_open": None}]


def test_names_the_role_that_is_missing(warehouse: GoogleWarehouse, bigquery: BigQueryEmulator) -> None:
    """Asiento names the roles to grant where it is not allowed to run a job."""
    bigquery.faults.plan("jobs.insert", Fault.PERMISSION_DENIED)
    with pytest.raises(TerminalError, match=r"roles/bigquery\.jobUser on the project"):
        warehouse.execute(ADD_A, {}, job_id="write-1")


def test_quotes_no_data(warehouse: GoogleWarehouse) -> None:
    """Asiento keeps what a failing statement had before it out of the error and out of the traceback."""
    warehouse.execute("INSERT INTO mart.things (name) SELECT @name", {"name": "Juana Pérez"}, job_id="write-1")
    with pytest.raises(TerminalError, match="a query failed") as raised:
        list(warehouse.query("SELECT CAST(name AS INT64) AS n FROM mart.things", {}))
    assert "Juana" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Unrecognized name: nothing at [1:8]; reason: invalidQuery", "Unrecognized name: nothing at [1:8]"),
        ("POST https://bigquery.example/jobs?a=b: Syntax error: Expected end of input\n\nLocation: US", "Syntax error"),
        ("Query exceeded limit for bytes billed: 10. 20 or higher required.", "limit for bytes billed: 10"),
        ("Bad int64 value: Juana; Not found: Juana", "refused on the data (invalidQuery)"),
        ("POST https://bigquery.example/jobs: Could not cast literal 'Juana'", "refused on the data (invalidQuery)"),
    ],
    ids=["analysis", "at once", "ceiling", "value", "literal"],
)
def test_passes_on_what_speaks_of_names(said: str, told: str) -> None:
    """Asiento passes on what BigQuery says of names, syntax and limits, and nothing else that it says."""
    with pytest.raises(TerminalError) as raised, _errors("job write-1"):
        raise BadRequest(said, errors=[{"reason": "invalidQuery"}])  # type: ignore[no-untyped-call] # the library declares no types here
    assert told in str(raised.value)
    assert "Juana" not in str(raised.value)


@pytest.mark.parametrize("answer", ["1.5", "[1]", "TIMESTAMP_MILLIS(0)"], ids=["decimal", "array", "instant"])
def test_refuses_a_type_that_no_cell_has(warehouse: GoogleWarehouse, answer: str) -> None:
    """Asiento takes no float for money: a query that answers with another type than those of the models is refused."""
    with pytest.raises(TerminalError, match="a query answers odd with a type that no cell has"):
        list(warehouse.query(f"SELECT {answer} AS odd", {}))


def test_sends_a_large_file_again(warehouse: GoogleWarehouse, bigquery: BigQueryEmulator, tmp_path: Path) -> None:
    """Asiento opens an upload for a file of more than ten megabytes, and sends again only what did not arrive."""
    path = tmp_path / "large.ndjson"
    path.write_text("".join(json.dumps({"name": str(n) * 1_000_000}) + "\n" for n in range(12)), encoding="utf-8")
    bigquery.faults.plan("jobs.upload", Fault.UNAVAILABLE, after=1)
    assert warehouse.load("mart.things", NAME, path, job_id="load-1", replace=True) == 12
    assert bigquery.faults.calls["jobs.upload"] == 3
    lengths = warehouse.query("SELECT MIN(LENGTH(name)) AS least, MAX(LENGTH(name)) AS most FROM mart.things", {})
    assert list(lengths) == [{"least": 1_000_000, "most": 2_000_000}]
