"""Asiento dies at every step: before and after each port call of each verb, recovers, and nothing can be told from it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from local.simulator import Chaos
from shared.adapters.embedded.seal_store import FileSealStore
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.bi.certification import catalog
from shared.domain.errors import TransientError
from shared.domain.times import Window
from shared.pipeline.rebuild_bi import Rebuilding, build_hash, rebuild
from shared.pipeline.reconcile import JOBS
from shared.pipeline.reconciliation.transactions import weeks_of
from shared.pipeline.seal import Sealing, seal, sealed_objects
from shared.ports.warehouse import Row
from tests.simulation.director import Director, Fate
from tests.simulation.guarded import guarded
from tests.simulation.runs import overheard
from tests.simulation.town import Town, towns
from tests.simulation.world import MORNING_AFTER, Posting, World, postings_of, undisturbed

IS_DEEP = os.environ.get("ASIENTO_SEARCH") == "deep"
ACCIDENTS = (Fate.DIE_BEFORE, Fate.DIE_AFTER, Fate.FAIL_BEFORE, Fate.FAIL_AFTER)
PLACES_QUICK = 4
"""The quick tests die at so many calls of each verb, spread over all of them; the deep ones at every one."""
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


@pytest.fixture(scope="module")
def clean(hamlet: Town) -> World:
    """An undisturbed run in it."""
    return undisturbed(hamlet)


def _same_as_ever(world: World, clean: World, told: str = "") -> None:
    """Check that a world ended as one in which nothing happened but what its people decided."""
    assert world.hash_of_told == clean.hash_of_told_if_decided(world.decisions), told


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


def _running(job: str, before: Sequence[str], *, is_of_days: bool = False) -> Callable[[World, list[Posting]], Plot]:
    """Return how to come to a job: half is derived, the rest is lost on the way, and other jobs have given it work.

    A job that goes day by day does each alike; it dies on the first.
    """

    def plot(world: World, postings: list[Posting]) -> Plot:
        _receive_all(world, postings)
        world.derive(len(postings) // 2)
        world.bus.cut_power()
        week = weeks_of(world.town.window)[0]
        first_day = world.town.season.first_day
        span = Window.of_days(first_day, first_day) if is_of_days else week
        for each in before:
            world.clock.put_forward(LATER)
            world.reconcile(each, week)
        world.clock.put_forward(LATER)
        return lambda: world.reconcile(job, span), []

    return plot


def _taking_in(world: World, postings: list[Posting]) -> Plot:
    """The wallet's reports have been dropped, and an empty file that is set aside."""
    _receive_all(world, postings)
    while world.office.to_drop:
        world.office.drop_next()
    world.inbox.drop("mercadopago/empty.csv", b"")
    return lambda: world.reconcile("inbox", world.town.window), []


def _deciding(world: World, postings: list[Posting]) -> Plot:
    """Somebody looks at what could not be read, and settles or assigns it."""
    _receive_all(world, postings)
    world.derive(len(postings))
    world.reconcile("exceptions", world.town.window)

    def work() -> None:
        for _ in range(3):
            world.office.decide(world.clock.now)

    return work, []


def _readmitting(world: World, postings: list[Posting]) -> Plot:
    """A wrong secret has turned everything of a provider away, and nobody sends it again."""
    world.secrets.wrong.add("betterez")
    _receive_all(world, postings)
    return world.office.readmit, []


def _erasing(world: World, postings: list[Posting]) -> Plot:
    """Two people ask to be erased; a wrong secret has turned some of what tells of them away."""
    _receive_all(world, postings)
    world.derive(len(postings))
    world.secrets.wrong.add("betterez")
    _receive_all(world, postings[: len(postings) // 2])
    people = [world.office.hear_of_somebody() for _ in range(2)]

    def work() -> None:
        for whom in people:
            world.office.erase(whom, world.clock.now)

    return work, []


VERBS: dict[str, Callable[[World, list[Posting]], Plot]] = {
    "receive": _receiving,
    "derive": _deriving,
    "stragglers": _running("stragglers", ()),
    "awaited": _running("awaited", ()),
    "undeliverables": _running("undeliverables", ()),
    "transactions": _running("transactions", ()),
    "manifests": _running("manifests", (), is_of_days=True),
    "control_totals": _running("control_totals", (), is_of_days=True),
    "fetches": _running("fetches", ("awaited", "transactions")),
    "exceptions": _running("exceptions", ("transactions",)),
    "completeness": _running("completeness", ()),
    "settlements": _running("settlements", ()),
    "matching": _running("matching", ()),
    "quality": _running("quality", ()),
    "inbox": _taking_in,
    "decide": _deciding,
    "readmit": _readmitting,
    "erase": _erasing,
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

    with overheard(world.auditor.logged):
        world.director.start(verb, until_told_to_come_later)
        world.director.finish()
        world.find_peace(again)
    return world


def _places(calls: Sequence[str]) -> range:
    """Return at which calls to die."""
    return range(0, len(calls), 1 if IS_DEEP else -(-len(calls) // PLACES_QUICK))


def test_every_job_dies_at_every_step() -> None:
    """Asiento's crash tests leave out no job of reconcile."""
    assert {job.name for job in JOBS} - set(VERBS) == set()


@pytest.mark.parametrize("verb", VERBS)
def test_dying_at_any_step_changes_nothing(hamlet: Town, clean: World, verb: str) -> None:
    """Asiento ends in the same state whatever one accident befalls a verb, before or after any of its port calls."""
    nothing = OneAccident(verb)
    _same_as_ever(_live(hamlet, verb, nothing), clean)
    assert len(nothing.calls) > 3
    for place in _places(nothing.calls):
        call = nothing.calls[place]
        for fate in ACCIDENTS if IS_DEEP else ACCIDENTS[:2]:
            accident = OneAccident(verb, place, fate)
            world = _live(hamlet, verb, accident)
            assert accident.calls[place] == call
            _same_as_ever(world, clean, f"{verb}: {fate.name} at call {place}, {call}")


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
        for place in _places(calls):
            for fate in ACCIDENTS[:2]:
                _rebuild(world, warehouse, f"dies-{place}-{fate.name}", OneAccident("rebuild", place, fate))
                assert _shown(warehouse) == first, f"{fate.name} at call {place}, {calls[place]}"
        _rebuild(world, warehouse, "second", OneAccident("rebuild"))
        assert build_hash(warehouse, "second") == expected


def test_dying_at_any_step_of_sealing_seals_everything_once(hamlet: Town, tmp_path: Path) -> None:
    """Asiento's chain of seals is whole after sealing died at any port call and was run again: everything once, no gap."""
    world = World(hamlet, Random(1))  # noqa: S311  a seed is the point
    world.find_peace(_postings(hamlet))
    later = world.clock.now() + timedelta(hours=3)
    undisturbed = OneAccident("seal")
    _seal(world, FileSealStore(tmp_path / "undisturbed"), undisturbed, later)
    expected = [each.seal_hash for each in FileSealStore(tmp_path / "undisturbed").seals()]
    assert len(expected) > 1
    for place in _places(undisturbed.calls):
        for fate in ACCIDENTS if IS_DEEP else ACCIDENTS[:2]:
            seals = FileSealStore(tmp_path / f"{place}-{fate.name}")
            _seal(world, seals, OneAccident("seal", place, fate), later)
            _seal(world, seals, OneAccident("seal"), later)
            assert [each.seal_hash for each in seals.seals()] == expected, f"{fate.name} at {undisturbed.calls[place]}"
            assert sorted(each.object_name for each in sealed_objects(seals)) == sorted(world.raw.objects)


def _seal(world: World, seals: FileSealStore, accident: OneAccident, now: datetime) -> None:
    """Seal as a process of its own."""
    director = Director(world.random, accident.decide, lambda _: None)
    sealing = Sealing(guarded(world.raw, "raw", director), guarded(seals, "seals", director), "simulated")

    def until_told_to_come_later() -> None:
        with suppress(TransientError):
            seal(sealing, now)

    director.start("seal", until_told_to_come_later)
    director.finish()


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
