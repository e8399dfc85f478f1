"""The whole of Asiento on one machine: SQLite, files and DuckDB behind the same ports as Google Cloud."""
