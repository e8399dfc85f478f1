"""Tracing: every published number leads back to the bytes, and adds up on the way."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from shared.adapters.embedded.secrets import EnvironmentSecrets
from shared.bi.certification import catalog
from shared.bi.models import Model
from shared.domain.deliveries import Channel
from shared.domain.errors import NotFoundError, TerminalError
from shared.pipeline import trace as tracing
from shared.pipeline.trace import FigureTrace, key_columns, render, trace_delivery, trace_figure
from shared.ports.warehouse import Cell
from tests.bi.small_season import A, B, SmallSeason, SmallWorld, hex_id, ticket

REVENUE, CASH = "viz.revenue_by_day_route", "viz.cash_by_day"
NEVER_IN_THE_SEASON = {
    "viz.settlement_by_day.disputed_minor",
    "viz.settlement_by_day.reversed_minor",
    "viz.settlement_by_day.unexplained_minor",
}
"""Figures to which nothing of the small season comes."""
T1_DAY = {"business_day": "2026-01-10", "route_id": "route-1", "currency": "ARS", "business_unit": A}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    """The small season, derived and published."""
    world = SmallWorld(tmp_path)
    world.keep_and_derive(SmallSeason().deliveries)
    world.rebuild("build-1")
    yield world
    world.close()


def walk_row(world: SmallWorld, model: Model, row: Mapping[str, Cell]) -> Counter[str]:
    """Walk each number of one row back to the bytes, and return how many entities are behind each."""
    key = {name: str(row[name]) for name in key_columns(model)}
    walked: Counter[str] = Counter()
    for figure in [trace.figure for trace in model.traces if row[trace.figure] is not None]:
        trace = trace_figure(world.tracing, model.name, key, figure, shown_max=100)
        assert trace.amount == row[figure] == sum(item.amount for item in trace.items)
        assert trace.is_proved
        for item in trace.items:
            standing = [fact for fact in item.facts if fact.stands]
            stated = [fact.stated[item.field] for fact in standing] if item.field else []
            assert stated in ([item.amount], [-item.amount]) if item.field else standing
            for fact in item.facts:
                kept = world.raw.read(fact.delivery.object_name)
                assert (fact.delivery.body_sha256, fact.delivery.body_bytes) == (kept.body_sha256, len(kept.body))
        walked[f"{model.name}.{figure}"] += trace.item_count
    for column in model.columns:
        if column.ratio:
            part, whole = (int(str(row[name] or 0)) for name in column.ratio)
            assert row[column.name] == (10_000 * part // whole if whole else None)
    return walked


def test_walks_every_number_back_to_bytes(tmp_path: Path) -> None:
    """Asiento leads from each number of each view to facts, bytes and a signature that holds, and sums them up again."""
    world, season = SmallWorld(tmp_path), SmallSeason()
    season.tell_of_seats_and_settlements()
    world.keep_and_derive(season.deliveries)
    assert len(world.rebuild("build-1").certified) == 4
    views = [model for model in catalog() if model.layer == "viz"]
    walked: Counter[str] = Counter()
    for model in views:
        for row in world.warehouse.query(f"SELECT * FROM {model.name}", {}):  # noqa: S608  one of our views
            walked += walk_row(world, model, row)
    figures_of = {f"{model.name}.{trace.figure}" for model in views for trace in model.traces}
    assert figures_of - walked.keys() == NEVER_IN_THE_SEASON
    assert walked["viz.revenue_by_day_route.earned_minor"] == 4
    assert walked["viz.coverage_by_service.seats_offered"] == 3
    assert walked["viz.settlement_by_day.paid_out_minor"] == 1
    world.close()


def test_gives_every_number_of_a_view_a_way_back() -> None:
    """Asiento leaves no number of a view without a way back: each is traced, or a share of two that are."""
    for model in catalog():
        if model.layer == "viz":
            traced = {trace.figure for trace in model.traces}
            numbers = {column.name for column in model.columns if column.type == "INT64"}
            assert traced == numbers - {column.name for column in model.columns if column.ratio}, model.name
            assert {name for column in model.columns for name in column.ratio} <= traced, model.name


def test_names_what_a_share_is_made_of(world: SmallWorld) -> None:
    """Asiento traces no share, and names the two figures that it is made of."""
    with pytest.raises(
        NotFoundError, match="is the share of seats_sold in seats_offered, in 1/10,000: trace these two"
    ):
        trace_figure(world.tracing, "viz.coverage_by_service", T1_DAY, "load_factor_bp")


def test_says_what_a_row_does_not_tell(world: SmallWorld) -> None:
    """Asiento says that a figure is not told of a row, rather than showing it as nothing."""
    with pytest.raises(NotFoundError, match=r"viz\.coverage_by_service does not tell seats_offered of this row"):
        trace_figure(world.tracing, "viz.coverage_by_service", {**T1_DAY, "service_id": "service-1"}, "seats_offered")


def test_shows_the_tree(world: SmallWorld) -> None:
    """Asiento prints a trace as a tree: figure, entity, facts, delivery, bytes, signature."""
    lines = render(trace_figure(world.tracing, REVENUE, T1_DAY, "earned_minor"))
    assert lines[0] == (
        f"viz.revenue_by_day_route.earned_minor = ARS 12345.67  (business_day 2026-01-10, route_id route-1, currency ARS, "
        f"business_unit {A})"
    )
    assert lines[1] == "The fares of the live tickets that departed on the day. 1 of them, summed again to the figure."
    assert lines[2] == f"└─ ticket:betterez:{hex_id('T1')}  ARS 12345.67  boarded"
    assert lines[3] == (
        "   ├─ fact of 2026-01-05 13:00:00Z, event betterez:event-s1: says fare_minor 1234567, and stands"
    )
    assert lines[4].startswith(
        "   │  └─ delivery 2026/01/05/13/betterez/webhook/delivery-0000, received 2026-01-05 13:00:05Z"
    )
    assert "sha256" in lines[5]
    assert lines[6] == "   │     └─ signature verified again (HMAC-SHA256, hex or base64 by length)"
    assert sum("fact of" in line for line in lines) == 3


def test_counts_without_following_all(world: SmallWorld) -> None:
    """Asiento sums every row of a large figure and follows only the first ones to their bytes."""
    season = SmallSeason()
    before = len(season.deliveries)
    for number in range(12):
        told = ticket(f"T7{number}", "S4", A, 1_000 + number, "2026-02-11 10:00", "2026-02-12 08:00")
        season.platform(f"t7{number}", "ticket.created", "2026-02-11 10:00", told)
    world.keep_and_derive(season.deliveries[before:])
    world.rebuild("build-2")
    trace = trace_figure(world.tracing, REVENUE, {**T1_DAY, "business_day": "2026-02-12"}, "earned_minor", shown_max=2)
    assert (trace.amount, trace.item_count, len(trace.items)) == (12 * 1_000 + 66, 12, 2)
    assert render(trace)[-1].startswith("└─ and 10 more, together ARS ")


def test_says_what_is_not_signed(world: SmallWorld) -> None:
    """Asiento says of an API answer that it was fetched, by which call, and that it carries no signature."""
    fetched = next(each for each in SmallSeason().deliveries if each.channel is Channel.FETCH)
    traced = trace_delivery(world.tracing, fetched)
    assert traced.is_proved
    assert traced.signature == "fetched over TLS by GET /v1/payments/88, not signed"
    assert (
        "read from report.csv"
        in trace_delivery(world.tracing, replace(fetched, channel=Channel.FILE, target="report.csv")).signature
    )


def test_does_not_hide_a_signature_that_fails(world: SmallWorld) -> None:
    """Asiento says that a signature does not hold when the secret is another one, and does not call the number proved."""
    world.secrets = EnvironmentSecrets({"ASIENTO_SECRET_BETTEREZ_WEBHOOK": "another"})
    trace = trace_figure(world.tracing, REVENUE, T1_DAY, "tickets")
    assert not trace.is_proved
    assert "signature does not hold with the secrets that are live today: signature_wrong" in "\n".join(render(trace))


@pytest.mark.parametrize(
    ("view", "key", "figure", "says"),
    [
        (REVENUE, T1_DAY, "nothing", "viz.revenue_by_day_route.nothing cannot be traced; these can: .*earned_minor"),
        ("viz.nothing", T1_DAY, "tickets", "cannot be traced"),
        (REVENUE, {**T1_DAY, "business_day": "2026-01-11"}, "tickets", "its month is not certified"),
        (REVENUE, {**T1_DAY, "business_day": "tomorrow"}, "tickets", "business_day is a day, YYYY-MM-DD"),
        (REVENUE, {**T1_DAY, "business_unit": B}, "tickets", "its month is not certified"),
        (REVENUE, {"route_id": "route-1"}, "tickets", "is named by business_day, route_id, currency, business_unit"),
        (REVENUE, {**T1_DAY, "route_id": "route-1' OR '1' = '1"}, "tickets", "shows no row"),
    ],
)
def test_names_what_is_not_there(world: SmallWorld, view: str, key: dict[str, str], figure: str, says: str) -> None:
    """Asiento says what it cannot trace and what it can."""
    with pytest.raises(NotFoundError, match=says):
        trace_figure(world.tracing, view, key, figure)


def test_refuses_a_trace_that_does_not_add_up(world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento shows no trace whose rows do not sum to the figure."""
    models = tuple(
        replace(
            model,
            traces=tuple(replace(each, sql=each.sql.replace("SELECT", "SELECT 1 AS one,", 1)) for each in model.traces),
        )
        if model.name != REVENUE
        else replace(
            model, traces=tuple(replace(each, sql=each.sql.replace("ticket.is_live", "FALSE")) for each in model.traces)
        )
        for model in catalog()
    )
    monkeypatch.setattr(tracing, "catalog", lambda: models)
    with pytest.raises(TerminalError, match="shows 1 and its 0 rows sum to 0"):
        trace_figure(world.tracing, REVENUE, T1_DAY, "tickets")


def test_asks_for_a_rebuild_when_the_ledger_has_moved_on(world: SmallWorld) -> None:
    """Asiento does not mix a published number with a ledger that says something else by now."""

    def traced() -> FigureTrace:
        return trace_figure(world.tracing, REVENUE, T1_DAY, "earned_minor")

    traced()
    season = SmallSeason()
    # A lower stamp under another event: of a field that may never differ the lowest statement stands.
    told = ticket("T1", "S1", A, 1_234_000, "2026-01-05 09:00", "2026-01-10 08:00")
    world.keep_and_derive([season.platform("t1-before", "ticket.created", "2026-01-05 09:00", told)])
    with pytest.raises(
        TerminalError, match="fare_minor was 1234567 in the published build and is 1234000 in the ledger; rebuild"
    ):
        traced()
