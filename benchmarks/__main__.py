"""`python -m benchmarks`: measure every job beside its limit and its peers, and write docs/benchmarks.md."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.homes import Homes
from benchmarks.jobs import JOBS
from benchmarks.report import HEADINGS, Measured, Row, joined, measured, recorded, today_here, write
from benchmarks.samples import ROOT
from local.console import progress, table

WORK = ROOT / ".benchmarks"


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Small inputs, one run, no peers: a look, no figure.")] = False,
    only: Annotated[list[str] | None, typer.Option("--only", help=f"Only of {', '.join(JOBS)}; repeatable.")] = None,
    sales: Annotated[
        list[int] | None,
        typer.Option(
            "--sales", min=1, help="Only seasons of so many sales, and keep the rows of the others; repeatable."
        ),
    ] = None,
    homes: Annotated[Path | None, typer.Option("--homes", help="Keep the seasons here for the next run.")] = None,
) -> None:
    """Measure each job; unless the run is a quick one, keep what was seen and write the page anew after each."""
    chosen = only or list(JOBS)
    if strangers := sorted(set(chosen) - set(JOBS)):
        raise typer.BadParameter(f"{', '.join(strangers)}: choose of {', '.join(JOBS)}")
    known = recorded()
    if sales and not quick:
        _refuse_other_days(known[job] for job in chosen if job in known)
    folder, scale = WORK / f"run-{time.time_ns()}", QUICK if quick else FULL
    if sales:
        scale = replace(scale, sales=tuple(sales), rebuilt_sales=tuple(sales))
    bench = Bench(scale, folder, Homes(homes or folder / "homes"))
    rows: list[Row] = []
    try:
        for job in chosen:
            started = time.monotonic()
            with progress(f"measuring {job}"):
                seen = list(JOBS[job](bench))
            rows += seen
            if not quick:
                now = measured(seen, round((time.monotonic() - started) / 60))
                known[job] = joined(known[job], now) if sales and job in known else now
                write(known, JOBS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        table("Benchmarks", HEADINGS, rows)


def _refuse_other_days(known: Iterable[Measured]) -> None:
    """Refuse to put rows of another day, machine or version beside those that are about to be measured."""
    if any(each.on != today_here() for each in known):
        raise typer.BadParameter(
            "--sales: the other sizes were measured on another day or machine; measure the job whole"
        )


if __name__ == "__main__":
    typer.run(main)
