"""The small company as a fixture, and a few days of the simulated one."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from local.simulator import Season
from tests.pipeline.small_company import Company

SEED = 5


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A company whose provider lists and fetches sales."""
    company = Company(tmp_path)
    yield company
    company.close()


@pytest.fixture(scope="session")
def few_days() -> Season:
    """Three days of a small season; whoever asks for it changes nothing of it."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    return Season.generate(SEED, sales=60, first_day=date(2026, 1, 5), last_day=date(2026, 1, 7))
