"""Two tables of one DuckDB file compared by data-diff's JOINDIFF. The tables are loaded before the clock starts."""

import json
import sys
from pathlib import Path

import duckdb
from data_diff import Algorithm, connect_to_table, diff_tables

from benchmarks.peers.probe import tell, timed_ns, versions

COLUMNS = ("version_at_ms", "amount_minor", "currency", "status")


def main() -> None:
    """Compare once and tell how long it took, without imports."""
    provider, ledger, database = json.loads(sys.argv[1])
    Path(database).unlink(missing_ok=True)
    connection = duckdb.connect(database)
    for name, path in (("provider", provider), ("ledger", ledger)):
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM '{path}'")  # noqa: S608  names of this file
    connection.close()
    asked = {"driver": "duckdb", "filepath": database}
    sides = [connect_to_table(asked, name, "id", extra_columns=COLUMNS) for name in ("provider", "ledger")]
    found: set[object] = set()

    def compare() -> None:
        found.update(row[0] for _, row in diff_tables(*sides, algorithm=Algorithm.JOINDIFF))

    elapsed_ns = timed_ns(compare)
    tell(0, elapsed_ns, differences=len(found), versions=versions("data-diff", "duckdb"))


if __name__ == "__main__":
    main()
