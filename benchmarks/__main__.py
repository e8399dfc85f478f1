"""`python -m benchmarks`: measure every job beside its limit and its peers, and write docs/benchmarks.md."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.bench import FULL, QUICK, Bench, Scale
from benchmarks.homes import Homes
from benchmarks.jobs import JOBS
from benchmarks.report import HEADINGS, Row, measured, recorded, write
from benchmarks.samples import ROOT
from local.console import progress, table

WORK = ROOT / ".benchmarks"


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Small inputs, one run, no peers: a look, no figure.")] = False,
    only: Annotated[list[str] | None, typer.Option("--only", help=f"Only of {', '.join(JOBS)}; repeatable.")] = None,
    largest: Annotated[int, typer.Option("--largest", min=1, help="No season of more sales than this.")] = 1_000_000,
    homes: Annotated[Path | None, typer.Option("--homes", help="Keep the seasons here for the next run.")] = None,
) -> None:
    """Measure each job; unless the run is a quick one, keep what was seen and write the page anew after each."""
    chosen = only or list(JOBS)
    if strangers := sorted(set(chosen) - set(JOBS)):
        raise typer.BadParameter(f"{', '.join(strangers)}: choose of {', '.join(JOBS)}")
    folder = WORK / f"run-{time.time_ns()}"
    bench = Bench(_up_to(QUICK if quick else FULL, largest), folder, Homes(homes or folder / "homes"))
    rows: list[Row] = []
    try:
        for job in chosen:
            started = time.monotonic()
            with progress(f"measuring {job}"):
                seen = list(JOBS[job](bench))
            rows += seen
            if not quick:
                minutes = round((time.monotonic() - started) / 60)
                write({**recorded(), job: measured(seen, minutes)}, JOBS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        table("Benchmarks", HEADINGS, rows)


def _up_to(scale: Scale, largest: int) -> Scale:
    """Return a scale without seasons of more sales; the smallest of each stays, cut to it."""

    def cut(sizes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(size for size in sizes if size <= largest) or (largest,)

    return replace(
        scale,
        derived_sales=min(scale.derived_sales, largest),
        sales=cut(scale.sales),
        rebuilt_sales=cut(scale.rebuilt_sales),
    )


if __name__ == "__main__":
    typer.run(main)
