"""One season for all tests of the simulator: large enough that every kind of thing happens in it."""

import pytest

from local.simulator import Season

SEED = 2026
SALES = 1_500


@pytest.fixture(scope="session")
def season() -> Season:
    """Return a season; its seed is in the name of the fixture's module and in every failure."""
    print(f"season seed {SEED}, {SALES} sales")  # noqa: T201  pytest shows it with a failure
    return Season.generate(SEED, SALES)
