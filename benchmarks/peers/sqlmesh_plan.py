"""`sqlmesh plan` over a generated project: every model, every check as an audit. Runs on the environment of SQLMesh."""

import json
import sys

from sqlmesh import Context

from benchmarks.peers.probe import tell, timed_ns, versions
from benchmarks.peers.sources import loaded


def main() -> None:
    """Plan and apply once and tell how long it took, without the import of SQLMesh."""
    project, database, sources = json.loads(sys.argv[1])
    loaded(sources, database)

    def planned() -> None:
        context = Context(paths=[project])
        context.plan(auto_apply=True, no_prompts=True, skip_tests=True)
        context.close()

    elapsed_ns = timed_ns(planned)
    tell(0, elapsed_ns, versions=versions("sqlmesh", "duckdb"))


if __name__ == "__main__":
    main()
