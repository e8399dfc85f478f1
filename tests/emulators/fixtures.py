"""Fixtures that start the emulators once a session; a conftest imports those that its tests use.

Where Google's own emulators are already there (FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST, STORAGE_EMULATOR_HOST), the
conformance suites run over those, and tests that need faults, counts or a clock of ours are skipped.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from unittest.mock import patch

import grpc
import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
from google.cloud.storage import Client
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.types import DeadLetterPolicy, RetryPolicy, Subscription

from shared.adapters.google.calls import Patience
from shared.adapters.google.documents import Documents
from shared.adapters.google.documents import open_client as open_firestore
from shared.adapters.google.event_bus import GoogleEventBus, GoogleSubscription, open_publisher
from shared.adapters.google.raw_store import open_client
from tests.emulators.firestore import FirestoreEmulator
from tests.emulators.pubsub import PubSubEmulator
from tests.emulators.secret_manager import SecretManagerEmulator
from tests.emulators.storage import StorageEmulator

QUICK = Patience(first_pause_s=0.01, longest_pause_s=0.05, deadline_s=5.0, try_s_max=2.0)
"""The adapters' patience in tests: the same rules, shorter pauses."""

HURRIED = Patience(first_pause_s=0.001, longest_pause_s=0.004, deadline_s=0.05, try_s_max=1.0)
"""So little patience that an outage reaches the caller soon."""

_names = count(1)


def fresh_name(kind: str) -> str:
    """Return a name that no other test uses, so that tests share servers and no data."""
    return f"{kind}-{os.getpid()}-{next(_names)}"


def _ours(variable: str) -> None:
    """Skip a test that reaches into our emulator where Google's own is in use."""
    if os.environ.get(variable):
        pytest.skip(f"{variable} points at another emulator, which offers no faults, counts or clock")


@pytest.fixture(scope="session")
def _storage_server() -> Iterator[StorageEmulator]:
    with StorageEmulator() as emulator:
        yield emulator


@pytest.fixture
def storage(request: pytest.FixtureRequest) -> StorageEmulator:
    """Our Cloud Storage emulator, with no faults planned and counts at zero."""
    _ours("STORAGE_EMULATOR_HOST")
    emulator: StorageEmulator = request.getfixturevalue("_storage_server")
    emulator.faults.clear()
    return emulator


@pytest.fixture
def storage_client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A Cloud Storage client, opened the way the functions open theirs."""
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        client = open_client("asiento-test")
    else:
        with patch.dict(os.environ, {"STORAGE_EMULATOR_HOST": request.getfixturevalue("storage").url}):
            client = open_client("asiento-test")
    yield client
    client.close()


@pytest.fixture
def bucket(request: pytest.FixtureRequest, storage_client: Client) -> str:
    """A new bucket."""
    name = fresh_name("bucket")
    storage_client.create_bucket(name)
    if not os.environ.get("STORAGE_EMULATOR_HOST"):
        request.getfixturevalue("storage").faults.clear()
    return name


@pytest.fixture(scope="session")
def _pubsub_server() -> Iterator[PubSubEmulator]:
    with PubSubEmulator() as emulator:
        yield emulator


@pytest.fixture
def pubsub(request: pytest.FixtureRequest) -> PubSubEmulator:
    """Our Pub/Sub emulator, with no faults planned and counts at zero."""
    _ours("PUBSUB_EMULATOR_HOST")
    emulator: PubSubEmulator = request.getfixturevalue("_pubsub_server")
    emulator.faults.clear()
    return emulator


@dataclass(frozen=True, slots=True)
class Topology:
    """A topic, a subscription to it with the rules of the real ones, and its dead letters."""

    publisher: PublisherClient
    subscriber: SubscriberClient
    topic: str
    subscription: str
    dead_letter_subscription: str

    def bus(self, patience: Patience = QUICK) -> GoogleEventBus:
        """Return the bus on this topic."""
        return GoogleEventBus(self.publisher, self.topic, patience)

    def pulling(self, bus: GoogleEventBus, patience: Patience = QUICK) -> GoogleSubscription:
        """Return the pulling side."""
        return GoogleSubscription(
            self.subscriber, self.subscription, self.dead_letter_subscription, bus, patience=patience, wait_s=2.0
        )


@pytest.fixture
def topology(request: pytest.FixtureRequest) -> Iterator[Topology]:
    """A new topic with its subscriptions."""
    address = os.environ.get("PUBSUB_EMULATOR_HOST") or request.getfixturevalue("pubsub").host
    with patch.dict(os.environ, {"PUBSUB_EMULATOR_HOST": address}):
        publisher, subscriber = open_publisher(), SubscriberClient()
    project = "projects/asiento-test"
    made = Topology(
        publisher,
        subscriber,
        *(f"{project}/{kind}/{fresh_name('deliveries')}" for kind in ("topics", "subscriptions", "subscriptions")),
    )
    dead_letter_topic = f"{project}/topics/{fresh_name('dead')}"
    for topic in (made.topic, dead_letter_topic):
        publisher.create_topic(name=topic)
    subscriber.create_subscription(
        request=Subscription(
            name=made.subscription,
            topic=made.topic,
            ack_deadline_seconds=60,
            dead_letter_policy=DeadLetterPolicy(dead_letter_topic=dead_letter_topic, max_delivery_attempts=5),
            retry_policy=RetryPolicy(minimum_backoff=Duration(seconds=10), maximum_backoff=Duration(seconds=600)),
        )
    )
    subscriber.create_subscription(
        request=Subscription(name=made.dead_letter_subscription, topic=dead_letter_topic, ack_deadline_seconds=60)
    )
    yield made
    publisher.stop()
    publisher.transport.close()
    subscriber.transport.close()  # type: ignore[no-untyped-call] # the library declares no types here


@pytest.fixture(scope="session")
def _firestore_server() -> Iterator[FirestoreEmulator]:
    with FirestoreEmulator() as emulator:
        yield emulator


@pytest.fixture
def firestore(request: pytest.FixtureRequest) -> FirestoreEmulator:
    """Our Firestore emulator, with no faults planned and counts at zero."""
    _ours("FIRESTORE_EMULATOR_HOST")
    emulator: FirestoreEmulator = request.getfixturevalue("_firestore_server")
    emulator.faults.clear()
    emulator.billed.clear()
    return emulator


@pytest.fixture
def firestore_client(request: pytest.FixtureRequest) -> Iterator[FirestoreClient]:
    """A Firestore client, opened the way the functions open theirs."""
    address = os.environ.get("FIRESTORE_EMULATOR_HOST") or request.getfixturevalue("firestore").host
    with patch.dict(os.environ, {"FIRESTORE_EMULATOR_HOST": address}):
        client = open_firestore()
    yield client
    client.transport.close()  # type: ignore[no-untyped-call] # the library declares no types here


@pytest.fixture
def documents(firestore_client: FirestoreClient) -> Documents:
    """A new database."""
    return Documents(firestore_client, f"projects/{fresh_name('asiento')}/databases/(default)", QUICK)


@pytest.fixture(scope="session")
def _secret_manager_server() -> Iterator[SecretManagerEmulator]:
    with SecretManagerEmulator() as emulator:
        yield emulator


@pytest.fixture
def secret_manager(_secret_manager_server: SecretManagerEmulator) -> SecretManagerEmulator:
    """Our Secret Manager emulator, with no faults planned and counts at zero. There is none of Google's own."""
    _secret_manager_server.faults.clear()
    return _secret_manager_server


@pytest.fixture
def secret_manager_client(secret_manager: SecretManagerEmulator) -> Iterator[SecretManagerServiceClient]:
    """A Secret Manager client on the emulator; the library knows no variable that names one."""
    channel = grpc.insecure_channel(secret_manager.host)
    client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
    yield client
    client.transport.close()  # type: ignore[no-untyped-call] # the library declares no types here
