"""`python -m benchmarks [--quick]`: measure every job beside its bare baseline and write docs/benchmarks.md."""

import os
import platform
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from benchmarks import derive, rebuild, receive
from local.console import progress, table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
LIBRARIES = (
    "functions-framework",
    "starlette",
    "uvicorn",
    "uvloop",
    "pydantic",
    "jiter",
    "orjson",
    "duckdb",
    "sqlglot",
)
HEADINGS = ("job", "size", "Asiento", "baseline", "measured", "ratio", "spread")


class Row(NamedTuple):
    """One job beside one baseline; the ratio is Asiento's speed over the baseline's."""

    job: str
    size: str
    ours: str
    baseline: str
    theirs: str
    ratio: str
    spread: str
    """Lowest and highest ratio of the runs."""


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Small inputs, one run: a look, no figure to quote.")] = False,
) -> None:
    """Measure receive, derive and rebuild, each beside its bare baseline in the same run."""
    runs, requests, sales = (1, 2_000, 200) if quick else (3, 20_000, 2_000)
    rows = [
        *_measured("receive", lambda: _receive(requests, runs)),
        *_measured("derive", lambda: _derive(sales, runs)),
        *_measured("rebuild", lambda: _rebuild(sales, runs)),
    ]
    table("Benchmarks", HEADINGS, rows)
    if not quick:
        PAGE.write_text(_page(rows, runs), encoding="utf-8")


def _measured(job: str, measure: Callable[[], list[Row]]) -> list[Row]:
    with progress(f"measuring {job}"):
        return measure()


def _receive(requests: int, runs: int) -> list[Row]:
    """Compare the door with three bare ones; contenders take turns within each run."""
    seen = dict(receive.measure(requests, runs))
    ours = seen.pop("receive")
    if refused := sum(load.not_ok for load in ours):
        raise RuntimeError(f"{refused} of the benchmark's own requests were refused")
    p50, p99 = (
        round(statistics.median(load.percentile_us(percent) for load in ours) / 1000, 1) for percent in (50, 99)
    )
    size = f"{requests:,} of 1.5 KB, 32 connections"
    speeds = [load.per_second for load in ours]
    latency = Row("receive, time to 2xx", size, f"p50 {p50} ms, p99 {p99} ms", "", "", "", "")
    return [latency] + [
        _row("receive", size, speeds, f"{label}", [load.per_second for load in loads], "requests/s")
        for label, loads in seen.items()
    ]


def _derive(sales: int, runs: int) -> list[Row]:
    deliveries = derive.deliveries_of(sales)
    rows = []
    for batch in derive.BATCHES:
        measured = [derive.measure(deliveries, batch) for _ in range(runs)]
        ours, bare = zip(*measured, strict=True)
        size = f"{len(deliveries):,} deliveries, {batch} a transaction"
        rows.append(_row("derive", size, ours, "bare SQLite upserts of the same rows", bare, "deliveries/s"))
    return rows


def _rebuild(sales: int, runs: int) -> list[Row]:
    measured = [rebuild.measure(sales) for _ in range(runs)]
    ours = [count * 1000 // ours_ms for ours_ms, _, count in measured]
    bare = [count * 1000 // bare_ms for _, bare_ms, count in measured]
    size = f"{sales:,} sales, {measured[0][2]:,} deliveries"
    return [_row("rebuild and certify", size, ours, "the same statements in bare DuckDB", bare, "deliveries/s")]


def _row(  # noqa: PLR0917  a row is read left to right, as the table is
    job: str, size: str, ours: Sequence[int], baseline: str, theirs: Sequence[int], unit: str
) -> Row:
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    middle = statistics.median(ratios)
    shown = (f"{round(statistics.median(speeds)):,} {unit}" for speeds in (ours, theirs))
    our_speed, their_speed = shown
    return Row(job, size, our_speed, baseline, their_speed, f"{middle:.2f}", f"{ratios[0]:.2f} to {ratios[-1]:.2f}")


def _page(rows: Sequence[Row], runs: int) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return PAGE_TEXT.format(
        runs=runs,
        headings=" | ".join(HEADINGS),
        rule="---|" * len(HEADINGS),
        rows="\n".join(f"| {' | '.join(row)} |" for row in rows),
        measured=f"{datetime.now(UTC):%Y-%m-%d}: {machine}, SQLite {sqlite3.sqlite_version}, {versions}",
    )


PAGE_TEXT = """# Benchmarks

Written by `make bench`. Each job stands beside the least that the machine does for the same work, measured in the same
run; {runs} runs, medians, and the spread of the ratio. No test asserts a time: machines differ, ratios count.

| {headings} |
|{rule}
{rows}

Measured on {measured}.

- *receive*: a signed Betterez webhook through the real door under the functions framework, one worker; answered when its
  bytes are flushed and its announcement is on the bus. The load generator takes a core of its own.
- *derive*: reading by the provider, facts, fold and one transaction; the baseline writes the rows that derive wrote,
  without reading, deciding or encoding anything.
- *rebuild and certify*: loads, models, checks, control path, certificates and publication; the baseline runs the
  rendered statements over the same files, without reading raw store and ledger.
"""


if __name__ == "__main__":
    typer.run(main)
