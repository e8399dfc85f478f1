"""Asiento dies at every step: before and after each port call of each verb, recovers, and nothing can be told from it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from local.simulator import Chaos
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.bi.certification import catalog
from shared.domain.errors import TransientError
from shared.pipeline.rebuild_bi import Rebuilding, build_hash, rebuild
from shared.pipeline.reconciliation.transactions import weeks_of
from shared.ports.warehouse import Row
from tests.simulation.director import Director, Fate
from tests.simulation.guarded import guarded
from tests.simulation.runs import overheard
from tests.simulation.town import Town, towns
from tests.simulation.world import MORNING_AFTER, Posting, World, postings_of

IS_DEEP = os.environ.get("ASIENTO_SEARCH") == "deep"
ACCIDENTS = (Fate.DIE_BEFORE, Fate.DIE_AFTER, Fate.FAIL_BEFORE, Fate.FAIL_AFTER)
REBUILD_STRIDE = 1 if IS_DEEP else 9
"""Rebuilding takes some tenths of a second: the quick tests die at every ninth of its port calls, the deep ones at all."""
HAMLET = 1252
"""The seed of a day with a cancellation, a partial one, a move, a boarding and a no-show."""
LATER = timedelta(hours=2)


@dataclass(slots=True)
class OneAccident:
    """Lets one thing happen at one port call of one actor, and counts the calls."""

    actor: str
    at_call: int = -1
    fate: Fate = Fate.NOTHING
    calls: list[str] = field(default_factory=list)

    def decide(self, actor: str, call: str) -> Fate:
        """Return the fate of a call."""
        if actor != self.actor:
            return Fate.NOTHING
        self.calls.append(call)
        return self.fate if len(self.calls) - 1 == self.at_call else Fate.NOTHING


@pytest.fixture(scope="module")
def hamlet() -> Iterator[Town]:
    """A town of a few sales: small enough to live through it hundreds of times."""
    with towns((HAMLET,), sales=5, days=1) as opened:
        yield opened[0]


def _postings(town: Town) -> list[Posting]:
    """Return what is posted: some of it twice, some of it lost or senseless, some forged; shifts are left to be found."""
    chaos = Chaos(seed=5, duplicate_share=0.1, loss_share=0.1, forged_share=0.05, corrupted_share=0.05)
    return [each for each in postings_of(town, chaos) if not each.send.emission.event_type.startswith("shift.")]


Plot = tuple[Callable[[], object], list[Posting]]
"""What one actor does, and what comes again afterwards."""


def _receiving(world: World, postings: list[Posting]) -> Plot:
    """One request of each provider and a forged one; everything comes again, for nobody knows what was heard."""
    few = [next(each for each in postings if each.send.emission.provider == name) for name in world.town.apis]
    few.append(next(each for each in postings if each.is_forged))

    def work() -> None:
        for posting in few:
            world.receive(posting, world.clock.now())

    return work, postings


def _deriving(world: World, postings: list[Posting]) -> Plot:
    _receive_all(world, postings)
    return lambda: [world.derive(6) for _ in range(4)], []


def _running(job: str, before: Sequence[str]) -> Callable[[World, list[Posting]], Plot]:
    """Return how to come to a job: half is derived, the rest is lost on the way, and other jobs have given it work."""

    def plot(world: World, postings: list[Posting]) -> Plot:
        _receive_all(world, postings)
        world.derive(len(postings) // 2)
        world.bus.cut_power()
        week = weeks_of(world.town.window)[0]
        for each in before:
            world.clock.put_forward(LATER)
            world.reconcile(each, week)
        world.clock.put_forward(LATER)
        return lambda: world.reconcile(job, week), []

    return plot


VERBS: dict[str, Callable[[World, list[Posting]], Plot]] = {
    "receive": _receiving,
    "derive": _deriving,
    "stragglers": _running("stragglers", ()),
    "awaited": _running("awaited", ()),
    "transactions": _running("transactions", ()),
    "fetches": _running("fetches", ("awaited", "transactions")),
    "exceptions": _running("exceptions", ("transactions",)),
}


def _receive_all(world: World, postings: Sequence[Posting]) -> None:
    for posting in postings:
        world.receive(posting, world.clock.now())


def _live(town: Town, verb: str, accident: OneAccident) -> World:
    """Run a verb as a process of its own, with an accident; then let the world find peace, as the auditor watches."""
    world = World(town, Random(1), decide=accident.decide)  # noqa: S311  a seed is the point
    work, again = VERBS[verb](world, _postings(town))

    def until_told_to_come_later() -> None:
        with suppress(TransientError):
            work()

    with overheard(world.auditor):
        world.director.start(verb, until_told_to_come_later)
        world.director.finish()
        world.find_peace(again)
    return world


@pytest.mark.parametrize("verb", VERBS)
def test_dying_at_any_step_changes_nothing(hamlet: Town, verb: str) -> None:
    """Asiento ends in the same state whatever one accident befalls a verb, before or after any of its port calls."""
    undisturbed = OneAccident(verb)
    expected = _live(hamlet, verb, undisturbed).hash
    assert len(undisturbed.calls) > 3
    for place, call in enumerate(undisturbed.calls):
        for fate in ACCIDENTS if IS_DEEP else ACCIDENTS[:2]:
            accident = OneAccident(verb, place, fate)
            world = _live(hamlet, verb, accident)
            assert accident.calls[place] == call
            assert world.hash == expected, f"{verb}: {fate.name} at call {place}, {call}"


def test_dying_at_any_step_of_a_rebuild_changes_no_figure(hamlet: Town, tmp_path: Path) -> None:
    """Asiento shows the same figures after a rebuild that died at any port call, and the next one does what it should."""
    world = World(hamlet, Random(1))  # noqa: S311  a seed is the point
    genuine = [each for each in _postings(hamlet) if each.makes_sense]
    world.find_peace(genuine)
    with closing(DuckDbWarehouse(tmp_path / "undisturbed.duckdb")) as warehouse:
        calls = _rebuild(world, warehouse, "first", OneAccident("rebuild"))
        first = _shown(warehouse)
        _rebuild(world, warehouse, "second", OneAccident("rebuild"))
        expected = build_hash(warehouse, "second")
        assert _shown(warehouse) == first
    with closing(DuckDbWarehouse(tmp_path / "disturbed.duckdb")) as warehouse:
        _rebuild(world, warehouse, "first", OneAccident("rebuild"))
        for place in range(0, len(calls), REBUILD_STRIDE):
            for fate in ACCIDENTS[:2]:
                _rebuild(world, warehouse, f"dies-{place}-{fate.name}", OneAccident("rebuild", place, fate))
                assert _shown(warehouse) == first, f"{fate.name} at call {place}, {calls[place]}"
        _rebuild(world, warehouse, "second", OneAccident("rebuild"))
        assert build_hash(warehouse, "second") == expected


def _rebuild(world: World, warehouse: DuckDbWarehouse, build_id: str, accident: OneAccident) -> list[str]:
    """Rebuild as a process of its own; return its port calls."""
    director = Director(world.random, accident.decide, lambda _: None)
    parts = Rebuilding(
        guarded(world.raw, "raw", director),
        guarded(world.ledger, "ledger", director),
        guarded(world.casebook, "casebook", director),
        guarded(warehouse, "warehouse", director),
        "simulated",
    )
    director.start("rebuild", lambda: _discard(rebuild(parts, build_id=build_id, as_of=MORNING_AFTER)))
    director.finish()
    return accident.calls


def _discard(_result: object) -> None:
    """What a rebuild answers goes to nobody when its process is gone."""


def _shown(warehouse: DuckDbWarehouse) -> dict[str, list[str]]:
    """Return what people see: the rows of every view, without the name of the build."""
    views = [model.name for model in catalog() if model.is_view]
    return {view: sorted(map(_row, warehouse.query(f"SELECT * FROM {view}", {}))) for view in views}  # noqa: S608  our names


def _row(row: Row) -> str:
    return repr({name: cell for name, cell in row.items() if name not in ("build_id", "certificate_id")})
