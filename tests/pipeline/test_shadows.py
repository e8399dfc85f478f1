"""Shadows: another definition of a view is compared on every build, told, promoted by one line, and stops nothing."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from shared.bi.certification import catalog
from shared.bi.models import FOLDER, Model, read_model
from shared.domain.errors import TerminalError
from shared.pipeline import rebuild_bi
from shared.pipeline.rebuild_bi import build_hash
from shared.pipeline.shadows import Shadowed
from tests.bi.small_season import A, SmallSeason, SmallWorld, ticket

VIEW = "viz.revenue_by_day_route"


@pytest.fixture
def season() -> SmallSeason:
    """Everything that happened, told and signed."""
    return SmallSeason()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    """Empty stores."""
    world = SmallWorld(tmp_path)
    yield world
    world.close()


def board_after_midnight(season: SmallSeason) -> None:
    """Sell a seat on the trip of 11 February to somebody who gets on at half past midnight, and one on a trip of the 14th."""
    for name, departs, travel_day in (
        ("T7", "2026-02-12 00:30", "2026-02-11"),
        ("T8", "2026-02-15 00:10", "2026-02-14"),
    ):
        told = ticket(name, "S4", A, 900_000, "2026-02-11 10:00", departs, travelDate=travel_day)
        season.platform(name, "ticket.created", "2026-02-11 10:00", told)
    told = ticket("T9", "S4", A, 100_000, "2026-02-11 10:00", "2026-02-14 08:00", travelDate="2026-02-14")
    season.platform("t9", "ticket.created", "2026-02-11 10:00", told)


def with_shadow(view: str, sql: str) -> tuple[Model, ...]:
    """Return the models with another shadow for one view."""
    return tuple(replace(model, shadow_sql=sql) if model.name == view else model for model in catalog())


def test_says_where_both_definitions_agree(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento tells of every build that a view and its shadow show the same rows, before the build is published."""
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert result.shadows == (Shadowed(VIEW, same=4),)
    assert result.shadows[0].agrees
    assert str(result.shadows[0]) == (
        f"{VIEW}: 4 rows are the same, 0 differ, 0 are only in what is shown, 0 only in the shadow"
    )


def test_tells_each_way_of_being_different(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento counts rows that only one definition shows and rows that differ, names one, and certifies all the same."""
    board_after_midnight(season)
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert not result.has_failed
    # 12 and 15 February are only shown, 11 is only in the shadow, and 14 differs.
    assert result.shadows == (
        Shadowed(VIEW, 4, only_shown=2, only_shadow=1, different=1, first=f"2026-02-11 route-1 ARS {A}"),
    )
    certificates = list(world.warehouse.query("SELECT DISTINCT shadows FROM certificates.certificate", {}))
    assert [json.loads(str(row["shadows"])) for row in certificates] == [
        [
            {
                "view": VIEW,
                "same": 4,
                "only_shown": 2,
                "only_shadow": 1,
                "different": 1,
                "first": f"2026-02-11 route-1 ARS {A}",
                "failure": "",
            }
        ]
    ]


def test_compares_nothing_with_nothing(world: SmallWorld) -> None:
    """Asiento finds a view and its shadow the same where neither has a row."""
    assert world.rebuild("build-1").shadows == (Shadowed(VIEW),)


def test_compares_the_build_in_hand(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento compares the rows of the build that it judges, not those that an earlier one had published."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    before = len(season.deliveries)
    board_after_midnight(season)
    world.keep_and_derive(season.deliveries[before:])
    assert world.rebuild("build-2").shadows[0].only_shadow == 1


BROKEN = {
    "SELECT nothing FROM mart.fact_ticket": "nothing",
    "SELECT * FROM analytics.of_somebody": "of_somebody",
    "SELEC 1": "not GoogleSQL",
    "SELECT CAST('x' AS INT64) AS tickets, * EXCEPT (tickets) FROM viz.revenue_by_day_route": "failed on the data",
}
"""Shadows that cannot be asked (a column, a table, syntax, a value), and what is said of each."""


def test_is_stopped_by_no_shadow(season: SmallSeason, world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento certifies and publishes as ever when a shadow cannot be asked, and says why it could not."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    shown, digest = world.shown(), build_hash(world.warehouse, "build-1")
    for number, (sql, failure) in enumerate(BROKEN.items(), start=2):
        monkeypatch.setattr(rebuild_bi, "catalog", partial(with_shadow, VIEW, sql))
        result = world.rebuild(f"build-{number}")
        assert len(result.certified) == 4
        assert failure in result.shadows[0].failure
        assert not result.shadows[0].agrees
        assert str(result.shadows[0]).startswith(f"{VIEW}: the shadow cannot be asked: ")
    monkeypatch.undo()
    assert world.shown() == shown
    assert build_hash(world.warehouse, f"build-{number}") == digest


def test_promotes_a_shadow_by_one_line(
    season: SmallSeason, world: SmallWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento shows the shadow's rows once `definition: shadow` stands in model.yaml, and compares the former ones with it."""
    board_after_midnight(season)
    world.keep_and_derive(season.deliveries)
    layer, name = VIEW.split(".")
    shutil.copytree(FOLDER / layer / name, tmp_path / layer / name)
    about = tmp_path / layer / name / "model.yaml"
    about.write_text(about.read_text(encoding="utf-8") + "definition: shadow\n", encoding="utf-8")
    promoted = read_model(about.parent)
    former = read_model(FOLDER / layer / name)
    assert (promoted.sql, promoted.shadow_sql) == (former.shadow_sql, former.sql)
    models = tuple(promoted if model.name == VIEW else model for model in catalog())
    monkeypatch.setattr(rebuild_bi, "catalog", lambda: models)
    result = world.rebuild("build-1")
    assert (result.shadows[0].only_shown, result.shadows[0].only_shadow) == (1, 2)
    rows = world.warehouse.query(f"SELECT business_day, tickets FROM {VIEW} WHERE tickets = 2", {})  # noqa: S608  a view of ours
    assert [str(row["business_day"]) for row in rows] == ["2026-02-14"]


@pytest.mark.parametrize(("line", "has_shadow"), [("definition: other", True), ("definition: shadow", False)])
def test_refuses_a_definition_that_is_none(tmp_path: Path, line: str, has_shadow: bool) -> None:  # noqa: FBT001  a case
    """Asiento refuses a view whose definition is neither the model nor a shadow that is there."""
    layer, name = VIEW.split(".")
    place = tmp_path / layer / name
    shutil.copytree(FOLDER / layer / name, place)
    if not has_shadow:
        (place / "shadow.sql").unlink()
    about = place / "model.yaml"
    about.write_text(f"{about.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
    with pytest.raises(TerminalError, match="definition is model, or shadow where there is a shadow"):
        read_model(place)


def test_refuses_a_shadow_of_a_table(tmp_path: Path) -> None:
    """Asiento refuses a shadow that it would not compare: one of a table."""
    place = tmp_path / "mart" / "account"
    shutil.copytree(FOLDER / "mart" / "account", place)
    (place / "shadow.sql").write_text("SELECT 1", encoding="utf-8")
    with pytest.raises(TerminalError, match=r"mart\.account/shadow\.sql: only a view may have a shadow"):
        read_model(place)
