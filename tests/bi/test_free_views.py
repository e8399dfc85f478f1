"""Free views: analysts build on what is certified, and production never depends on them."""

from dataclasses import replace
from pathlib import Path

import pytest

from shared.bi.certification import catalog
from shared.bi.inputs import INPUTS
from shared.bi.models import Model, read_free_views
from shared.bi.ordering import free_ordered, ordered, references
from shared.domain.errors import TerminalError
from tests.bi.small_season import SmallSeason, SmallWorld


def view(name: str, sql: str) -> Model:
    """Return a view without columns."""
    return Model(name, "", "One row per thing.", "analysts", (), sql, (), (), is_view=True)


def test_answers_from_what_is_certified(tmp_path: Path) -> None:
    """Asiento's free views run on what viz shows, with the columns that they say they have."""
    world = SmallWorld(tmp_path)
    world.keep_and_derive(SmallSeason().deliveries)
    world.rebuild("build-1")
    found = {}
    for each in free_ordered(read_free_views(), catalog()):
        world.warehouse.make_view(each.name, each.sql, replace=True)
        found[each.name] = list(world.warehouse.query(f"SELECT * FROM {each.name}", {}))  # noqa: S608  ours
        assert all(list(row) == [column.name for column in each.columns] for row in found[each.name])
    shares = {(row["month"], row["no_show_bp"]) for row in found["analytics.no_shows_by_route"]}
    assert shares == {("2026-01", 0), ("2026-02", 0), ("2026-02", 5_000)}
    # The one cash refund of the season keeps 10 % with more than 48 hours' notice, as the rule says.
    assert found["analytics.refunds_against_the_rule"] == []
    world.close()


def test_builds_without_them() -> None:
    """Asiento's builds know no free view: none is made, read or waited for by a model, a check, a trace or a shadow."""
    for model in catalog():
        statements = [model.sql, model.shadow_sql, *(check.sql for check in model.checks)]
        statements += [trace.sql for trace in model.traces]
        read = set().union(*(references(sql) for sql in statements if sql))
        assert not {name for name in read if name.startswith("analytics.")}, model.name


def test_refuses_a_model_that_depends_on_a_free_view() -> None:
    """Asiento refuses production that reads a free view, and says so."""
    sql = "SELECT name FROM analytics.no_shows_by_route"
    with pytest.raises(
        TerminalError, match=r"viz\.of_mine reads analytics\.no_shows_by_route: production never depends"
    ):
        ordered([*catalog(), view("viz.of_mine", sql)], [each.name for each in INPUTS])


@pytest.mark.parametrize("table", ["mart.fact_ticket", "staging.deliveries", "certificates.certificate"])
def test_refuses_a_free_view_of_what_is_not_certified(table: str) -> None:
    """Asiento refuses a free view that reads anything but viz and other free views."""
    with pytest.raises(TerminalError, match=rf"analytics\.of_mine reads {table}: a free view reads viz"):
        free_ordered([view("analytics.of_mine", f"SELECT * FROM {table}")], catalog())  # noqa: S608  a case


def test_refuses_a_free_view_in_another_layer() -> None:
    """Asiento takes nothing for a free view that stands elsewhere or keeps rows."""
    free = view("analytics.of_mine", "SELECT * FROM viz.cash_by_day")
    for other in (replace(free, name="viz.of_mine"), replace(free, is_view=False)):
        with pytest.raises(TerminalError, match="is no free view"):
            free_ordered([other], catalog())


def test_orders_free_views_by_what_they_read() -> None:
    """Asiento makes a free view after the free views that it reads."""
    later = view("analytics.a", "SELECT * FROM analytics.b")
    former = view("analytics.b", "SELECT * FROM viz.cash_by_day")
    assert free_ordered([later, former], catalog()) == (former, later)
