"""The pinned contract of the ticketing platform, as it stands and as a document to change; a season that follows it."""

from typing import Any

import pytest

from local.simulator import Season
from shared.contracts.snapshot import FOLDER, Contract, contract, parse

SEED = 2026
SALES = 200


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """Return the pinned document; tests change copies of it."""
    return parse((FOLDER / "betterez" / "openapi.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def pinned_contract(document: dict[str, Any]) -> Contract:
    """Return the pinned contract."""
    return contract(document)


@pytest.fixture(scope="session")
def season() -> Season:
    """Return a season of the simulator."""
    print(f"season seed {SEED}, {SALES} sales")  # noqa: T201  pytest shows it with a failure
    return Season.generate(SEED, SALES)
