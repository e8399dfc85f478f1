"""Home folders of every size, made once per run: the raw store of a big season, and the ledger that its replay leaves."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.samples import Sample, of_child
from benchmarks.templates import KEYS, SALES, Template
from local.demo.homes import opened
from shared.contracts.holding import Holding
from shared.domain.seals import HOUR
from shared.domain.times import ALL_TIME
from shared.pipeline.derive import derive_deliveries, replay
from shared.pipeline.seal import seal
from shared.runtime import wiring

BATCH = 500
"""Deliveries a transaction of a replay."""
COPIED_FROM = 1_000_000
"""From how many sales on a home is copied where nobody has replayed one."""
_FILL_BATCH = 2_000
_WARM_SALES = 20

Item = TypeVar("Item")


class Homes:
    """Makes the home of a size when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        """Make them under a folder."""
        self.folder = folder

    def raw_at(self, sales: int) -> Path:
        """Return a home whose raw store holds a season of so many sales."""
        home = self.folder / f"{sales}"
        if not (home / "raw.db").exists():
            of_child("benchmarks.homes:filled", home, sales)
        return home

    def at(self, sales: int) -> Path:
        """Return a home with the raw store, sealed, and the ledger of a season of so many sales.

        A very big one that nothing has replayed yet is copied: its replay alone would take half an hour or more.
        """
        home = self.folder / f"{sales}"
        if sales >= COPIED_FROM and not (home / "raw.db").exists():
            of_child("benchmarks.copied:copied", home, sales)
        home = self.raw_at(sales)
        if not (home / "ledger.db").exists():
            of_child("benchmarks.homes:replayed", home, home)
        if not (home / "seals").exists():
            of_child("benchmarks.homes:sealed", home)
        return home

    def give(self, sales: int, replayed_into: Path) -> None:
        """Let a home have the ledger that a replay of its raw store made elsewhere, if it has none."""
        home = self.folder / f"{sales}"
        if not (home / "ledger.db").exists():
            for path in replayed_into.glob("ledger.db*"):
                path.rename(home / path.name)


def filled(home: str, sales: int) -> Sample:
    """Keep a season of so many sales in the raw store of a home."""
    started_ns = time.perf_counter_ns()
    with opened(Path(home), KEYS) as parts:
        template = Template.of(min(sales, SALES))
        count = sum(len(parts.raw.create_all(batch)) for batch in batches(template.deliveries(sales), _FILL_BATCH))
    return Sample(count, time.perf_counter_ns() - started_ns)


def sealed(home: str) -> Sample:
    """Seal the raw store of a home as if all that it keeps were closed: a deployed line seals every hour."""
    started_ns = time.perf_counter_ns()
    with opened(Path(home), KEYS) as parts:
        made = seal(wiring.sealing(parts), datetime.now(UTC) + 2 * HOUR)
    return Sample(sum(each.contents.object_count for each in made), time.perf_counter_ns() - started_ns)


def replayed(home: str, target: str) -> Sample:
    """Derive all that a home's raw store keeps into the empty ledger of a target home, as `asiento replay` does."""
    contracts = warmed_contracts()
    with opened(Path(home), KEYS) as source, opened(Path(target), KEYS) as into:
        world = replace(wiring.deriving_into(source, into), contracts=contracts)
        started_ns = time.perf_counter_ns()
        count = sum(map(len, replay(source.raw.deliveries(ALL_TIME), world, datetime.now(UTC), BATCH)))
        return Sample(count, time.perf_counter_ns() - started_ns)


def warmed_contracts() -> Holding | None:
    """Derive a few deliveries elsewhere, and return the contracts that are compiled by then.

    A job that is measured has been running for a while: its imports are done. What a start costs has rows of its own.
    """
    with TemporaryDirectory() as folder, opened(Path(folder), KEYS) as parts:
        world = wiring.deriving(parts)
        for batch in batches(Template.of(_WARM_SALES).deliveries(_WARM_SALES), BATCH):
            derive_deliveries(batch, world, datetime.now(UTC))
        return world.contracts


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield items in lists of at most so many."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part


def bodies_written(home: str, path: str) -> Sample:
    """Write the bodies of a home's raw store as lines: what a loader of files is given."""
    started_ns = time.perf_counter_ns()
    with opened(Path(home), KEYS) as parts, Path(path).open("wb") as lines:
        count = sum(lines.write(delivery.body + b"\n") > 0 for delivery in parts.raw.deliveries(ALL_TIME))
    return Sample(count, time.perf_counter_ns() - started_ns)
