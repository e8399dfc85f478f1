"""The small company as a fixture."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.small_company import Company


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A company whose provider lists and fetches sales."""
    company = Company(tmp_path)
    yield company
    company.close()
