"""Retries without their pauses: what is tested is whether they come, not how long they wait."""

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture
def no_pauses() -> Iterator[None]:
    """Let retries follow each other at once."""
    with stamina.set_testing(testing=True, attempts=4, cap=True):
        yield
