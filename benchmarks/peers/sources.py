"""What a peer's models read, as tables of its own DuckDB: loaded before the clock starts."""

from pathlib import Path

import duckdb


def loaded(sources: str, database: str) -> None:
    """Make a table of each Parquet file `schema.table.parquet` of a folder."""
    Path(database).unlink(missing_ok=True)
    with duckdb.connect(database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for path in sorted(Path(sources).glob("*.parquet")):
            schema, table, _ = path.name.split(".")
            # Names are those of Asiento's own tables.
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            connection.execute(f"CREATE TABLE {schema}.{table} AS SELECT * FROM '{path}'")  # noqa: S608
