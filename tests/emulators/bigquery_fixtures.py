"""The BigQuery emulator as fixtures; a test module imports those that it uses."""

import os
from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest

from shared.adapters.google.calls import Patience
from shared.adapters.google.warehouse import GoogleWarehouse, open_client
from tests.emulators.bigquery import BigQueryEmulator
from tests.emulators.bigquery_process import CannotBeMadeError, ready_environment, running
from tests.emulators.fixtures import fresh_name

LOCATION = "southamerica-east1"
PATIENT = Patience(first_pause_s=0.01, longest_pause_s=0.05, deadline_s=5.0, try_s_max=60.0)
"""Short pauses, and a single try as long as a busy machine needs for one statement."""

OpenWarehouse = Callable[..., GoogleWarehouse]


@pytest.fixture(scope="session")
def _bigquery_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryEmulator]:
    """One process a session; a test skips where it cannot be installed, and fails where CI is set."""
    try:
        python = ready_environment()
    except CannotBeMadeError as cannot:
        if os.environ.get("CI"):
            pytest.fail(f"bqemulator must run where CI is set: {cannot}")
        pytest.skip(f"bqemulator cannot be installed here: {cannot}")
    with (
        running(python, tmp_path_factory.mktemp("bqemulator"), "asiento-test") as address,
        BigQueryEmulator(address) as emulator,
    ):
        yield emulator


@pytest.fixture
def bigquery(_bigquery_server: BigQueryEmulator) -> BigQueryEmulator:
    """The BigQuery emulator, with no faults planned and counts at zero."""
    _bigquery_server.clear()
    return _bigquery_server


@pytest.fixture
def open_warehouse(bigquery: BigQueryEmulator) -> Iterator[OpenWarehouse]:
    """Opens warehouses on one new project, each as another run of the same step would."""
    project = fresh_name("warehouse")
    opened: list[GoogleWarehouse] = []

    def another(patience: Patience = PATIENT) -> GoogleWarehouse:
        with patch.dict(os.environ, {"BIGQUERY_EMULATOR_HOST": bigquery.url}):
            opened.append(GoogleWarehouse(open_client(project, LOCATION), patience))
        return opened[-1]

    yield another
    for warehouse in opened:
        warehouse.close()
