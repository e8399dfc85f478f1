"""Rebuild: the whole BI layer with its checks and certificates, beside the same statements run bare in DuckDB."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.recorded import RecordingConnection
from benchmarks.samples import Sample
from benchmarks.templates import KEYS
from local.demo.homes import opened
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.pipeline.rebuild_bi import rebuild
from shared.runtime import wiring
from shared.runtime.ids import new_delivery_id

EXPORTED = ("staging", "certificates")
"""What the models read and do not make: the peers are given it ready, as tables."""


def rebuilt(home: str, folder: str) -> Sample:
    """Rebuild from a home into a new warehouse, as a warm door does, and keep what was asked of DuckDB in a folder."""
    with TemporaryDirectory() as empty, opened(Path(empty), KEYS) as parts:
        now = datetime.now(UTC)
        rebuild(wiring.rebuilding(parts), build_id=new_delivery_id(now), as_of=now)
    return rebuilt_first(home, folder)


def rebuilt_first(home: str, folder: str) -> Sample:
    """Do the same as the first rebuild of a process, which also reads the models and renders every statement."""
    files, now = Path(folder) / "files", datetime.now(UTC)
    files.mkdir(parents=True)
    with opened(Path(home), KEYS) as parts:
        warehouse = DuckDbWarehouse(Path(folder) / "warehouse.duckdb")
        recording = RecordingConnection(warehouse._connection, files)  # noqa: SLF001  below the port is where it listens
        warehouse._connection = recording  # type: ignore[assignment]  # noqa: SLF001  same
        world = replace(wiring.rebuilding(parts), warehouse=warehouse)
        started_ns = time.perf_counter_ns()
        result = rebuild(world, build_id=new_delivery_id(now), as_of=now)
        elapsed_ns = time.perf_counter_ns() - started_ns
        warehouse.close()
    Path(folder, "script.json").write_text(json.dumps(recording.script, default=str), encoding="utf-8")
    more = {"durations_ms": dict(result.durations_ms), "build_id": result.build_id, "certified": len(result.certified)}
    return Sample(result.raw_count, elapsed_ns, more=more)


def exported(folder: Path) -> Path:
    """Write the tables that the models read as Parquet: any version of any peer's DuckDB reads it."""
    target = folder / "sources"
    target.mkdir(exist_ok=True)
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as warehouse:
        tables = warehouse.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        for schema, table in tables:
            if schema in EXPORTED:
                # Names of tables are ours, the path is this run's.
                warehouse.execute(f"COPY {schema}.{table} TO '{target / f'{schema}.{table}.parquet'}'")
    return target


def values_of(folder: Path) -> dict[str, str | int]:
    """Return what the models of a recorded rebuild asked for, by name."""
    script = json.loads(Path(folder, "script.json").read_text(encoding="utf-8"))
    values: dict[str, str | int] = {}
    for _, parameters in script:
        if isinstance(parameters, dict):
            values |= parameters
    return values


def loading_ns(sample: Sample) -> int:
    """Return the part of a rebuild that loads raw store, ledger and casebook."""
    durations = sample.more["durations_ms"].items()
    return int(sum(ms for step, ms in durations if step.startswith("load_"))) * 1_000_000
