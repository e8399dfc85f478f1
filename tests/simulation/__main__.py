"""The simulation on the command line: so many seeds, a table of what was met, and the breaks that it catches."""

import argparse
import os
import subprocess
import sys

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.simulation.auditor import ViolationError
from tests.simulation.breaks import BREAKS, hunt
from tests.simulation.crew import stories
from tests.simulation.runs import Simulation, Story
from tests.simulation.situations import SITUATIONS, reached
from tests.simulation.town import towns


def main() -> int:
    """Run what was asked for; the exit status is 1 where something that must hold does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="in how many processes (all cores)")
    parser.add_argument(
        "--breaks", action="store_true", help="break each invariant on purpose and show how soon it is seen"
    )
    asked = parser.parse_args()
    console = Console()
    if asked.seeds < 1 or asked.workers < 1:
        parser.error("--seeds and --workers start at 1")
    if asked.breaks:
        with towns() as opened:
            return _show_breaks(console, Simulation(opened))
    return _show_seeds(console, range(asked.first, asked.first + asked.seeds), asked.workers)


def _show_seeds(console: Console, seeds: range, workers: int) -> int:
    story = Story()
    with Progress(console=console, transient=True) as shown:
        task = shown.add_task(f"seeds {seeds.start} to {seeds.stop - 1}", total=len(seeds))
        try:
            for share in stories(seeds, workers):
                story.add(share)
                shown.update(task, completed=story.seeds)
                if not console.is_terminal:
                    console.print(f"{story.seeds:,} of {len(seeds):,} seeds")
        except ViolationError as violation:
            console.print(f"{violation}\n{violation.__notes__[0]}\ncommit {_commit()}", markup=False)
            return 1
        except KeyboardInterrupt:
            console.print(f"broken off after {story.seeds:,} of {len(seeds):,} seeds; what they met:")
    table = Table("situation", "times")
    for situation in SITUATIONS:
        table.add_row(situation.name, f"{reached(situation, story.situations):,}")
    console.print(table)
    console.print(f"{story.seeds:,} seeds, {story.steps:,} steps, {story.accidents:,} accidents, no violation")
    return 0


def _show_breaks(console: Console, simulation: Simulation) -> int:
    table = Table("invariant", "defect", "caught by", "seed", "after steps")
    missed = 0
    for defect in BREAKS:
        caught = hunt(simulation, defect, range(30))
        missed += caught is None
        seen = (caught.by, str(caught.seed), f"{caught.steps:,}") if caught else ("[red]nothing", "", "")
        table.add_row(defect.invariant, defect.defect, *seen)
    console.print(table)
    return 1 if missed else 0


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607  git of this machine
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
