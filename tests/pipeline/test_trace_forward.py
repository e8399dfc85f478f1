"""Tracing forward: a delivery leads to all that it changed, and what it leads to leads back to it."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path

import pytest

from shared.bi.cells import turned_round
from shared.bi.certification import Grain, catalog
from shared.bi.models import Trace
from shared.domain.errors import NotFoundError, TerminalError
from shared.pipeline.trace import trace_figure
from shared.pipeline.trace_forward import DeliveryChange, MartRows, render_change, trace_forward
from tests.bi.small_season import A, SmallSeason, SmallWorld, hex_id

T1, S1 = f"ticket:betterez:{hex_id('T1')}", f"sale:betterez:{hex_id('S1')}"


@pytest.fixture
def season() -> SmallSeason:
    """Everything that happened, told and signed."""
    return SmallSeason()


@pytest.fixture
def world(season: SmallSeason, tmp_path: Path) -> Iterator[SmallWorld]:
    """The small season, derived and published."""
    world = SmallWorld(tmp_path)
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    yield world
    world.close()


def delivery_with(season: SmallSeason, content: bytes) -> str:
    """Return the id of the first delivery that holds these bytes."""
    return next(delivery.delivery_id for delivery in season.deliveries if content in delivery.body)


def test_says_what_a_scan_changed(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento says of a scan that the ticket's status stands by it, where the ticket is shown, and what certifies it."""
    change = trace_forward(world.tracing, delivery_with(season, b'"event-t1-boarded"'))
    assert (change.outcome, change.entity_count, change.attempts) == ("applied", 1, 1)
    assert change.delivery.is_proved
    (entity,) = change.entities
    assert entity.entity == T1
    assert entity.stands["status"] == "boarded"
    assert "fare_minor" not in entity.stands  # of a fixed field the first statement stands
    assert MartRows("mart.fact_ticket", "ticket", 1) in entity.mart
    cell = next(
        each for each in entity.cells if (each.view, each.figure) == ("viz.revenue_by_day_route", "earned_minor")
    )
    assert (cell.key["business_day"], cell.key["route_id"], cell.amount) == (date(2026, 1, 10), "route-1", 1_234_567)
    january = Grain("2026-01", "ARS", A)
    assert [(each.grain, each.figure, each.amount_minor) for each in entity.certified] == [
        (january, "fares_earned", 1_234_567),
        (january, "tickets_issued", 1_234_567),
    ]
    kept = {row["certificate_id"] for row in world.warehouse.query("SELECT * FROM certificates.certificate", {})}
    assert {each.certificate_id for each in entity.certified} <= kept


def test_says_what_was_said_again_since(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento says of the first statement about a ticket which of its fields no longer stand by it."""
    change = trace_forward(world.tracing, delivery_with(season, b'"event-s1"'))
    told = {entity.entity: entity for entity in change.entities}
    assert told[T1].superseded["status"] == "open"
    assert told[T1].stands["fare_minor"] == 1_234_567
    assert S1 in told
    assert told[S1].stands["status"] == "paid"


def test_says_of_a_duplicate_whose_it_is(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento says of a delivery that came again that it changed nothing, and which one came before it."""
    first = next(delivery for delivery in season.deliveries if b'"event-s2"' in delivery.body)
    again = season.post("betterez", "transaction.completed", first.body, "2026-01-06 10:00")
    world.keep_and_derive([again])
    change = trace_forward(world.tracing, again.delivery_id)
    assert (change.outcome, change.entity_count, change.entities) == ("duplicate", 0, ())
    assert first.delivery_id in change.reason


def walk_back(world: SmallWorld, change: DeliveryChange) -> int:
    """Trace each cell that a delivery changed back to the bytes; return how many there were."""
    walked = 0
    for entity in change.entities:
        for cell in entity.cells:
            key = {name: str(value) for name, value in cell.key.items()}
            back = trace_figure(world.tracing, cell.view, key, cell.figure, shown_max=1_000)
            items = [item for item in back.items if item.entity == entity.entity]
            assert sum(item.amount for item in items) == cell.amount
            assert change.delivery.delivery_id in {fact.delivery.delivery_id for item in items for fact in item.facts}
            walked += 1
    return walked


def test_leads_to_cells_that_lead_back(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's ways forward and back agree: every cell that a delivery is part of leads back to that delivery."""
    walked = [walk_back(world, trace_forward(world.tracing, each.delivery_id)) for each in season.deliveries[::8]]
    assert sum(walked) >= 6
    assert sum(1 for count in walked if count) >= len(walked) // 2


def test_shows_nothing_of_what_is_not_published(season: SmallSeason, tmp_path: Path) -> None:
    """Asiento leads to entities, and to no cell and no certificate, where nothing was published yet."""
    world = SmallWorld(tmp_path)
    world.keep_and_derive(season.deliveries)
    change = trace_forward(world.tracing, delivery_with(season, b'"event-s1"'))
    assert change.entity_count > 2
    assert not any(entity.cells or entity.mart or entity.certified for entity in change.entities)
    world.close()


def test_follows_the_first_entities_and_counts_the_rest(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento follows a bounded number of the entities of a large delivery, and says how many there are."""
    delivery_id = delivery_with(season, b'"event-s1"')
    whole = trace_forward(world.tracing, delivery_id)
    change = trace_forward(world.tracing, delivery_id, entities_max=1)
    assert (change.entity_count, len(change.entities)) == (whole.entity_count, 1)
    assert render_change(change)[-1] == f"  and {whole.entity_count - 1} more entities"


def test_prints_the_way(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento prints the way from a delivery to certificates as lines, and shows nobody's name."""
    change = trace_forward(world.tracing, delivery_with(season, b'"event-t1-boarded"'))
    text = "\n".join(render_change(change))
    assert "applied after 1 attempts" in text
    assert "viz.revenue_by_day_route earned_minor business_day=2026-01-10 route_id=route-1" in text
    assert f"(2026-01 ARS {A}) fares_earned: ARS 12345.67" in text
    assert "Passenger" not in text + str(asdict(change))


def test_names_what_never_came(world: SmallWorld) -> None:
    """Asiento says of an id without outcome that nothing came under it or that it waits."""
    with pytest.raises(NotFoundError, match="no delivery delivery-9999 has an outcome: it never came, or it waits"):
        trace_forward(world.tracing, "delivery-9999")


def test_turns_every_trace_round() -> None:
    """Asiento can turn every trace of every view round: each names its row where that can be answered."""
    turned = [turned_round(model, trace).sql for model in catalog() for trace in model.traces]
    assert len(turned) >= 4
    assert all("@entity" in sql for sql in turned)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT entity, field, amount FROM mart.fact_ticket",
        "WITH t AS (SELECT * FROM mart.fact_ticket WHERE currency = @currency) SELECT entity, field, amount FROM t",
        "SELECT entity, field, amount FROM mart.fact_ticket WHERE currency = @currency OR route_id = @route_id",
        "SELECT entity, field, amount FROM mart.fact_ticket WHERE currency = @currency AND business_day <= @business_day",
    ],
    ids=["none", "too-early", "either", "otherwise"],
)
def test_refuses_a_trace_that_cannot_be_turned_round(sql: str) -> None:
    """Asiento refuses a trace that does not name its row in its last WHERE, and names view, figure and column."""
    view = next(model for model in catalog() if model.name == "viz.revenue_by_day_route")
    with pytest.raises(TerminalError, match=r"viz\.revenue_by_day_route\.tickets: its trace "):
        turned_round(view, Trace("tickets", "Tickets.", sql))
