"""The small season, derived, as a fixture of the tests of the BI layer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bi.small_season import SmallSeason, SmallWorld


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
