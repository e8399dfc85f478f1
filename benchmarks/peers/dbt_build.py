"""`dbt build` over a generated project: every model, every check as a test. Runs on the environment of dbt-duckdb."""

import json
import os
import sys

from dbt.cli.main import dbtRunner

from benchmarks.peers.probe import tell, timed_ns, versions
from benchmarks.peers.sources import loaded


def main() -> None:
    """Build once and tell how long it took, without the import of dbt."""
    project, database, sources = json.loads(sys.argv[1])
    loaded(sources, database)
    os.environ |= {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "TZ": "UTC"}
    answers = []
    asked = ["--quiet", "build", "--project-dir", project, "--profiles-dir", project]
    elapsed_ns = timed_ns(lambda: answers.append(dbtRunner().invoke(asked)))
    answer = answers[0]
    if answer.result is None:
        raise SystemExit(f"dbt did not build: {answer.exception}")
    statuses = [str(each.status) for each in answer.result]
    if broken := [each.message for each in answer.result if str(each.status) == "error"]:
        raise SystemExit(f"{len(broken)} of {len(statuses)} steps broke, the first: {broken[0]}")
    if undone := statuses.count("skipped"):
        raise SystemExit(f"dbt left {undone} of {len(statuses)} steps out")
    tell(
        0,
        elapsed_ns,
        steps=len(statuses),
        versions=versions("dbt-duckdb", "dbt-core", "duckdb"),
        findings=statuses.count("warn"),
    )


if __name__ == "__main__":
    main()
