"""The emulators, and the adapters on them."""

from collections.abc import Iterator

import pytest
from google.cloud.storage import Client

from shared.adapters.google.documents import Documents
from shared.adapters.google.ledger_store import GoogleLedgerStore
from shared.adapters.google.raw_store import GoogleRawStore
from tests.emulators.fixtures import (  # noqa: F401  pytest finds fixtures by their names in a conftest
    QUICK,
    _firestore_server,
    _pubsub_server,
    _secret_manager_server,
    _storage_server,
    bucket,
    documents,
    firestore,
    firestore_client,
    pubsub,
    secret_manager,
    secret_manager_client,
    storage,
    storage_client,
    topology,
)


@pytest.fixture
def raw_store(storage_client: Client, bucket: str) -> Iterator[GoogleRawStore]:  # noqa: F811  fixtures are named by their arguments
    """An empty raw store."""
    store = GoogleRawStore(storage_client, bucket, QUICK, workers=4)
    yield store
    store.close()


@pytest.fixture
def ledger(documents: Documents) -> GoogleLedgerStore:  # noqa: F811  fixtures are named by their arguments
    """An empty ledger."""
    return GoogleLedgerStore(documents)
