"""What a rebuild asks of DuckDB, kept so that it can be asked again without Asiento: the bare SQL of the same job."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.samples import Sample
from shared.adapters.embedded.warehouse import MEMORY_LIMIT, SETTINGS


class RecordingConnection:
    """A DuckDB connection that keeps every statement, with its parameters and a link to each file that it names."""

    def __init__(self, connection: Any, folder: Path, script: list[tuple[str, Any]] | None = None) -> None:
        """Keep files under a folder, and statements in one script with those of the cursors of this connection."""
        self._connection = connection
        self._folder = folder
        self.script: list[tuple[str, Any]] = [] if script is None else script

    def execute(self, sql: str, parameters: Any = None) -> Any:
        """Run, and keep the statement."""
        self.script.append((sql, self._kept(parameters)))
        return self._connection.execute(sql, parameters)

    def cursor(self) -> "RecordingConnection":
        """Return a cursor that writes into the same script."""
        return RecordingConnection(self._connection.cursor(), self._folder, self.script)

    def begin(self) -> Any:
        """Begin, and keep that."""
        return self.execute("BEGIN")

    def commit(self) -> Any:
        """Commit, and keep that."""
        return self.execute("COMMIT")

    def __getattr__(self, name: str) -> Any:
        """Pass everything else on."""
        return getattr(self._connection, name)

    def _kept(self, parameters: Any) -> Any:
        """Return parameters in which each file is a copy that stays: the load deletes its own."""
        if not isinstance(parameters, list):
            return parameters
        return [self._copy(each) if isinstance(each, str) and Path(each).is_file() else each for each in parameters]

    def _copy(self, name: str) -> str:
        copy = self._folder / f"{len(self.script)}-{Path(name).name}"
        try:
            copy.hardlink_to(name)
        except OSError:
            shutil.copyfile(name, copy)
        return str(copy)


def ran_barely(folder: str) -> Sample:
    """Run the script that was recorded in a folder on a database of its own, and fetch what each statement answers."""
    statements = json.loads(Path(folder, "script.json").read_text(encoding="utf-8"))
    database = Path(folder, "bare.duckdb")
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database), config={**SETTINGS, "memory_limit": MEMORY_LIMIT}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        started_ns = time.perf_counter_ns()
        for sql, parameters in statements:
            connection.execute(sql, parameters).fetchall()
        elapsed_ns = time.perf_counter_ns() - started_ns
    return Sample(0, elapsed_ns, more={"statements": len(statements)})
