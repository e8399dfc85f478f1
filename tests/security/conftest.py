"""The emulator of Secret Manager as fixtures."""

from tests.emulators.fixtures import (  # noqa: F401  pytest finds fixtures by their names in a conftest
    _secret_manager_server,
    secret_manager,
    secret_manager_client,
)
