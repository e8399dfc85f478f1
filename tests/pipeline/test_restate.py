"""Restating: a certified month that changes says from what to what, and which statements are behind it, to the cent."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.bi.certification import Grain, catalog
from shared.bi.restatement import FIGURES_MODEL, FigureChange, Restatement, items_sql, read_restatement
from shared.domain.facts import EntityKey
from shared.pipeline import restate
from shared.pipeline.restate import kept_restatements, render
from tests.bi.small_season import (
    AS_OF,
    A,
    SmallSeason,
    SmallWorld,
    hex_id,
    moment,
    payment,
    refund,
    ticket,
    transaction,
)

JAN_A, FEB_A = Grain("2026-01", "ARS", A), Grain("2026-02", "ARS", A)
LATER = AS_OF + timedelta(hours=1)


@pytest.fixture
def season() -> SmallSeason:
    """Everything that happened, told and signed."""
    return SmallSeason()


@pytest.fixture
def world(season: SmallSeason, tmp_path: Path) -> Iterator[SmallWorld]:
    """The small season, derived and published as build-1."""
    world = SmallWorld(tmp_path)
    world.keep_and_derive(season.deliveries)
    assert not world.rebuild("build-1").has_failed
    yield world
    world.close()


def by_name(restatement: Restatement) -> dict[str, FigureChange]:
    """Return the changed figures by name."""
    return {figure.figure: figure for figure in restatement.figures}


def given_back_late(season: SmallSeason) -> None:
    """Have the platform tell late that T2 was given back on 15 January: 8,000.00 less 800.00."""
    t2 = ticket("T2", "S1", A, 800_000, "2026-01-05 10:00", "2026-02-02 08:00")
    back = refund("R2", "T2", "C1", "S1", A, "2026-01-15 12:00", "cancellation", 800_000, 80_000)
    gone = {**t2, "status": "cancelled", "refundId": hex_id("R2"), "updatedAt": moment("2026-01-15 12:00")}
    season.platform("t2-gone", "ticket.updated", "2026-01-15 12:00", gone)
    cancelled = transaction("C1", A, "cancellation", "2026-01-15 12:00", -720_000, [], original="S1", refunds=[back])
    season.platform("c1", "transaction.completed", "2026-01-15 12:00", cancelled)


def test_explains_a_late_refund_to_the_cent(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento says of each month that a late refund changes: certified X, now Y, and the deliveries that explain Y less X."""
    before = len(season.deliveries)
    given_back_late(season)
    came = season.deliveries[before:]
    world.keep_and_derive(came, LATER)
    january, february = world.rebuild("build-2").restated
    assert (january.grain, february.grain) == (JAN_A, FEB_A)
    assert {
        name: (figure.certified_minor, figure.now_minor, figure.explained_minor, figure.unexplained_minor)
        for name, figure in by_name(january).items()
    } == {
        "refunds_cash_amount": (450_000, 1_170_000, 720_000, 0),
        "refunds_cash_item": (500_000, 1_300_000, 800_000, 0),
        "refunds_cash_penalty": (50_000, 130_000, 80_000, 0),
    }
    earned = by_name(february)["fares_earned"]
    assert (earned.certified_minor, earned.now_minor, earned.change_minor) == (1_500_000, 700_000, -800_000)
    assert (earned.certified_count, earned.now_count, earned.item_count) == (2, 1, 1)
    (gone,) = earned.items
    assert (gone.entity, gone.was_minor, gone.is_minor) == (f"ticket:betterez:{hex_id('T2')}", 800_000, None)
    assert gone.fields["status"] == ("open", "refunded")
    assert gone.why == "is counted no more: told of otherwise since"
    assert {each.delivery_id for each in gone.statements} <= {delivery.delivery_id for delivery in came}
    assert january.is_explained
    assert february.is_explained


def test_says_nothing_where_nothing_changed(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento restates no month whose figures are the same, however often it is built and whatever is told again."""
    t2 = ticket("T2", "S1", A, 800_000, "2026-01-05 10:00", "2026-02-02 08:00")
    world.keep_and_derive([season.platform("t2-again", "ticket.updated", "2026-01-06 10:00", t2)], LATER)
    assert world.rebuild("build-2").restated == ()
    assert kept_restatements(world.warehouse) == []


def test_keeps_restatements_for_ever(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento keeps each restatement as it was written, reads it back whole, and adds none when it builds again."""
    given_back_late(season)
    world.keep_and_derive(season.deliveries[-2:], LATER)
    restated = world.rebuild("build-2").restated
    world.rebuild("build-3")
    assert sorted(kept_restatements(world.warehouse), key=lambda each: each.grain) == list(restated)
    assert kept_restatements(world.warehouse, "2026-02") == [restated[1]]
    (row,) = world.warehouse.query("SELECT * FROM certificates.restatement WHERE month = '2026-01'", {})
    assert read_restatement(row).row() == row


def test_keeps_the_rows_of_both_builds_until_the_next_one(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento keeps the rows that a restatement is about beside the new ones until the build after it."""

    def builds() -> list[object]:
        rows = world.warehouse.query("SELECT DISTINCT build_id FROM mart.fact_ticket ORDER BY build_id", {})
        return [row["build_id"] for row in rows]

    given_back_late(season)
    world.keep_and_derive(season.deliveries[-2:], LATER)
    world.rebuild("build-2")
    assert builds() == ["build-1", "build-2"]
    world.rebuild("build-3")
    assert builds() == ["build-3"]


def test_says_what_is_not_explained(world: SmallWorld) -> None:
    """Asiento says of a change that no statement is behind that it is not explained, of which entity, and by how much."""
    altered = (
        "UPDATE mart.fact_ticket SET fare_minor = 1234566 WHERE fare_minor = 1234567",
        "UPDATE certificates.certificate SET figures = REPLACE(REPLACE(figures, '2534567', '2534566'), '1234567', '1234566')",
    )
    for number, sql in enumerate(altered):
        world.warehouse.execute(sql, {}, job_id=f"altered-{number}")
    (restatement,) = world.rebuild("build-2").restated
    assert not restatement.is_explained
    earned, issued = by_name(restatement)["fares_earned"], by_name(restatement)["tickets_issued"]
    for figure in (earned, issued):
        assert (figure.change_minor, figure.explained_minor, figure.unexplained_minor) == (1, 0, 1)
        (item,) = figure.items
        assert (item.was_minor, item.is_minor, item.statements) == (1_234_566, 1_234_567, ())
        assert "nothing that was told since changes it" in item.why
    assert "    explained ARS 0.00, not explained ARS 0.01, not followed ARS 0.00" in render(restatement)


def test_sums_what_it_does_not_follow(season: SmallSeason, world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento follows the largest items of a long change and sums the others, so that all of it is accounted for."""
    monkeypatch.setattr(restate, "FOLLOWED_MAX", 3)
    for number in range(10):
        sold = ticket(f"L{number}", "S1", A, 1_000 * (number + 1), "2026-01-05 10:00", "2026-01-12 08:00")
        season.platform(f"l{number}", "ticket.created", "2026-01-06 10:00", sold)
    world.keep_and_derive(season.deliveries[-10:], LATER)
    (restatement,) = world.rebuild("build-2").restated
    issued = by_name(restatement)["tickets_issued"]
    assert [item.change_minor for item in issued.items] == [10_000, 9_000, 8_000]
    assert (issued.item_count, issued.change_minor) == (10, 55_000)
    assert (issued.explained_minor, issued.not_followed_minor, issued.unexplained_minor) == (27_000, 28_000, 0)
    assert {item.why for item in issued.items} == {"is counted now: first told of since"}


def test_finds_what_an_entity_points_at(world: SmallWorld, season: SmallSeason) -> None:
    """Asiento explains a payment that counts elsewhere by what came about it, and names the field that moved."""
    moved = transaction(
        "S2", A, "sale", "2026-01-06 09:00", 500_000, [payment("5000.00", "2026-02-06 09:00")], tickets=[]
    )
    moved["transaction"]["updatedAt"] = moment("2026-02-07 09:00")
    world.keep_and_derive([season.platform("s2-moved", "transaction.updated", "2026-02-07 09:00", moved)], LATER)
    for restatement in world.rebuild("build-2").restated:
        for figure in restatement.figures:
            assert figure.change_minor == figure.explained_minor
            assert all(item.statements for item in figure.items)


def test_reads_like_a_sentence(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento prints a restatement so that an auditor can follow it from the figure to the object in the raw store."""
    given_back_late(season)
    world.keep_and_derive(season.deliveries[-2:], LATER)
    text = render(world.rebuild("build-2").restated[1])
    assert text[0].startswith(f"2026-02 ARS {A}: certified 2026-03-02 15:00Z by build build-1, restated")
    assert "  fares_earned: certified ARS 15000.00 in 2 items, now ARS 7000.00 in 1: ARS -8000.00" in text
    assert any("status open → refunded" in line for line in text)
    assert any("event betterez:event-t2-gone, delivery 2026/01/15/15/betterez/webhook/" in line for line in text)


def test_sums_items_to_the_figures(world: SmallWorld) -> None:
    """Asiento's items are those that the certified figures sum: entities of the ledger, each once per figure, to the cent."""
    model = next(model for model in catalog() if model.name == FIGURES_MODEL)
    items = list(world.warehouse.query(items_sql(model), {"build_id": "build-1"}))
    for item in items:
        assert world.ledger.entity(EntityKey.parse(str(item["entity"]))) is not None
    assert len({(item["figure"], item["entity"]) for item in items}) == len(items)
    grain = ("month", "currency", "business_unit", "figure")
    summed: dict[tuple[object, ...], tuple[int, int]] = {}
    for item in items:
        count, minor = summed.get(place := tuple(item[name] for name in grain), (0, 0))
        assert isinstance(item["amount_minor"], int)
        summed[place] = count + 1, minor + item["amount_minor"]
    stored = world.warehouse.query("SELECT * FROM mart.figure", {})
    kept = {tuple(row[name] for name in grain): (row["item_count"], row["amount_minor"]) for row in stored}
    assert {place: summed[place] for place in kept} == kept
