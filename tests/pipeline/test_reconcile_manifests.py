"""Asiento fetches what webhooks did not bring of trips, and sees who sits where: real client, real stores, over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.simulator import Api, Chaos, Season
from local.simulator.mishaps import Mishaps
from local.simulator.moments import day_of
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Owner
from shared.domain.money import Money
from shared.domain.reconciliation import DifferenceType, ReconciliationRun
from shared.domain.times import Window
from shared.pipeline.reconcile import reconcile
from shared.pipeline.reconciliation.manifests import KINDS
from tests.pipeline.season_world import SeasonWorld, failures

SEED = 3


@pytest.fixture
def world(tmp_path: Path, few_days: Season) -> Iterator[SeasonWorld]:
    """A company whose platform is in good order."""
    with SeasonWorld(tmp_path, few_days) as world:
        yield world


@pytest.fixture
def disorderly(tmp_path: Path, few_days: Season) -> Iterator[SeasonWorld]:
    """A company of which every event came, and whose platform lists one mishap of each kind."""
    mishaps = Mishaps.plan(few_days.company, SEED)
    with SeasonWorld(tmp_path, few_days, Api(few_days.company, mishaps=mishaps)) as world:
        world.hear(Chaos())
        world.run("fetches")
        yield world


def look(world: SeasonWorld, window: Window | None = None) -> list[ReconciliationRun]:
    """Run the job as of now and derive what was fetched; return the runs of the days, then the one for people."""
    runs = world.run("manifests", window)
    world.run("fetches")
    return runs


def total(runs: list[ReconciliationRun], *names: str) -> int:
    """Return a count over all runs."""
    return sum(run.counts.get(name, 0) for run in runs for name in names)


def told(world: SeasonWorld) -> dict[ExceptionKind, FinanceException]:
    """Return the open exceptions about seats, of which there is at most one of a kind."""
    found = list(world.casebook.exceptions(kinds=KINDS))
    assert len({each.kind for each in found}) == len(found)
    return {each.kind: each for each in found}


def test_a_trip_is_known_whole(world: SeasonWorld) -> None:
    """Asiento asks for the manifest that a webhook tells the status of, and so learns its capacity; nothing is left to do."""
    world.hear(Chaos())
    world.run("fetches")
    manifests = list(world.ledger.entities(EntityKind.MANIFEST))
    assert len(manifests) == len(world.season.company.trips)
    assert {each.values["capacity"] for each in manifests} == {45}
    assert all(str(each.values["business_unit"]) for each in manifests)
    runs = look(world)
    assert total(runs, "trips") > 0
    assert total(runs, "refetched_before_departure", "refetched_after_departure", "incomplete", "asked") == 0
    assert told(world) == {}
    assert list(world.casebook.open_differences()) == []


def test_what_webhooks_did_not_bring_is_counted_and_fetched(world: SeasonWorld) -> None:
    """Asiento counts the manifests that it had to fetch again, before and after departure, fetches each, and needs it once."""
    world.hear(Chaos(seed=SEED, loss_share=0.4, undelivered_share=0))
    world.run("fetches")
    known = {each.key.entity_id for each in world.ledger.entities(EntityKind.MANIFEST) if not each.is_awaited}
    days = set(world.window.days())
    lacking = [
        trip
        for trip in world.season.company.trips.values()
        if trip.manifest_id not in known and day_of(trip.day_start_ms) in days
    ]
    assert lacking
    runs = look(world)
    assert failures(runs) == []
    assert total(runs, "refetched_after_departure") == len(lacking)
    assert total(runs, "refetched_before_departure") == 0, "the season is over"
    again = look(world)
    assert total(again, "refetched_after_departure", "incomplete") == 0


def test_losses_are_mended_before_people_hear_of_them(world: SeasonWorld) -> None:
    """Asiento keeps what the two sides tell otherwise as differences, mends them by fetching, and bothers nobody."""
    world.hear(Chaos(seed=SEED, loss_share=0.3, undelivered_share=0))
    world.run("fetches")
    look(world)
    opened = [each for each in world.casebook.open_differences() if each.job == "manifests"]
    assert {each.mismatch.type for each in opened} <= {DifferenceType.NO_LIVE_TICKET, DifferenceType.NO_SEAT}
    assert opened
    world.clock.put_forward(hours=3)
    runs = look(world)
    assert sum(run.closed for run in runs) >= len(opened)
    assert [each for each in world.casebook.open_differences() if each.job == "manifests"] == []
    assert list(world.casebook.exceptions(kinds=KINDS, is_open=None)) == []


def test_each_mishap_is_found_and_named(disorderly: SeasonWorld) -> None:
    """Asiento finds a seat sold twice, a passenger without a ticket, a ticket without a seat and a coach too small."""
    mishaps = disorderly.api.mishaps
    runs = look(disorderly)
    assert set(told(disorderly)) == {ExceptionKind.DOUBLE_SOLD_SEAT, ExceptionKind.OVER_CAPACITY}
    assert runs[-1].counts["waiting"] == 2, "fetching may mend what the two sides tell otherwise"
    disorderly.clock.put_forward(hours=2)
    assert failures(look(disorderly)) == []

    found = told(disorderly)
    assert found.keys() == set(KINDS)
    company = disorderly.season.company
    (doubled,) = mishaps.seats
    double = found[ExceptionKind.DOUBLE_SOLD_SEAT]
    assert (
        double.subject == f"manifest:betterez:{company.tickets[doubled].trip.manifest_id} seat {mishaps.seats[doubled]}"
    )
    assert f"ticket:betterez:{doubled}" in double.evidence["tickets"].split(", ")
    ((crowded, capacity),) = mishaps.capacities.items()
    crowd = found[ExceptionKind.OVER_CAPACITY]
    assert crowd.subject == f"manifest:betterez:{crowded}"
    assert (crowd.evidence["capacity"], crowd.evidence["passengers"]) == (str(capacity), str(capacity + 1))
    (stranger,) = mishaps.strangers.values()
    passenger = found[ExceptionKind.PASSENGER_WITHOUT_TICKET]
    assert passenger.subject == f"ticket:betterez:{stranger.id}"
    assert passenger.at_risk == Money("ARS", stranger.fare_minor)
    assert passenger.evidence["ledger"] == "absent"
    (left_out,) = mishaps.left_out
    seatless = found[ExceptionKind.TICKET_WITHOUT_SEAT]
    assert seatless.subject == f"ticket:betterez:{left_out}"
    assert seatless.at_risk == Money("ARS", company.tickets[left_out].fare_minor)
    assert seatless.evidence["manifest"] == f"manifest:betterez:{company.tickets[left_out].trip.manifest_id}"
    assert {each.owner for each in found.values()} == {Owner.OPERATIONS, Owner.FINANCE}
    names = {stranger.passenger.last_name, stranger.passenger.first_name, stranger.passenger.email}
    shown = " ".join(text for each in found.values() for text in each.evidence.values())
    assert not any(name in shown for name in names if name)


def test_one_case_is_one_exception(disorderly: SeasonWorld) -> None:
    """Asiento tells of a seat in its own kind of exception and not again as a lasting difference."""
    look(disorderly)
    disorderly.run("transactions")
    disorderly.clock.put_forward(hours=25)
    look(disorderly)
    disorderly.run("exceptions")
    kinds = [each.kind for each in disorderly.casebook.exceptions()]
    assert sorted(kinds) == sorted([*KINDS, ExceptionKind.NOT_FOUND]), "the stranger's sale is not known either"


def test_what_is_mended_is_closed_however_old_it_is(disorderly: SeasonWorld) -> None:
    """Asiento looks again at the day of whatever is open, outside its window too, and closes it when it is mended there."""
    look(disorderly)
    disorderly.clock.put_forward(hours=2)
    look(disorderly)
    assert len(told(disorderly)) == 4
    now = disorderly.clock.put_forward(days=30)
    elsewhere = Window(now, now)
    look(disorderly, elsewhere)
    assert len(told(disorderly)) == 4
    disorderly.api.mishaps.clear()
    runs = look(disorderly, elsewhere)
    assert told(disorderly) == {}
    assert runs[-1].counts["closed"] == 4
    assert list(disorderly.casebook.open_differences()) == []


def test_silence_closes_nothing(disorderly: SeasonWorld) -> None:
    """Asiento closes no exception while the platform does not answer, and the run for people fails."""
    look(disorderly)
    before = told(disorderly)
    disorderly.api.mishaps.clear()
    disorderly.misbehaviour.go_away("betterez")
    disorderly.clock.put_forward(hours=1)
    runs = reconcile("manifests", disorderly.reconciling, disorderly.window, disorderly.clock.now())
    assert runs[-1].has_failed
    assert told(disorderly).keys() == before.keys()


def test_the_first_look_is_a_day_before_departure(disorderly: SeasonWorld) -> None:
    """Asiento looks at tomorrow's trips before they depart, and says so in its counts."""
    day = disorderly.window.days()[2]
    today = Window.of_days(day, day)
    disorderly.clock.instant = today.start
    runs = reconcile("manifests", disorderly.reconciling, today, disorderly.clock.now())
    looked = [run.window for run in runs if run.window is not None]
    assert looked == [Window.of_days(each, each) for each in disorderly.window.days()[2:4]]


def test_a_provider_without_manifests_has_no_run(disorderly: SeasonWorld) -> None:
    """Asiento runs nothing for providers that list no manifests."""
    only = {name: each for name, each in disorderly.reconciling.counterparties.items() if name != "betterez"}
    others = replace(disorderly.reconciling, counterparties=only)
    assert reconcile("manifests", others, disorderly.window, disorderly.clock.now()) == []


def test_a_ticket_known_by_the_ledger_alone_is_asked_for(disorderly: SeasonWorld) -> None:
    """Asiento asks for a ticket that no manifest lists: so the ledger learns what became of it."""
    (left_out,) = disorderly.api.mishaps.left_out
    ticket = EntityKey(EntityKind.TICKET, "betterez", left_out)
    reconcile("manifests", disorderly.reconciling, disorderly.window, disorderly.clock.now())
    assert ticket in [each.message.key for each in disorderly.ledger.outbox(100, disorderly.clock.now())]
