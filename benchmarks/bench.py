"""One run of the suite: how much is measured, and where each measure puts what it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.homes import Homes
from benchmarks.report import Contender

_ONE_RUN_FROM = 1_000_000
"""Sizes that take longer than all others together are measured once."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    runs: int
    requests: int
    derived_sales: int
    charges: int
    hot_facts: int
    lag_deliveries: int
    sales: tuple[int, ...]
    """Sizes of what grows with the season."""
    rebuilt_sales: tuple[int, ...]
    compared_rows: tuple[int, ...]
    starts: int
    """Of each door: the shortest thing that is measured, and what varies most."""
    has_peers: bool = True

    def runs_at(self, size: int) -> int:
        """Return how many runs a size is worth."""
        return self.runs if size < _ONE_RUN_FROM else 1


FULL = Scale(
    runs=3,
    requests=20_000,
    derived_sales=2_000,
    charges=5_000,
    hot_facts=10_000,
    lag_deliveries=5_000,
    sales=(10_000, 100_000, 1_000_000),
    rebuilt_sales=(1_000, 10_000, 100_000, 1_000_000),
    compared_rows=(10_000, 100_000, 1_000_000),
    starts=9,
)
QUICK = Scale(
    runs=1,
    requests=1_000,
    derived_sales=50,
    charges=200,
    hot_facts=500,
    lag_deliveries=200,
    sales=(100, 500),
    rebuilt_sales=(100,),
    compared_rows=(10_000,),
    starts=1,
    has_peers=False,
)


@dataclass(slots=True)
class Bench:
    """One run of the suite: its scale, and a folder of which each measure takes a part that is new."""

    scale: Scale
    folder: Path
    homes: Homes
    _taken: int = 0

    def fresh(self) -> Path:
        """Return a new folder."""
        self._taken += 1
        folder = self.folder / f"work-{self._taken}"
        folder.mkdir(parents=True)
        return folder

    def peers(self, others: Mapping[str, Contender]) -> dict[str, Contender]:
        """Return contenders that need an environment of their own; none in a quick run."""
        return dict(others) if self.scale.has_peers else {}
