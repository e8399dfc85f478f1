"""A warehouse runs GoogleSQL, loads files whole and keeps views: DuckDB in one file, BigQuery in the cloud."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from google.cloud.storage import Client

from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.adapters.google.seal_store import GoogleSealStore
from shared.bi import inputs
from shared.bi.certification import catalog
from shared.bi.inputs import reads_alike
from shared.bi.models import Model
from shared.bi.publication import contents_sql
from shared.bi.sealed_deliveries import COUNT_DELIVERIES, INSERT_SEALED
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import AsientoError, TerminalError
from shared.domain.seals import Contents, segment_line
from shared.pipeline.rebuild_bi import RebuildResult, build_hash
from shared.pipeline.seal import Sealing
from shared.pipeline.seal import seal as seal_hours
from shared.ports.seal_store import SealStore
from shared.ports.warehouse import Files, Parameters, Row, Warehouse
from tests.bi.small_season import AS_OF, B, SmallSeason, SmallWorld, ticket
from tests.conformance.samples import NOON, delivery
from tests.conformance.seals import seal
from tests.emulators.bigquery import BigQueryEmulator
from tests.emulators.bigquery_fixtures import (  # noqa: F401  pytest finds fixtures by their names
    OpenWarehouse,
    _bigquery_server,
    bigquery,
    open_warehouse,
)
from tests.emulators.fixtures import QUICK
from tests.emulators.storage import StorageEmulator

COLUMNS = {"name": "STRING", "amount_minor": "INT64", "is_open": "BOOL", "day": "DATE"}
LARGEST_MINOR = 9_007_199_254_740_991
"""As large as an integer in a loaded file may be: beyond it BigQuery reads JSON numbers as floats."""


@pytest.fixture
def warehouse(world: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """An empty warehouse."""
    if world == "embedded":
        embedded = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
        yield embedded
        embedded.close()
    else:
        yield request.getfixturevalue("open_warehouse")()


@pytest.fixture
def google_seals(
    bigquery: BigQueryEmulator,  # noqa: F811  a fixture
    storage: StorageEmulator,
    storage_client: Client,
    bucket: str,
) -> GoogleSealStore:
    """A seal store on the bucket of a project whose BigQuery loads from there."""
    bigquery.jobs.buckets = storage.buckets
    return GoogleSealStore(storage_client, bucket, QUICK)


@pytest.fixture
def files(world: str, request: pytest.FixtureRequest) -> SealStore:
    """A seal store whose segments the warehouse can reach."""
    store: SealStore = request.getfixturevalue("google_seals" if world == "google" else "seal_store")
    return store


def lines(tmp_path: Path, *rows: object) -> Path:
    """Write rows as newline-delimited JSON."""
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_loads_rows_as_declared(warehouse: Warehouse, tmp_path: Path) -> None:
    """Asiento loads rows with the declared types; what is absent is NULL, and text stays what it was."""
    odd = 'line\nbreak "quoted" \u2028 ñandú \U0001f68c'
    rows = lines(
        tmp_path,
        {"name": "007", "amount_minor": LARGEST_MINOR, "is_open": True, "day": "2026-01-31"},
        {"name": odd, "amount_minor": None},
    )
    assert warehouse.load("staging.things", COLUMNS, rows, job_id="load-1", replace=True) == 2
    assert list(warehouse.query("SELECT * FROM staging.things ORDER BY amount_minor DESC", {})) == [
        {"name": "007", "amount_minor": LARGEST_MINOR, "is_open": True, "day": date(2026, 1, 31)},
        {"name": odd, "amount_minor": None, "is_open": None, "day": None},
    ]


def test_replaces_or_adds(warehouse: Warehouse, tmp_path: Path) -> None:
    """Asiento replaces what a table holds, columns included, or adds to it, as it is told."""
    name = {"name": "STRING"}
    warehouse.load("staging.things", COLUMNS, lines(tmp_path, {"name": "a"}), job_id="load-1", replace=True)
    warehouse.load("staging.things", name, lines(tmp_path, {"name": "b"}), job_id="load-2", replace=True)
    assert warehouse.load("staging.things", name, lines(tmp_path, {"name": "c"}), job_id="load-3", replace=False) == 1
    assert list(warehouse.query("SELECT * FROM staging.things ORDER BY name", {})) == [{"name": "b"}, {"name": "c"}]
    assert warehouse.load("staging.things", name, lines(tmp_path), job_id="load-4", replace=True) == 0
    assert list(warehouse.query("SELECT * FROM staging.things", {})) == []


def test_loads_all_or_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    """Asiento keeps the former rows when a file cannot be loaded, and does not quote the value at fault."""
    warehouse.load("staging.things", COLUMNS, lines(tmp_path, {"name": "a"}), job_id="load-1", replace=True)
    broken = lines(tmp_path, {"name": "b"}, {"amount_minor": "Juana Pérez"})
    with pytest.raises(TerminalError, match="job load-2") as raised:
        warehouse.load("staging.things", COLUMNS, broken, job_id="load-2", replace=True)
    assert "Juana" not in str(raised.value)
    assert [row["name"] for row in warehouse.query("SELECT name FROM staging.things", {})] == ["a"]


def test_keeps_rows_when_a_table_gains_a_column(warehouse: Warehouse) -> None:
    """Asiento adds a new column to a table and keeps its rows; a changed type is refused by name."""
    warehouse.ensure_table("mart.things", {"name": "STRING", "is_open": "BOOL"})
    warehouse.execute("INSERT INTO mart.things (name) SELECT @name", {"name": "a", "unused": 1}, job_id="write-1")
    wider = {"name": "STRING", "is_open": "BOOL", "day": "DATE", "amount_minor": "INT64"}
    for _ in range(2):
        warehouse.ensure_table("mart.things", wider)
        assert list(warehouse.query("SELECT * FROM mart.things", {})) == [
            {"name": "a", "is_open": None, "day": None, "amount_minor": None}
        ]
    with pytest.raises(TerminalError, match=r"mart\.things\.day is DATE and its model now says INT64"):
        warehouse.ensure_table("mart.things", {**wider, "day": "INT64"})


def test_keeps_a_view_or_replaces_it(warehouse: Warehouse) -> None:
    """Asiento leaves a view alone unless it is told to replace it; a view shows what its tables hold when it is read."""
    warehouse.ensure_table("mart.things", {"name": "STRING"})
    warehouse.make_view("viz.things", "SELECT name FROM mart.things", replace=False)
    warehouse.make_view("viz.things", "SELECT 2 AS two", replace=False)
    warehouse.execute("INSERT INTO mart.things (name) SELECT 'a'", {}, job_id="write-1")
    assert list(warehouse.query("SELECT * FROM viz.things", {})) == [{"name": "a"}]
    warehouse.make_view("viz.things", "SELECT 3 AS three", replace=True)
    assert list(warehouse.query("SELECT * FROM viz.things", {})) == [{"three": 3}]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("STRING", 'it\'s "x" ñ'), ("INT64", -LARGEST_MINOR), ("BOOL", False), ("DATE", date(2024, 2, 29))],
    ids=["text", "number", "truth", "day"],
)
def test_passes_parameters_as_values(warehouse: Warehouse, kind: str, value: str | int | date) -> None:
    """Asiento passes every kind of parameter as a value, never as text of a statement."""
    warehouse.ensure_table("mart.things", {"value": kind})
    warehouse.execute("INSERT INTO mart.things (value) SELECT @value", {"value": value}, job_id="write-1")
    found = list(warehouse.query("SELECT value, value = @value AS same FROM mart.things", {"value": value}))
    assert found == [{"value": value, "same": True}]


def test_reads_a_long_answer_while_others_write(warehouse: Warehouse) -> None:
    """Asiento reads a long answer in portions, and may write meanwhile."""
    warehouse.ensure_table("mart.things", {"amount_minor": "INT64"})
    rows = warehouse.query("SELECT n AS n FROM UNNEST(GENERATE_ARRAY(1, 12000)) AS n", {})
    first = next(rows)["n"]
    warehouse.execute("INSERT INTO mart.things (amount_minor) SELECT 1", {}, job_id="write-1")
    assert {first, *(row["n"] for row in rows)} == set(range(1, 12_001))


def test_reads_time_without_offset_as_utc(warehouse: Warehouse) -> None:
    """Asiento reads a time without an offset as UTC."""
    sql = "SELECT UNIX_MILLIS(CAST('2026-01-05T10:00:00.250' AS TIMESTAMP)) AS ms"
    assert list(warehouse.query(sql, {})) == [{"ms": 1_767_607_200_250}]


def test_publishes_in_one_statement(warehouse: Warehouse) -> None:
    """Asiento changes and adds rows in one statement, all or nothing: one that breaks half-way has changed no row."""
    warehouse.ensure_table("mart.things", {"name": "STRING", "amount_minor": "INT64"})
    merge = """
        MERGE mart.things AS there USING (
          SELECT 'a' AS name, '1' AS amount UNION ALL SELECT 'b', @amount
        ) AS given
        ON there.name = given.name
        WHEN MATCHED THEN UPDATE SET amount_minor = CAST(given.amount AS INT64)
        WHEN NOT MATCHED THEN INSERT (name, amount_minor) VALUES (given.name, CAST(given.amount AS INT64))
    """
    warehouse.execute("INSERT INTO mart.things (name, amount_minor) SELECT 'a', 0", {}, job_id="write-1")
    with pytest.raises(TerminalError) as raised:
        warehouse.execute(merge, {"amount": "Juana Pérez"}, job_id="merge-1")
    assert "Juana" not in str(raised.value)
    assert list(warehouse.query("SELECT * FROM mart.things", {})) == [{"name": "a", "amount_minor": 0}]
    warehouse.execute(merge, {"amount": "2"}, job_id="merge-2")
    assert list(warehouse.query("SELECT * FROM mart.things ORDER BY name", {})) == [
        {"name": "a", "amount_minor": 1},
        {"name": "b", "amount_minor": 2},
    ]


@pytest.mark.parametrize("sql", ["SELECT nothing FROM nowhere.at_all", "SELEC 1"], ids=["table", "syntax"])
def test_refuses_what_can_never_run(warehouse: Warehouse, sql: str) -> None:
    """Asiento raises a terminal error for a statement that can never run."""
    with pytest.raises(TerminalError):
        list(warehouse.query(sql, {}))


# --- the BI layer -----------------------------------------------------------------------------------------------------


def season_in_doubt(world: SmallWorld) -> None:
    """Let the season happen, and of unit B a fare that one path misreads and a ticket without its sale; and a riddle."""
    season = SmallSeason()
    orphan = ticket("T8", "S8", B, 100, "2026-02-09 10:00", "2026-02-11 08:00")
    season.platform("orphan", "ticket.created", "2026-02-09 10:00", orphan)
    odd = ticket("T9", "S9", "unit-b-of-the-odd-event", 100, "2026-02-10 10:00", "2026-02-12 08:00")
    season.platform("odd", "ticket.exploded", "2026-02-10 10:00", odd)
    season.tell_of_seats_and_settlements()
    world.misread(
        "betterez",
        lambda values: {**values, "fare_minor": 300_051} if values.get("fare_minor") == 300_050 else values,
    )
    world.keep_and_derive(season.deliveries)


def contents(warehouse: Warehouse, model: Model) -> list[Row]:
    """Return every row of a model as of the build, in an order of its own."""
    return list(warehouse.query(contents_sql(model), {"build_id": "build-1"}))


def judgements(result: RebuildResult) -> list[tuple[object, ...]]:
    """Return what a build says of each month, to the last figure and difference."""
    return [(each.grain, each.passed, each.figures, each.differences) for each in (*result.certified, *result.refused)]


def traced(warehouse: Warehouse) -> dict[tuple[str, str], list[Row]]:
    """Return the way back from every figure of every row of viz."""
    ways: dict[tuple[str, str], list[Row]] = {}
    for model in catalog():
        for row in contents(warehouse, model) if model.traces else ():
            named: Parameters = {name: value for name, value in row.items() if value is not None}
            for trace in model.traces:
                ways[trace.figure, str(row)] = list(warehouse.query(trace.sql, named))
    return ways


# One test, so that parallel workers rebuild once.
def test_derives_the_same_on_both_engines(
    tmp_path: Path,
    open_warehouse: OpenWarehouse,  # noqa: F811  a fixture
    google_seals: GoogleSealStore,
) -> None:
    """Asiento derives, judges, publishes and traces one season alike on DuckDB and on BigQuery's SQL, row by row.

    One of them reads every delivery by itself, the other loads those that are sealed from a bucket.
    """
    world = SmallWorld(tmp_path)
    season_in_doubt(world)
    embedded, google = world.warehouse, open_warehouse()
    assert seal_hours(Sealing(world.raw, google_seals, "code-of-the-test"), AS_OF - timedelta(days=20))
    by_embedded = world.rebuild("build-1")
    by_google = world.rebuild("build-1", warehouse=google, seals=google_seals)

    assert (by_google.raw_count, by_google.raw_digest) == (by_embedded.raw_count, by_embedded.raw_digest)
    assert judgements(by_google) == judgements(by_embedded)
    assert by_google.shadows == by_embedded.shadows
    assert by_embedded.shadows
    assert len(by_embedded.certified) >= 2
    assert len({difference.check for each in by_embedded.refused for difference in each.differences}) >= 3
    for model in catalog():
        assert contents(google, model) == contents(embedded, model), model.name
    assert traced(google) == traced(embedded)
    assert len(traced(embedded)) >= 4
    assert build_hash(google, "build-1") == build_hash(embedded, "build-1")
    world.close()


def came(number: int, body: bytes, channel: Channel = Channel.WEBHOOK, **changes: object) -> Delivery:
    """Return a delivery of a time and target that could be read in more than one way."""
    odd = {"target": "/betterez?x=ñ&y='\\", "received_at": NOON + timedelta(microseconds=999_999), **changes}
    return replace(delivery(number, body=body, channel=channel), **odd)  # type: ignore[arg-type]  # fields that there are


def kept(seals: SealStore, tmp_path: Path, deliveries: Sequence[Delivery], sequence: int = 1) -> str:
    """Keep deliveries as a segment, each said to be what it is, and return where it lies."""
    segment = tmp_path / "segment.ndjson"
    segment.write_bytes(b"".join(segment_line(each, is_json=reads_alike(each.body)) for each in deliveries))
    digest = sha256(segment.read_bytes()).hexdigest()
    sealed = seal(sequence, contents=Contents(len(deliveries), 0, "ab" * 32, digest))
    seals.keep(sealed, segment)
    return seals.address(sealed)


def over(*addresses: str) -> Files:
    """Return segments as the table that the statement reads."""
    return Files(inputs.SEGMENT.name, inputs.SEGMENT.columns, addresses, 64)


def test_loads_segments_where_they_lie(warehouse: Warehouse, files: SealStore, tmp_path: Path) -> None:
    """Asiento makes of the lines of segments the very rows that it writes of deliveries one by one."""
    bodies = ('{"name":"Ñandú 🚌 \\ud83d\\ude8c","n":1}', "[]", '{"a":1,"a":2}', "NaN", "día,importe", "", '"\\ud800"')
    hour = [came(number, body.encode(), list(Channel)[number % 4]) for number, body in enumerate(bodies)]
    later = [came(90, b"\xff\x00{}"), came(91, b'{"late": true}', received_at=NOON - timedelta(microseconds=1))]
    addresses = [kept(files, tmp_path, part, number) for number, part in enumerate((hour, later), start=1)]
    warehouse.ensure_table(inputs.DELIVERIES.name, inputs.DELIVERIES.columns)
    warehouse.execute_over(INSERT_SEALED, over(*addresses), job_id="load-segments")
    rows = list(warehouse.query("SELECT * FROM staging.deliveries ORDER BY delivery_id", {}))
    assert rows == sorted(map(inputs.delivery_row, hour + later), key=lambda row: str(row["delivery_id"]))
    assert [row["body"] is None for row in rows].count(True) == 6
    with pytest.raises(AsientoError):
        list(warehouse.query("SELECT * FROM staging.segment_line", {}))


def test_adds_what_it_loads_where_it_lies(warehouse: Warehouse, files: SealStore, tmp_path: Path) -> None:
    """Asiento adds the lines of one statement to those of another, and passes over lines that do not say what they are."""
    warehouse.ensure_table(inputs.DELIVERIES.name, inputs.DELIVERIES.columns)
    first, second = (kept(files, tmp_path, [came(number, b"{}")], number) for number in (1, 2))
    old = came(3, b"{}")
    segment = tmp_path / "segment.ndjson"
    segment.write_bytes(segment_line(old, is_json=True).replace(b'"json":', b'"body":'))
    sealed = seal(3, contents=Contents(1, 0, "ab" * 32, sha256(segment.read_bytes()).hexdigest()))
    files.keep(sealed, segment)
    warehouse.execute_over(INSERT_SEALED, over(first), job_id="load-1")
    warehouse.execute_over(INSERT_SEALED, over(second, files.address(sealed)), job_id="load-2")
    assert list(warehouse.query(COUNT_DELIVERIES, {})) == [{"deliveries": 2}]


def test_adds_nothing_where_one_file_is_gone(warehouse: Warehouse, files: SealStore, tmp_path: Path) -> None:
    """Asiento adds the lines of all files or of none."""
    warehouse.ensure_table(inputs.DELIVERIES.name, inputs.DELIVERIES.columns)
    there = kept(files, tmp_path, [came(1, b"{}")])
    with pytest.raises(AsientoError):
        warehouse.execute_over(INSERT_SEALED, over(there, files.address(seal(2))), job_id="load-1")
    assert list(warehouse.query(COUNT_DELIVERIES, {})) == [{"deliveries": 0}]


def test_loads_a_line_as_long_as_a_file(warehouse: Warehouse, files: SealStore, tmp_path: Path) -> None:
    """Asiento loads a segment that holds a report of many megabytes."""
    warehouse.ensure_table(inputs.DELIVERIES.name, inputs.DELIVERIES.columns)
    long = came(1, b"a,b\n" * 4_000_000, Channel.FILE)
    address = kept(files, tmp_path, [long, came(2, b"{}")])
    there = replace(over(address), line_bytes_max=len(segment_line(long, is_json=False)))
    warehouse.execute_over(INSERT_SEALED, there, job_id="load-1")
    assert list(warehouse.query(COUNT_DELIVERIES, {})) == [{"deliveries": 2}]
