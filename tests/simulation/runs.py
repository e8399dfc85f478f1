"""Runs: one seed makes one story, and a failure says which seed, at which step, and how to see it again."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import structlog

from local.simulator import Chaos
from shared.adapters.embedded.seal_store import FileSealStore
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.pipeline.seal import Sealing, seal
from shared.pipeline.verify import Verifying, verify
from shared.ports.seal_store import SealStore
from tests.simulation.memory.ledger_store import MemoryLedgerStore
from tests.simulation.town import Town
from tests.simulation.world import Weather, World, postings_of, undisturbed

REBUILD_EVERY = 5
"""One seed in so many also rebuilds the analytics layer: once with gaps still open, once at rest.

Every other one of them has no senseless deliveries: what is quarantined keeps its month from being certified.
"""


_WAREHOUSE = "warehouse.duckdb"


@dataclass(slots=True)
class Story:
    """What one seed, or many together, came to."""

    seeds: int = 0
    steps: int = 0
    situations: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Story") -> None:
        """Take another story in."""
        self.seeds += other.seeds
        self.steps += other.steps
        self.situations.update(other.situations)

    @property
    def accidents(self) -> int:
        """How many port calls failed or ended their process."""
        return sum(number for name, number in self.situations.items() if " its effect" in name or " died " in name)


class Simulation:
    """Runs seeds in towns; what an undisturbed run comes to is worked out once for each town."""

    def __init__(self, towns: Sequence[Town]) -> None:
        """Take the towns; a seed's town is the seed modulo their number."""
        self._towns = towns
        self._undisturbed: dict[int, World] = {}

    def run(self, seed: int) -> Story:
        """Live through one seed and return the story; a violation carries the seed and the step."""
        town = self._town(seed)
        self.undisturbed(town)  # before anybody listens: what a seed meets does not depend on who ran before it
        random = Random(f"asiento simulation {seed}")  # noqa: S311  a seed is the point; nothing here is a secret
        world = World(town, random, Weather.of(random), people_err=accidents(seed).corrupted_share > 0)
        try:
            with overheard(world.auditor.logged):
                self._live(world, seed)
        except BaseException as failure:
            failure.add_note(
                f"seed {seed}, step {world.director.steps}, last call {world.director.last_call}; "
                f"see it again: make simulate SEEDS=1 FIRST={seed}"
            )
            raise
        finally:
            world.director.abandon()
        return Story(1, world.director.steps, world.situations)

    def prepare(self, seed: int) -> None:
        """Work out what the town of a seed comes to undisturbed, before anything is broken on purpose."""
        self.undisturbed(self._town(seed))

    def _town(self, seed: int) -> Town:
        return self._towns[seed % len(self._towns)]

    def _live(self, world: World, seed: int) -> None:
        postings = postings_of(world.town, accidents(seed))
        if seed % REBUILD_EVERY:
            world.live_through(postings)
        else:
            with TemporaryDirectory(prefix="asiento-simulation-") as folder:
                _live_and_rebuild(world, postings, Path(folder))
        expected = self.undisturbed(world.town).hash_of_told_if_decided(world.decisions)
        world.auditor.same_state("I3", "an undisturbed run in order", world.hash_of_told, expected)

    def undisturbed(self, town: Town) -> World:
        """Return an undisturbed run in this town."""
        if town.season.seed not in self._undisturbed:
            with overheard(lambda _: None):
                self._undisturbed[town.season.seed] = undisturbed(town)
        return self._undisturbed[town.season.seed]


def accidents(seed: int) -> Chaos:
    """Return what happens to the requests of a seed on their way."""
    return Chaos(
        seed=seed,
        duplicate_share=0.1,
        loss_share=0.1,
        forged_share=0.06,
        corrupted_share=0.0 if seed % (2 * REBUILD_EVERY) == 0 else 0.06,
        reorder_window=40,
    )


def _live_and_rebuild(world: World, postings: Sequence[Any], folder: Path) -> None:
    warehouse = DuckDbWarehouse(folder / _WAREHOUSE)
    try:
        waiting = world.storm(list(postings))
        world.director.finish()
        world.rebuild_in_a_storm(warehouse)
        world.find_peace(waiting)
        sealing = Sealing(world.raw, FileSealStore(folder / "seals"), "simulated")
        seal(sealing, world.clock.now())
        late = world.rebuild(warehouse, "late")
        world.auditor.all_published(late)
        world.erase_everybody()
        world.auditor.same_figures(late, world.rebuild(warehouse, "afterwards"))
        _verify(world, sealing.seals, warehouse)
        world.situations["a month was certified at rest"] += len(late.certified)
        world.situations["a month was refused for a quarantined delivery"] += len(late.refused)
    finally:
        warehouse.close()
    world.auditor.privacy.forgotten(world.auditor.privacy.people, shown=_all_of(folder / _WAREHOUSE))


def _verify(world: World, seals: SealStore, warehouse: DuckDbWarehouse) -> None:
    """Check that all that was sealed, derived and certified can be proved, now that nobody can be read of any more."""
    verifying = Verifying(
        raw=world.raw,
        seals=seals,
        ledger=world.ledger,
        empty_ledger=MemoryLedgerStore(),
        warehouse=warehouse,
        providers=world.deriving.providers,
        secrets=world.secrets,
        code_version="simulated",
        restored=world.restored,
    )
    world.auditor.verified(verify(verifying, world.clock.now()))


def _all_of(path: Path) -> bytes:
    """Return the rows of every table and view of a warehouse, past the port."""
    with duckdb.connect(str(path), read_only=True) as connection:
        places = connection.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
        rows = [connection.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall() for schema, name in places]  # noqa: S608  names of tables that are there
    return repr(rows).encode()


@contextmanager
def overheard(listen: Callable[[MutableMapping[str, Any]], None]) -> Iterator[None]:
    """Let one listener hear every line of the log, and nobody else."""

    def hear(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
        listen(line)
        raise structlog.DropEvent

    before = structlog.get_config()
    everything = structlog.make_filtering_bound_logger(logging.NOTSET)  # whatever level others have set before
    structlog.configure(processors=[hear], wrapper_class=everything, cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
