"""How measures are told: rows that a table shows, and the page docs/benchmarks.md."""

import json
import os
import platform
import sqlite3
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from benchmarks.samples import ROOT, Sample
from shared.domain.errors import AsientoError

PAGE = ROOT / "docs" / "benchmarks.md"
RECORD = PAGE.with_suffix(".json")
"""What the page is written from: of each job the rows of its last run, with when, on what and in how long."""
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
HEADINGS = ("job", "size", "Asiento", "peak", "beside", "measured", "peak", "speed", "spread", "runs")
_KIB_A_MIB = 1024
_WORDS_MAX = 160

Contender = Callable[[], Sample]
Seen = list[Sample] | str
"""What the runs of one contender saw, or why it could not run."""


class Row(NamedTuple):
    """One job beside one other; `speed` is Asiento's over the other's, by item where both count items."""

    job: str
    size: str
    ours: str
    our_peak: str
    beside: str
    theirs: str
    their_peak: str
    speed: str
    spread: str
    """Lowest and highest speed of the runs."""
    runs: str


def rounds(runs: int, ours: Contender, others: Mapping[str, Contender]) -> tuple[list[Sample], dict[str, Seen]]:
    """Let all take turns, so that a slow minute hits all alike. What fails of others is told; what fails of ours is raised."""
    mine: list[Sample] = []
    seen: dict[str, list[Sample]] = {label: [] for label in others}
    absent: dict[str, str] = {}
    for _ in range(runs):
        mine.append(ours())
        for label, measure in others.items():
            if label in absent:
                continue
            try:
                seen[label].append(measure())
            except AsientoError as reason:
                absent[label] = " ".join(str(reason).split())[-_WORDS_MAX:]
    return mine, {label: absent.get(label) or samples for label, samples in seen.items()}


def row(  # noqa: PLR0917  a row is read left to right, as the table is
    job: str, size: str, ours: Sequence[Sample], beside: str, theirs: Seen, unit: str = ""
) -> Row:
    """Return a row: speeds in items of a unit per second, or times where no unit is given."""
    shown = _shown(ours, unit), _peak(ours)
    if isinstance(theirs, str):
        return Row(job, size, *shown, beside, theirs, "", "", "", str(len(ours)))
    label = f"{beside} ({theirs[0].more['versions']})" if "versions" in theirs[0].more else beside
    speeds = [_speed(one, other) for one, other in zip(ours, theirs, strict=True)]
    return Row(job, size, *shown, label, _shown(theirs, unit), _peak(theirs), *_spread(speeds), str(len(ours)))


def alone(job: str, size: str, ours: Sequence[Sample], unit: str = "") -> Row:
    """Return a row of a job that nothing stands beside."""
    return Row(job, size, _shown(ours, unit), _peak(ours), "", "", "", "", "", str(len(ours)))


def latency(job: str, size: str, ours: Sequence[Sample], beside: str = "", theirs: Seen = "") -> Row:
    """Return a row of the median of p50 and of p99, in milliseconds; its speed is how many times as short p99 is."""
    shown = _percentiles(ours), _peak(ours)
    if isinstance(theirs, str):
        return Row(job, size, *shown, beside, theirs, "", "", "", str(len(ours)))
    speeds = [other.more["p99_us"] / one.more["p99_us"] for one, other in zip(ours, theirs, strict=True)]
    return Row(job, size, *shown, beside, _percentiles(theirs), _peak(theirs), *_spread(speeds), str(len(ours)))


def _percentiles(samples: Sequence[Sample]) -> str:
    p50, p99 = (
        round(statistics.median(each.more[name] for each in samples) / 1000, 1) for name in ("p50_us", "p99_us")
    )
    return f"p50 {p50} ms, p99 {p99} ms"


def _spread(speeds: Sequence[float]) -> tuple[str, str]:
    return f"{statistics.median(speeds):.2f}", f"{min(speeds):.2f} to {max(speeds):.2f}"


def _speed(ours: Sample, theirs: Sample) -> float:
    quicker = theirs.elapsed_ns / max(ours.elapsed_ns, 1)
    return quicker * ours.items / theirs.items if ours.items and theirs.items else quicker


def _shown(samples: Sequence[Sample], unit: str) -> str:
    if unit:
        return f"{round(statistics.median(each.per_second for each in samples)):,} {unit}/s"
    seconds = statistics.median(each.elapsed_ns for each in samples) / 1_000_000_000
    return f"{seconds:.2f} s"


def _peak(samples: Sequence[Sample]) -> str:
    peak_kib = max(each.peak_kib for each in samples)
    return f"{peak_kib // _KIB_A_MIB:,} MiB" if peak_kib else ""


class Measured(NamedTuple):
    """A job's last run: its rows, the minutes that it took, and when and on what it was measured."""

    rows: list[Row]
    minutes: int
    on: str


def measured(rows: Sequence[Row], minutes: int) -> Measured:
    """Return the rows of a job that was measured just now on this machine."""
    return Measured(list(rows), minutes, today_here())


def today_here() -> str:
    """Return the day, the machine and the versions that measures of now stand for."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}: {machine}, SQLite {sqlite3.sqlite_version}, {versions}"


def joined(before: Measured, now: Measured) -> Measured:
    """Return what was measured of a job in two runs of one day and machine, by part and size; what both have, as of now."""
    anew = {(each.job, each.size) for each in now.rows}
    rows = [each for each in before.rows if (each.job, each.size) not in anew] + now.rows
    order = list(dict.fromkeys(each.job for each in (*before.rows, *now.rows)))
    return Measured(
        sorted(rows, key=lambda row: (order.index(row.job), _items(row))), before.minutes + now.minutes, now.on
    )


def _items(row: Row) -> int:
    """Return how many items a row's size begins with."""
    number = row.size.partition(" ")[0].replace(",", "")
    return int(number) if number.isdigit() else 0


def recorded() -> dict[str, Measured]:
    """Return what is known of each job."""
    if not RECORD.exists():
        return {}
    told = json.loads(RECORD.read_text(encoding="utf-8"))
    return {job: Measured([Row(*cells) for cells in rows], minutes, on) for job, (rows, minutes, on) in told.items()}


def write(jobs: Mapping[str, Measured], order: Iterable[str]) -> None:
    """Keep what is known of each job, and write the page from it."""
    known = {job: jobs[job] for job in order if job in jobs}
    RECORD.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(known), encoding="utf-8")


def page(jobs: Mapping[str, Measured]) -> str:
    """Return the page that tells what is known of each job."""
    rows = [each for job in jobs.values() for each in job.rows]
    by_machine: dict[str, list[str]] = {}
    for job, known in jobs.items():
        by_machine.setdefault(known.on, []).append(f"{job.replace('_', ' ')} in {known.minutes} minutes")
    return PAGE_TEXT.format(
        headings=" | ".join(HEADINGS),
        rule="---|" * len(HEADINGS),
        rows="\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in each)} |" for each in rows),
        measured="\n\n".join(f"Measured on {on}: {', '.join(each)}." for on, each in by_machine.items()),
    )


PAGE_TEXT = """# Benchmarks

Written by `make bench` from [benchmarks.json](benchmarks.json). Each job stands beside the least that the machine does for
the same work, and beside what a user would pick instead, measured in the same run on the same data, in turns; medians, and
the spread of the speed. Speed is Asiento's over the other's. Peak is the largest resident memory of the process that did it.
No test asserts a time: machines differ, ratios count.

| {headings} |
|{rule}
{rows}

{measured}

- *receive*: a signed Betterez webhook through the real door under the functions framework, one worker; answered when its
  bytes are flushed and its announcement is on the bus. The load generator takes a core of its own. With *flush + n ms*
  every group that door and limit write takes so much longer, as on a network disk.
- *derive*: reading by the provider, facts, fold and one transaction; bare upserts write the rows that derive wrote, without
  reading, deciding or encoding anything, each transaction flushed. Beside the sync engine both check the signatures of the
  same Stripe charges; the memory of its PostgreSQL server is not counted. Its *n at once* is concurrency; ours is a batch.
- *hot ticket*: the last tenth of the changes of one ticket beside the first tenth.
- *lag*: from when a post is due to when its verdict is seen in the ledger, asked every 10 ms, at a steady share of what door
  and one deriving process keep up with.
- *replay*: all that the raw store keeps into an empty ledger, in batches of 500. *Growth* rows set the largest size beside the
  smallest, by item.
- *rebuild*: loads, models, checks, control path, certificates and publication by a warm process from a sealed home; the bare
  SQL is every statement of it, over the same files, without reading raw store and ledger. dbt and SQLMesh build our own models
  and checks over tables that are loaded before their clock starts; without certificates and publication, and without their
  import. *Loads apart* is ours without its loads beside them. The home of a million sales is copied from a small one that
  went through the line, unless the run has replayed one.
- *load*: raw and ledger into the warehouse; dlt takes bodies alone, and what is nested in them apart.
- *reconcile, comparison*: claims of both sides to every kept difference, beside contenders that read the same columns from
  Parquet; the row with *claims of columns* makes them of those columns too, value by value. In the product claims come from
  entities and listings, which no join reads: *job* is the whole of `transactions` over a real ledger and casebook, beside an
  API that answers at once, in the same process: most of its memory are the listings of that API.
- *cold start*: process start to the first answer of each bundle, on an environment of its own requirements.txt and compiled as
  the platform's build does it, in the Google world, over addresses where nobody listens.

`python -m benchmarks --only rebuild` measures one job anew and leaves the rows of the others as they stand; `--sales 10000`
measures at that size alone and leaves the rows of the other sizes, which must be of the same day and machine; `--homes` keeps
the seasons for the next run. `make bench-peers` builds the peers' environments;
where one is not there, its row says so. At a million sales a run needs about 50 GB of disk under `.benchmarks`, given back at
its end, and there is one run of each.
"""
