"""Asiento through storms: a fixed set of seeds, each replayable, none with a violation, and all situations met."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.simulation.breaks import BREAKS, Break, hunt
from tests.simulation.crew import stories
from tests.simulation.runs import REBUILD_EVERY, Simulation, Story, accidents
from tests.simulation.situations import SITUATIONS, reached
from tests.simulation.town import SEASONS, Town
from tests.simulation.world import Weather, World, postings_of

SEEDS = (1, 2, 3, 8, 10, 11, 15, 19)
"""Of the first twenty, some that between them meet every situation."""
HUNTED = range(6)
SHOWN = (
    BREAKS
    if os.environ.get("ASIENTO_SEARCH") == "deep"
    else [*{defect.invariant: defect for defect in reversed(BREAKS)}.values()]
)
"""The first break of each invariant; all of them where there is time."""
DOCS = Path(__file__).resolve().parents[2] / "docs" / "simulation.md"


def test_no_seed_finds_a_violation_and_every_situation_is_met(simulation: Simulation) -> None:
    """Asiento keeps every promise through eight storms, which between them meet every situation of the table."""
    story = Story()
    for seed in SEEDS:
        story.add(simulation.run(seed))
    missed = [situation.name for situation in SITUATIONS if not reached(situation, story.situations)]
    assert missed == []
    assert story.accidents > 300


def test_a_seed_is_replayed_exactly(opened: tuple[Town, ...]) -> None:
    """Asiento's simulation takes the same steps, meets the same situations and ends in the same bytes for the same seed."""

    def lived() -> tuple[int, dict[str, int], dict[str, bytes], list[str]]:
        random = Random("again")  # noqa: S311  a seed is the point
        world = World(opened[1], random, Weather.of(random))
        world.live_through(postings_of(opened[1], accidents(3)))
        ledger = {str(key): document for key, document in world.ledger.documents.items()}
        return world.director.steps, dict(world.situations), ledger, sorted(world.raw.objects)

    assert lived() == lived()


def test_a_crew_sees_what_one_process_sees(simulation: Simulation) -> None:
    """Asiento's simulation tells the same story of a seed in whatever process it runs."""
    alone, together = Story(), Story()
    for seed in (1, 2):
        alone.add(simulation.run(seed))
    for story in stories((1, 2), workers=2):
        together.add(story)
    assert together == alone


def test_the_seeds_reach_what_they_are_for() -> None:
    """Asiento's fixed seeds visit every town, and rebuild both with and without senseless deliveries."""
    rebuilding = [seed for seed in SEEDS if seed % REBUILD_EVERY == 0]
    assert {seed % len(SEASONS) for seed in SEEDS} == set(range(len(SEASONS)))
    assert {accidents(seed).corrupted_share > 0 for seed in rebuilding} == {True, False}


@pytest.mark.parametrize("defect", SHOWN, ids=lambda defect: f"{defect.invariant}: {defect.defect}")
def test_a_break_is_caught(simulation: Simulation, defect: Break) -> None:
    """Asiento's simulation catches a defect that breaks an invariant, and says which one it breaks."""
    caught = hunt(simulation, defect, HUNTED)
    assert caught is not None, f"nothing caught that {defect.defect}"
    assert caught.by in (defect.invariant, *defect.seen_as)


def test_the_page_tells_of_every_situation_and_break() -> None:
    """Asiento's page about the simulation names every situation that is met and every break that is caught."""
    page = DOCS.read_text(encoding="utf-8")
    told = [situation.name for situation in SITUATIONS] + [defect.defect for defect in BREAKS]
    assert [words for words in told if words not in page] == []
