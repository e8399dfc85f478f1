"""Bodies of deliveries loaded into DuckDB by dlt, which takes what is nested apart into tables of its own."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import dlt

from benchmarks.peers.probe import tell, timed_ns, versions


def main() -> None:
    """Load once and tell how long it took, without imports."""
    lines, database = json.loads(sys.argv[1])
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DATA_WRITER__BUFFER_MAX_ITEMS": "10000",
    }
    count = 0

    def bodies() -> Iterator[list[object]]:
        nonlocal count
        with Path(lines).open(encoding="utf-8") as file:
            while part := [json.loads(line) for line, _ in zip(file, range(5_000), strict=False)]:
                count += len(part)
                yield part

    with TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bodies", pipelines_dir=folder, destination=dlt.destinations.duckdb(database), dataset_name="raw"
        )
        elapsed_ns = timed_ns(lambda: pipeline.run(bodies(), table_name="delivery", write_disposition="replace"))
    tell(count, elapsed_ns, versions=versions("dlt", "duckdb"))


if __name__ == "__main__":
    main()
