"""The commands `dictionary` and `analytics`: what a table means, and the analysts' views over what is certified."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.domain.errors import SettingsError
from tests.bi.small_season import SmallSeason, SmallWorld

RUNNER = CliRunner()


def told(*arguments: str) -> str:
    """Return what a command that succeeds prints."""
    answer = RUNNER.invoke(app, arguments, catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def test_lists_every_table() -> None:
    """Asiento lists the tables of every layer with grain and owner."""
    listed = {each["table"]: each for each in json.loads(told("dictionary", "--json"))}
    assert {name.partition(".")[0] for name in listed} == {
        "staging", "mart", "control", "certificates", "viz", "analytics",
    }  # fmt: skip
    assert listed["viz.cash_by_day"]["owner"] == "finance"
    assert "viz.cash_by_day" in told("dictionary")


def test_says_what_a_table_means() -> None:
    """Asiento says what one row of a table is, and of each column its unit, its meaning and what it is computed of."""
    meaning = json.loads(told("dictionary", "viz.revenue_by_day_route", "--json"))
    assert meaning["grain"] == "One row per day of departure, route, currency and business unit."
    earned = next(each for each in meaning["columns"] if each["column"] == "earned_minor")
    assert (earned["unit"], earned["computed_of"]) == ("minor units", ["mart.fact_ticket.fare_minor"])
    assert "Owner: finance." in told("dictionary", "viz.revenue_by_day_route")


def test_names_a_table_that_is_none() -> None:
    """Asiento says that there is no such table and how to find those that there are."""
    with pytest.raises(SettingsError, match=r"there is no table 'viz\.nothing'; `asiento dictionary` alone lists them"):
        told("dictionary", "viz.nothing")


def test_makes_the_free_views(tmp_path: Path) -> None:
    """Asiento makes the free views over what is certified, and makes them again without complaint."""
    world = SmallWorld(tmp_path)
    world.keep_and_derive(SmallSeason().deliveries)
    world.rebuild("build-1")
    world.close()
    for _ in range(2):
        assert "analytics.no_shows_by_route" in told("analytics", "--home", str(tmp_path))
    warehouse = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
    assert len(list(warehouse.query("SELECT * FROM analytics.no_shows_by_route", {}))) == 3
    warehouse.close()
