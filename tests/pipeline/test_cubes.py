"""The cubes: coverage, revenue, settlement, refunds and transactions as a person works them out, tied to what is certified."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from shared.bi.certification import Judgement, catalog
from shared.ports.warehouse import Cell
from tests.bi.small_season import A, B, SmallSeason, SmallWorld, refund, ticket

JAN_10, JAN_15, FEB_1 = date(2026, 1, 10), date(2026, 1, 15), date(2026, 2, 1)
FEB_2, FEB_12, FEB_20 = date(2026, 2, 2), date(2026, 2, 12), date(2026, 2, 20)


@pytest.fixture
def season() -> SmallSeason:
    """Everything that happened, told and signed, with seats and settlements."""
    season = SmallSeason()
    season.tell_of_seats_and_settlements()
    return season


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    """Empty stores."""
    world = SmallWorld(tmp_path)
    yield world
    world.close()


def published(season: SmallSeason, world: SmallWorld) -> tuple[Judgement, ...]:
    """Derive and rebuild, and return what was certified, which is all of it."""
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert not result.has_failed, result.refused[0].differences
    return result.certified


def rows(world: SmallWorld, view: str, *columns: str) -> list[tuple[Cell, ...]]:
    """Return some columns of a view, in order."""
    places = ", ".join(str(place) for place in range(1, len(columns) + 1))
    sql = f"SELECT {', '.join(columns)} FROM {view} ORDER BY {places}"  # noqa: S608  our own names
    found = world.warehouse.query(sql, {})
    return [tuple(row.values()) for row in found]


def test_shows_how_full_each_departure_was(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows of each departure seats offered, sold and travelled, its fares and its load; also of an empty coach."""
    published(season, world)
    shown = rows(
        world, "viz.coverage_by_service", "business_day", "seats_offered", "seats_sold", "boarded", "no_show", "unscanned",
        "fare_minor", "load_factor_bp",
    )  # fmt: skip
    assert shown == [
        (JAN_10, 40, 1, 1, 0, 0, 1_234_567, 250),
        (JAN_15, 44, 0, 0, 0, 0, 0, 0),
        (FEB_1, None, 1, 0, 0, 1, 300_050, None),
        (FEB_2, None, 1, 0, 0, 1, 800_000, None),
        (FEB_20, 3, 1, 0, 1, 0, 700_000, 3_333),
    ]


def test_offers_no_seat_of_a_trip_that_does_not_run(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento counts no seats of a trip that was canceled."""
    season.manifest("M2", A, "2026-01-15", 44, "2026-01-14 08:00", status="canceled")
    published(season, world)
    days = {day for (day,) in rows(world, "viz.coverage_by_service", "business_day")}
    assert JAN_15 not in days


def test_compares_seats_with_the_tickets_of_the_same_departures(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's load of a route leaves out tickets of departures whose seats nobody told."""
    for name, service in (("T7", "service-1"), ("T8", "service-2")):
        told = ticket(name, "S4", A, 100_000, "2026-02-11 10:00", "2026-02-12 08:00", scheduleId=service)
        season.platform(name, "ticket.created", "2026-02-11 10:00", told)
    season.manifest("M7", A, "2026-02-12", 10, "2026-02-11 08:00")
    published(season, world)
    shown = rows(
        world, "viz.coverage_by_route", "business_day", "seats_offered", "seats_sold", "seats_sold_of_offered", "load_factor_bp"
    )  # fmt: skip
    assert (FEB_12, 10, 2, 1, 1_000) in shown
    assert (FEB_1, None, 1, 0, None) in shown


def test_shows_each_leg_with_the_seats_of_its_coach(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows the legs of a departure as passengers bought them, each beside all seats of the coach."""
    for name, origin, destination in (
        ("T7", "Retiro", "Rosario"),
        ("T8", "Rosario", "Salta"),
        ("T9", "Rosario", "Salta"),
    ):
        places = {"from": origin, "to": destination}
        told = ticket(name, "S4", A, 100_000, "2026-02-11 10:00", "2026-02-12 08:00", **places)
        season.platform(name, "ticket.created", "2026-02-11 10:00", told)
    season.manifest("M7", A, "2026-02-12", 10, "2026-02-11 08:00")
    published(season, world)
    legs = rows(world, "viz.coverage_by_leg", "business_day", "origin", "destination", "seats_offered", "seats_sold")
    assert [leg[1:] for leg in legs if leg[0] == FEB_12] == [("Retiro", "Rosario", 10, 1), ("Rosario", "Salta", 10, 2)]


def test_puts_a_passenger_after_midnight_on_the_trip_that_he_took(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento counts a passenger who gets on after midnight with the trip of the day before, as its manifest does."""
    told = ticket("T7", "S4", A, 100_000, "2026-02-19 10:00", "2026-02-21 00:30", travelDate="2026-02-20")
    season.platform("t7", "ticket.created", "2026-02-19 10:00", told)
    published(season, world)
    sold = rows(world, "viz.coverage_by_service", "business_day", "seats_offered", "seats_sold")
    assert (FEB_20, 3, 2) in sold


def test_tells_tickets_by_the_manifest_of_their_trip(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows tickets whose trip has a manifest, with its status, apart from those whose trip has none."""
    season.manifest("M1", A, "2026-01-10", 40, "2026-01-09 08:00", status="paused")
    published(season, world)
    assert rows(world, "viz.coverage_by_manifest", "business_day", "manifest_status", "seats_sold") == [
        (JAN_10, "paused", 1),
        (FEB_1, "none", 1),
        (FEB_2, "none", 1),
        (FEB_20, "published", 1),
    ]


def test_shows_revenue_by_channel_and_agency(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows what each channel and agency sold by month of sale, and what of it was earned by month of travel."""
    told = ticket("T7", "S4", B, 100_000, "2026-01-30 10:00", "2026-03-12 08:00", channel="agency", agencyId="agency-1")
    season.platform("t7", "ticket.created", "2026-01-30 10:00", told)
    published(season, world)
    shown = rows(
        world, "viz.revenue_by_channel", "business_unit", "sale_month", "travel_month", "channel", "agency_id", "tickets_issued",
        "issued_minor", "tickets_earned", "earned_minor",
    )  # fmt: skip
    assert shown == [
        (A, "2026-01", "2026-01", "backoffice", "none", 2, 1_734_567, 1, 1_234_567),
        (A, "2026-01", "2026-02", "backoffice", "none", 1, 800_000, 1, 800_000),
        (A, "2026-02", "2026-02", "backoffice", "none", 2, 1_400_000, 1, 700_000),
        (B, "2026-01", "2026-02", "backoffice", "none", 1, 300_050, 1, 300_050),
        # March is not over: what it earns is absent, not nothing.
        (B, "2026-01", "2026-03", "agency", "agency-1", 1, 100_000, None, None),
    ]


def test_shows_how_money_comes_from_processors(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows by processor and day what came, went back, was kept, was paid out, and what still waits."""
    published(season, world)
    shown = rows(
        world, "viz.settlement_by_day", "processor", "business_day", "captured_minor", "reversed_minor", "refunded_minor",
        "fees_minor", "paid_out_minor", "disputed_minor", "unexplained_minor", "waiting_minor",
    )  # fmt: skip
    assert shown == [
        ("inperson", date(2026, 1, 5), 1_000_000, 0, 0, 0, 0, 0, 0, 0),
        ("inperson", date(2026, 1, 6), 500_000, 0, 0, 0, 0, 0, 0, 0),
        ("inperson", date(2026, 1, 8), 0, 0, 450_000, 0, 0, 0, 0, 0),
        ("inperson", date(2026, 2, 3), 700_000, 0, 0, 0, 0, 0, 0, 0),
        ("mercadopago", date(2026, 1, 31), 300_050, 0, 0, 0, 0, 0, 0, 300_050),
        ("stripe", date(2026, 1, 5), 1_034_567, 0, 0, 0, 0, 0, 0, 0),
        ("stripe", date(2026, 1, 7), 0, 0, 0, 34_567, 0, 0, 0, 0),
        ("stripe", date(2026, 1, 9), 0, 0, 0, 0, 1_000_000, 0, 0, 0),
    ]


NOTICE = {
    "2026-02-10 07:59": "over 48 h",
    "2026-02-10 08:00": "24 to 48 h",
    "2026-02-11 08:00": "24 to 48 h",
    "2026-02-11 08:01": "1 to 24 h",
    "2026-02-12 07:00": "1 to 24 h",
    "2026-02-12 07:01": "under 1 h",
    "2026-02-12 08:01": "after departure",
}
"""When a ticket of 12 February, 8:00, is given back, and what that is called."""


def test_tells_the_notice_of_a_refund(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento sorts a refund by its notice before departure, by the bounds of the Argentine rule, to the minute."""
    called = {}
    for number, (given, notice) in enumerate(NOTICE.items()):
        told = ticket(f"T7{number}", "S4", A, 900_000, "2026-02-01 10:00", "2026-02-12 08:00")
        back = refund(f"R7{number}", f"T7{number}", "S4", "S4", A, given, "cancellation", 900_000, 90_000)
        season.platform(f"t7{number}", "ticket.created", "2026-02-01 10:00", told)
        season.platform(f"r7{number}", "refund.created", given, back)
        called[f"refund:betterez:{back['_id']}"] = (notice, "7 to 30 days")
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    found = {key: value for key, *value in rows(world, "mart.fact_refund_notice", "refund", "notice", "held")}
    assert {key: tuple(found[key]) for key in called} == called


def test_shows_refunds_and_their_delay(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows refunds by notice and by how long the ticket was held, with the share that was kept."""
    published(season, world)
    shown = rows(
        world, "viz.refunds_by_notice", "business_day", "refund_type", "notice", "held", "refunds", "item_minor", "penalty_minor",
        "amount_minor", "kept_bp",
    )  # fmt: skip
    assert shown == [
        (date(2026, 1, 8), "cash", "over 48 h", "1 to 7 days", 1, 500_000, 50_000, 450_000, 1_000),
        (date(2026, 2, 4), "exchange", "over 48 h", "1 to 7 days", 1, 700_000, 0, 700_000, 0),
    ]


def test_shows_the_latest_event_of_each_transaction(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows when each transaction was last told as paid and when as cancelled, in Argentine time."""
    published(season, world)
    assert rows(world, "viz.latest_transaction_event", "transaction_id", "status", "event_at", "total_minor") == [
        ("S1", "paid", "2026-01-05 10:00:00", 2_034_567),
        ("S2", "cancelled", "2026-01-08 12:00:00", -450_000),
        ("S2", "paid", "2026-01-06 09:00:00", 500_000),
        ("S3", "paid", "2026-01-31 23:30:00", 300_050),
        ("S4", "paid", "2026-02-03 10:00:00", 700_000),
        ("X4", "paid", "2026-02-04 11:00:00", 0),
    ]


def test_sums_up_to_what_is_certified(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's cubes sum to the certified figures of their months, each to the cent."""
    certified = {judgement.grain: judgement for judgement in published(season, world)}
    sums: Counter[tuple[str, str, str, str]] = Counter()
    for figure, month, column, view in (
        ("tickets_issued", "sale_month", "issued_minor", "viz.revenue_by_channel"),
        ("fares_earned", "travel_month", "earned_minor", "viz.revenue_by_channel"),
        ("payments_captured", "FORMAT_DATE('%Y-%m', business_day)", "captured_minor", "viz.settlement_by_day"),
        ("refunds", "FORMAT_DATE('%Y-%m', business_day)", "amount_minor", "viz.refunds_by_notice"),
    ):
        for of_month, currency, unit, amount in rows(
            world, view, f"{month} AS of_month", "currency", "business_unit", column
        ):
            if amount is not None:
                sums[figure, str(of_month), str(currency), str(unit)] += int(str(amount))
    for grain, judgement in certified.items():
        for figure in ("tickets_issued", "fares_earned", "payments_captured"):
            assert sums.pop((figure, *grain), 0) == judgement.figure(figure).ledger_minor, (grain, figure)
        given_back = [judgement.figure(f"refunds_{kind}_amount").ledger_minor for kind in ("cash", "exchange")]
        assert sums.pop(("refunds", *grain), 0) == sum(given_back), grain
    assert not +sums


def test_settles_as_the_books_say(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's settlement adds to what a processor holds, month by month, exactly what the identity of its balance says."""
    published(season, world)
    net = (
        "CAST(SUM(captured_minor - reversed_minor - refunded_minor - fees_minor - paid_out_minor - disputed_minor "
        "- unexplained_minor) AS INT64) AS net"
    )
    added = world.warehouse.query(
        f"SELECT FORMAT_DATE('%Y-%m', business_day) AS month, processor, business_unit, {net} "  # noqa: S608  our own names
        "FROM viz.settlement_by_day GROUP BY month, processor, business_unit",
        {},
    )
    booked = world.warehouse.query(
        "SELECT month, processor, business_unit, closing_minor - opening_minor AS net FROM mart.movement_clearing", {}
    )
    assert {tuple(row.values()) for row in added if row["net"]} == {tuple(row.values()) for row in booked if row["net"]}


def test_shows_no_row_of_a_month_that_is_refused(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's views show nothing at all of a month and business unit that is refused, whatever the cube."""
    world.misread(
        "betterez", lambda values: {**values, "fare_minor": 7} if values.get("fare_minor") == 300_050 else values
    )
    world.keep_and_derive(season.deliveries)
    assert {judgement.grain.business_unit for judgement in world.rebuild("build-1").refused} == {B}
    for model in catalog():
        if model.layer == "viz":
            units = {unit for (unit,) in rows(world, model.name, "business_unit")}
            assert units == {A}, model.name
