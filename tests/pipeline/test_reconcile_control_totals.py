"""Asiento holds what each cash session came to at the platform against its ledger, to the cent, over HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from local.simulator import Api, Chaos, Season
from local.simulator.mishaps import Mishaps
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.money import Money
from shared.domain.reconciliation import Difference, DifferenceType, ReconciliationRun
from shared.domain.times import Window, to_ms
from tests.pipeline.season_world import SeasonWorld, failures

SEED = 4


@pytest.fixture
def world(tmp_path: Path, few_days: Season) -> Iterator[SeasonWorld]:
    """A company of whose shifts one is a cent off at the platform, unless it is put in order."""
    api = Api(few_days.company, mishaps=Mishaps.plan(few_days.company, SEED))
    with SeasonWorld(tmp_path, few_days, api) as world:
        yield world


def compare(world: SeasonWorld, window: Window | None = None) -> list[ReconciliationRun]:
    """Run the job as of now."""
    days = Window.of_days(world.season.first_day, world.season.last_day)
    return world.run("control_totals", window or days)


def standing(world: SeasonWorld) -> list[Difference]:
    """Return the open differences of this job."""
    return [each for each in world.casebook.open_differences() if each.job == "control_totals"]


def test_every_session_agrees(world: SeasonWorld) -> None:
    """Asiento agrees with the platform on every closed session: payments by method, refunds in one, no drift anywhere."""
    world.api.mishaps.clear()
    world.hear(Chaos())
    runs = compare(world)
    assert failures(runs) == []
    assert len(runs) == 3
    assert all(run.counts["shifts"] > 0 for run in runs)
    assert sum(run.counts["totals"] for run in runs) > 20
    assert {amount for run in runs for amount in run.drift_minor.values()} == {0}
    assert standing(world) == []


def test_a_cent_too_much_is_found_named_and_closed(world: SeasonWorld) -> None:
    """Asiento names the session, the method and the cent, keeps the drift, and closes it when the platform is mended."""
    world.hear(Chaos())
    ((shift, off_minor),) = world.api.mishaps.cents_off.items()
    runs = compare(world)
    assert sum(run.drift_minor.get("ARS", 0) for run in runs) == off_minor == 1
    (difference,) = standing(world)
    mismatch = difference.mismatch
    assert mismatch.type is DifferenceType.TOTAL_DIFFERS
    assert mismatch.key == EntityKey(EntityKind.SHIFT, "betterez", shift)
    assert mismatch.about == "cash payments in ARS"
    assert mismatch.provider is not None
    assert mismatch.ledger is not None
    assert mismatch.provider.amount_minor == (mismatch.ledger.amount_minor or 0) + 1
    assert difference.at_risk == Money("ARS", 1)

    world.clock.put_forward(hours=25)
    world.run("exceptions")
    (told,) = world.casebook.exceptions()
    assert told.subject == f"shift:betterez:{shift} total_differs cash payments in ARS"
    world.api.mishaps.clear()
    assert sum(run.closed for run in compare(world)) == 1
    world.run("exceptions")
    assert standing(world) == []
    assert list(world.casebook.exceptions()) == []


def test_what_the_ledger_lacks_shows_as_drift_until_it_is_fetched(world: SeasonWorld) -> None:
    """Asiento's totals differ while sales are missing here, and agree once the other jobs have fetched them."""
    world.api.mishaps.clear()
    world.hear(Chaos(seed=SEED, loss_share=0.3, undelivered_share=0))
    runs = compare(world)
    assert sum(run.drift_minor.get("ARS", 0) for run in runs) > 0
    assert standing(world)
    for job in ("transactions", "fetches"):
        world.run(job, Window.of_days(world.season.first_day, world.season.last_day))
    compare(world)
    assert standing(world) == []
    assert {amount for run in compare(world) for amount in run.drift_minor.values()} == {0}


def test_an_open_session_waits(world: SeasonWorld) -> None:
    """Asiento does not compare a session that is open, or was closed within the hour: its last sales are under way."""
    world.api.mishaps.clear()
    world.hear(Chaos())
    day = world.season.first_day
    today = Window.of_days(day, day)
    world.clock.instant = today.end - timedelta(hours=1)
    (run,) = compare(world, today)
    ms_now = to_ms(world.clock.instant)
    shifts = [
        shift
        for shift in world.season.company.shifts.values()
        if to_ms(today.start) <= shift.opened_at_ms < to_ms(today.end)
    ]
    settled = [shift for shift in shifts if shift.closed_at_ms is not None and shift.closed_at_ms <= ms_now - 3_600_000]
    assert run.counts["shifts"] == len(shifts)
    assert run.counts["waiting"] == len(shifts) - len(settled) > 0


def test_days_to_come_are_not_compared(world: SeasonWorld) -> None:
    """Asiento asks nothing about days that have not begun."""
    now = world.clock.now()
    assert compare(world, Window(now + timedelta(days=2), now + timedelta(days=4))) == []
