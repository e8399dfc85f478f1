"""Rebuild: the whole BI layer with its checks and certificates, beside the same statements run bare in DuckDB."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from benchmarks.derive import KEYS, deliveries_of
from local import line
from local.demo.homes import opened
from shared.adapters.embedded.warehouse import DuckDbWarehouse, render
from shared.pipeline.rebuild_bi import rebuild
from shared.ports.warehouse import Columns, Parameters
from shared.runtime import wiring

Bare = Callable[[duckdb.DuckDBPyConnection], object]


class Recorder(DuckDbWarehouse):
    """The warehouse, which also remembers what was asked of DuckDB, so that it can be asked again without us."""

    def __init__(self, path: Path, files: Path) -> None:
        """Open it; loaded files are copied to `files`."""
        super().__init__(path)
        self._files = files
        self.statements: list[Bare] = []

    def load(self, table: str, columns: Columns, rows: Path, *, job_id: str, replace: bool) -> int:
        """Load, and remember the file."""
        copy = self._files / f"{len(self.statements)}.ndjson"
        shutil.copy(rows, copy)
        types = ", ".join(f"'{name}': '{_TYPES[kind]}'" for name, kind in columns.items())
        declared = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in columns.items())
        if replace or not copy.stat().st_size:
            self._remember(f"CREATE OR REPLACE TABLE {table} ({declared})", {})
        if copy.stat().st_size:
            source = f"read_json(?, format = 'newline_delimited', columns = {{{types}}}, maximum_object_size = 8388608)"
            self._remember(f"INSERT INTO {table} BY NAME SELECT * FROM {source}", [str(copy)])  # noqa: S608  tables of ours
        return super().load(table, columns, rows, job_id=job_id, replace=replace)

    def ensure_table(self, table: str, columns: Columns) -> None:
        """Make a table, and remember it."""
        declared = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in columns.items())
        self._remember(f"CREATE SCHEMA IF NOT EXISTS {table.partition('.')[0]}", {})
        self._remember(f"CREATE TABLE IF NOT EXISTS {table} ({declared})", {})
        super().ensure_table(table, columns)

    def execute(self, sql: str, parameters: Parameters, *, job_id: str) -> None:
        """Run, and remember the rendered statement."""
        self._remember_rendered(sql, parameters)
        super().execute(sql, parameters, job_id=job_id)

    def query(self, sql: str, parameters: Parameters) -> Any:
        """Query, and remember the rendered statement."""
        self._remember_rendered(sql, parameters)
        return super().query(sql, parameters)

    def make_view(self, view: str, sql: str, *, replace: bool) -> None:
        """Make a view, and remember it."""
        self._remember(f"CREATE SCHEMA IF NOT EXISTS {view.partition('.')[0]}", {})
        self._remember(f"CREATE OR REPLACE VIEW {view} AS {render(sql)[0]}", {})
        super().make_view(view, sql, replace=replace)

    def _remember_rendered(self, sql: str, parameters: Parameters) -> None:
        rendered, names = render(sql)
        self._remember(rendered, {name: parameters[name] for name in names})

    def _remember(self, sql: str, parameters: Mapping[str, Any] | list[str]) -> None:
        self.statements.append(lambda connection: connection.execute(sql, parameters or None).fetchall())


_TYPES = {"INT64": "BIGINT", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "DATE": "DATE"}


def measure(sales: int) -> tuple[int, int, int]:
    """Return milliseconds of a whole rebuild, of the same statements bare, and how many deliveries were loaded."""
    with TemporaryDirectory() as folder, opened(Path(folder) / "home", KEYS) as parts:
        deliveries = deliveries_of(sales)
        parts.raw.create_all(deliveries)
        parts.bus.publish_all([delivery.announcement for delivery in deliveries])
        line.drain(parts)
        files = Path(folder) / "files"
        files.mkdir()
        recorder = Recorder(Path(folder) / "warehouse.duckdb", files)
        world = replace(wiring.rebuilding(parts), warehouse=recorder)
        now = datetime.now(UTC)
        rebuild(replace(world), build_id="b0", as_of=now)  # renders the statements once, as a warm door has
        recorder.statements.clear()
        started = time.perf_counter_ns()
        rebuild(world, build_id="b1", as_of=now)
        rebuilt_ms = (time.perf_counter_ns() - started) // 1_000_000
        with duckdb.connect(str(Path(folder) / "bare.duckdb")) as bare:
            bare.execute("SET TimeZone = 'UTC'")
            bare.execute("CREATE SCHEMA staging; CREATE SCHEMA certificates")
            started = time.perf_counter_ns()
            for statement in recorder.statements:
                statement(bare)
            bare_ms = (time.perf_counter_ns() - started) // 1_000_000
        recorder.close()
        return rebuilt_ms, bare_ms, len(deliveries)
