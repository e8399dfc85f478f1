"""Lineage: every column of viz leads back to staging, by what its value is computed of."""

from functools import cache

import pytest

from shared.bi.certification import catalog
from shared.bi.inputs import INPUTS
from shared.bi.lineage import ROWS, Place, Sources, origins, path, sources
from shared.bi.models import Column, Model, Trace


@cache
def steps() -> Sources:
    """Return the lineage of every model, found once."""
    return sources(catalog())


def test_leads_every_figure_back_to_staging() -> None:
    """Asiento leads every figure of every view, in the end, to columns of staging, and to nothing else."""
    staged = {each.name: each.columns for each in INPUTS if each.name.startswith("staging.")}
    for model in catalog():
        for figure in (column.name for column in model.columns if model.layer == "viz" and column.type == "INT64"):
            found = origins(Place(model.name, figure), steps())
            assert found, f"{model.name}.{figure}"
            assert all(place.column in staged[place.table] for place in found), (model.name, figure, found)


@pytest.mark.parametrize(
    ("column", "computed_of", "in_the_end"),
    [
        ("earned_minor", {"mart.fact_ticket.fare_minor"}, {"staging.ticket.fare_minor"}),
        ("business_day", {"mart.fact_ticket.departure_day"}, {"staging.ticket.departs_at_ms"}),
        ("tickets", {"mart.fact_ticket.ticket"}, {"staging.ticket.key"}),
    ],
)
def test_names_what_a_column_is_computed_of(column: str, computed_of: set[str], in_the_end: set[str]) -> None:
    """Asiento names the columns of the mart and of staging that a column of a view is computed of."""
    place = Place("viz.revenue_by_day_route", column)
    assert set(map(str, steps()[place])) == computed_of
    assert set(map(str, origins(place, steps()))) == in_the_end


def test_computes_a_share_of_both_of_its_figures() -> None:
    """Asiento says of a share that it is computed of all that its two figures are."""
    share = Place("viz.coverage_by_service", "load_factor_bp")
    for figure in ("seats_sold", "seats_offered"):
        assert steps()[Place(share.table, figure)] <= steps()[share]


def model(name: str, sql: str, *columns: str, traces: tuple[Trace, ...] = ()) -> Model:
    """Return a model whose columns are numbers."""
    described = tuple(Column(column, "INT64", "A number.") for column in columns)
    return Model(name, "", "One row per thing.", "finance", described, sql, (), traces, is_view=name.startswith("viz."))


def test_follows_steps_unions_and_conditions() -> None:
    """Asiento follows a value through steps, unions and conditions, and leaves out what only joins or filters."""
    first = model(
        "mart.first",
        "WITH a AS (SELECT key, fare_minor AS f FROM staging.ticket WHERE seat = '1') "
        "SELECT IF(a.f > 0, p.amount_minor, 0) AS n, COUNT(*) AS counted, 1 AS one FROM a "
        "JOIN staging.payment AS p ON p.sale = a.key GROUP BY n, one",
        "n",
        "counted",
    )
    second = model(
        "viz.second",
        "SELECT n AS total FROM mart.first WHERE build_id = 'x' UNION ALL SELECT item_minor FROM staging.refund",
        "total",
        "counted",
        traces=(Trace("counted", "All.", "SELECT key AS entity, '' AS field, 1 AS amount FROM staging.refund"),),
    )
    second = model(
        second.name, second.sql.replace("AS total", "AS total, 1 AS counted").replace("item_minor", "item_minor, 1"),
        "total", "counted", traces=second.traces,
    )  # fmt: skip
    found = sources([first, second])
    assert found[Place("mart.first", "n")] == {
        Place("staging.ticket", "fare_minor"),
        Place("staging.payment", "amount_minor"),
    }
    assert found[Place("mart.first", "counted")] == {Place("staging.ticket", ROWS), Place("staging.payment", ROWS)}
    assert found[Place("viz.second", "total")] == {Place("mart.first", "n"), Place("staging.refund", "item_minor")}
    assert found[Place("viz.second", "counted")] == {Place("staging.refund", "key")}
    assert str(Place("staging.ticket", ROWS)) == "rows of staging.ticket"
    assert list(path(Place("viz.second", "total"), found)) == [
        (Place("mart.first", "n"), Place("viz.second", "total")),
        (Place("staging.refund", "item_minor"), Place("viz.second", "total")),
        (Place("staging.payment", "amount_minor"), Place("mart.first", "n")),
        (Place("staging.ticket", "fare_minor"), Place("mart.first", "n")),
    ]
