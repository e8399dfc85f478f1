"""Asiento recovers a season from the providers' APIs: real clients over HTTP, real stores, an independent company."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from local.simulator import Chaos, Season
from shared.domain.errors import PausedError
from shared.domain.reconciliation import Difference
from shared.domain.times import Window
from tests.pipeline.season_world import PROVIDERS, STRAGGLING_SHARE, SeasonWorld, failures

SEED = 11
SALES = 200
BRUISED = Chaos(seed=SEED, loss_share=0.3, duplicate_share=0.05, is_shuffled=True)
OUTAGE_HOURS = 6


@pytest.fixture(scope="module")
def season() -> Season:
    """A week's sales."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    return Season.generate(SEED, SALES, first_day=date(2026, 1, 5), last_day=date(2026, 1, 11))


@pytest.fixture
def clean(tmp_path: Path, season: Season) -> Iterator[SeasonWorld]:
    """The season as told, nothing lost, after the jobs have run."""
    with SeasonWorld(tmp_path / "clean", season) as world:
        world.hear(Chaos())
        world.settle_down()
        yield world


@pytest.fixture
def bruised(tmp_path: Path, season: Season) -> Iterator[SeasonWorld]:
    """The season with 30 % of its webhooks lost, 5 % duplicated, everything shuffled, and some announcements lost."""
    with SeasonWorld(tmp_path / "bruised", season) as world:
        world.hear(BRUISED, straggling=STRAGGLING_SHARE)
        yield world


def test_a_season_with_losses_and_an_outage_ends_as_the_clean_one(clean: SeasonWorld, bruised: SeasonWorld) -> None:
    """Asiento's ledger after losses, disorder and six hours without any provider is the clean run's, every gap closed."""
    assert bruised.hash != clean.hash
    bruised.run("transactions")
    opened = differences(bruised)
    assert len(opened) > 100
    assert bruised.ledger.outbox_depth() > 50, "what is missing is asked for when the providers go away"

    asked_before = bruised.misbehaviour.shown
    bruised.misbehaviour.go_away(*PROVIDERS)
    for _ in range(OUTAGE_HOURS):
        runs = bruised.pass_hour()
        assert any(run.has_failed for run in runs)
        assert not any(run.closed for run in runs), "silence closes nothing"
    assert bruised.misbehaviour.shown - asked_before < 100, "who is down is left alone"
    assert {pause.provider for pause in bruised.casebook.pauses() if pause.stands} == set(PROVIDERS)
    bruised.misbehaviour.come_back()
    bruised.settle_down()

    assert bruised.hash == clean.hash
    for world in (clean, bruised):
        every_gap_has_its_closure(world)
    assert differences(bruised).keys() >= opened.keys()


def every_gap_has_its_closure(world: SeasonWorld) -> None:
    """Check that nothing is open, failing, paused or waiting, and that each closure was made by a later comparison."""
    runs = {run.run_id: run for run in world.casebook.runs(limit=100_000)}
    for difference in differences(world).values():
        assert difference.closed_by_run is not None, str(difference.mismatch)
        closed_by = runs[difference.closed_by_run]
        assert not closed_by.has_failed
        assert closed_by.started_at > difference.opened_at
        assert closed_by.window is not None
        assert closed_by.window.start <= difference.window.start < difference.window.end <= closed_by.window.end
    assert list(world.casebook.exceptions()) == []
    assert [status.job for status in world.casebook.status() if status.is_failing] == []
    assert not any(pause.stands for pause in world.casebook.pauses())
    assert world.ledger.outbox_depth() == 0
    certificates = list(world.casebook.completeness())
    assert {each.day for each in certificates} >= set(world.window.days())
    assert [str(gap) for each in certificates for gap in each.gaps] == []
    first = [world.casebook.certificates_of(each.provider, each.kind, each.day)[0] for each in certificates]
    assert any(not each.is_complete for each in first) is bool(differences(world)), "each gap was certified as one"


def differences(world: SeasonWorld) -> dict[str, Difference]:
    """Return every difference that was ever opened, by identity and opening run."""
    opening = [run.run_id for run in world.casebook.runs(limit=100_000) if run.opened]
    return {
        f"{each.difference_id}/{each.opened_by_run}": each
        for run_id in opening
        for each in world.casebook.differences_of(run_id)
        if each.opened_by_run == run_id
    }


def test_an_outage_is_paused_more_and_more_and_caught_up_with(bruised: SeasonWorld) -> None:
    """Asiento asks a provider that is away less and less often, at least twice an hour, and goes on by itself."""
    counterparties = {name: bruised.reconciling.counterparties[name] for name in ("mercadopago", "stripe")}
    bruised.reconciling = replace(bruised.reconciling, counterparties=counterparties)
    bruised.window = Window.of_days(bruised.season.first_day, bruised.season.last_day)
    bruised.misbehaviour.go_away("stripe")
    asked: list[int] = []
    for _ in range(4 * 6):
        before = bruised.misbehaviour.shown
        bruised.clock.put_forward(minutes=10)
        runs = bruised.run("transactions")
        asked.append(bruised.misbehaviour.shown - before)
        assert not failures(run for run in runs if run.provider != "stripe"), "the others are asked as ever"
    assert asked[0] == 6, "three questions, each asked twice, begin the pause"
    assert set(asked[1:]) == {0, 2}, "afterwards one question at a time is tried"
    assert 3 <= asked[6:].count(2) <= 6, "twice an hour at most"
    (pause,) = (each for each in bruised.casebook.pauses() if each.stands)
    assert (pause.provider, pause.reason.partition(":")[0]) == ("stripe", "BusyError")
    errors = failures(bruised.run("transactions"))
    assert errors
    assert all(error.startswith(PausedError.__name__) and "asked again by itself" in error for error in errors)

    bruised.misbehaviour.come_back()
    bruised.clock.put_forward(minutes=31)
    assert not failures(bruised.run("transactions"))
    assert not any(each.stands for each in bruised.casebook.pauses())
