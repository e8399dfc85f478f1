"""The emulators under test, and clients to speak to them."""

from tests.emulators.fixtures import (  # noqa: F401  pytest finds fixtures by their names in a conftest
    _firestore_server,
    _pubsub_server,
    _storage_server,
    bucket,
    firestore,
    firestore_client,
    pubsub,
    storage,
    storage_client,
    topology,
)
