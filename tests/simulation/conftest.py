"""What the simulation's tests share: the towns, opened once, and the runs in them."""

from collections.abc import Iterator

import pytest

from tests.simulation.runs import Simulation
from tests.simulation.town import Town, towns


@pytest.fixture(scope="session")
def opened() -> Iterator[tuple[Town, ...]]:
    """The towns, with the servers of their providers."""
    with towns() as opened_towns:
        yield opened_towns


@pytest.fixture(scope="session")
def simulation(opened: tuple[Town, ...]) -> Simulation:
    """Runs in these towns."""
    return Simulation(opened)
