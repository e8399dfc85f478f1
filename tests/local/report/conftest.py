"""A small company's report, written once for the tests of this folder."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from local.report.drill import Drill
from local.report.figures import shown_months
from local.report.page import report_page
from shared.pipeline.restate import kept_restatements
from tests.bi.small_season import AS_OF, SmallSeason, SmallWorld
from tests.pipeline.test_restate import given_back_late


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallWorld]:
    """The small season, certified, and certified again after a refund that was told late."""
    world = SmallWorld(tmp_path_factory.mktemp("report"))
    season = SmallSeason()
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    before = len(season.deliveries)
    given_back_late(season)
    world.keep_and_derive(season.deliveries[before:], AS_OF + timedelta(hours=1))
    world.rebuild("build-2")
    yield world
    world.close()


@pytest.fixture(scope="package")
def page(world: SmallWorld) -> str:
    """The report of it."""
    return report_page(shown_months(world.warehouse), kept_restatements(world.warehouse), Drill(world.tracing), AS_OF)
