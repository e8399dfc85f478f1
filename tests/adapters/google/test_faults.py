"""Asiento loses nothing and applies nothing twice, whatever fails at whichever call of a delivery's path."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.storage import Client

from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.sqlite import Durability
from shared.adapters.google.documents import Documents
from shared.adapters.google.ledger_store import GoogleLedgerStore
from shared.adapters.google.raw_store import GoogleRawStore
from shared.adapters.google.rejected_store import GoogleRejectedStore
from shared.adapters.google.secrets import GoogleSecrets
from shared.domain.facts import Fact, Stamp
from shared.domain.outcomes import Outcome
from shared.pipeline.derive import Deriving, derive_deliveries
from shared.pipeline.keeping import one_by_one
from shared.pipeline.receive import Receiving
from shared.pipeline.state_hash import state_hash
from shared.ports.ledger_store import LedgerStore
from shared.providers.toolkit import registry
from tests.adapters.google.delivery_path import DAY, DeliveryPath, body_of, number_of
from tests.conformance.conftest import set_versions
from tests.conformance.samples import NOON, delivery
from tests.emulators.faults import Fault, Faults
from tests.emulators.firestore import FirestoreEmulator
from tests.emulators.fixtures import HURRIED, Topology, fresh_name
from tests.emulators.pubsub import PubSubEmulator
from tests.emulators.secret_manager import SecretManagerEmulator
from tests.emulators.storage import StorageEmulator
from tests.functions.signed import KEY

PASSING = (
    Fault.UNAVAILABLE,
    Fault.TOO_MANY_REQUESTS,
    Fault.DEADLINE_EXCEEDED,
    Fault.ABORTED,
    Fault.INTERNAL,
    Fault.ANSWER_LOST,
)
CALLS = (
    ("secrets", "ListSecretVersions"),
    ("secrets", "AccessSecretVersion"),
    ("storage", "objects.insert"),
    ("storage", "objects.get"),
    ("storage", "objects.get_media"),
    ("storage", "objects.list"),
    ("pubsub", "Publish"),
    ("pubsub", "Pull"),
    ("pubsub", "Acknowledge"),
    ("firestore", "BatchGetDocuments"),
    ("firestore", "Commit"),
    ("firestore", "Rollback"),
)
EVENTS = range(1, 5)
SEEDS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class World:
    """The path, and the emulators beneath it by name."""

    path: DeliveryPath
    faults: dict[str, Faults]
    fresh_ledger: Callable[[], SqliteLedgerStore]
    """Opens an empty ledger of the other world."""


@pytest.fixture
def world(  # noqa: PLR0917  fixtures are named by their arguments
    storage: StorageEmulator,
    storage_client: Client,
    bucket: str,
    pubsub: PubSubEmulator,
    topology: Topology,
    firestore: FirestoreEmulator,
    firestore_client: FirestoreClient,
    secret_manager: SecretManagerEmulator,
    secret_manager_client: SecretManagerServiceClient,
    tmp_path: Path,
) -> Iterator[World]:
    """The path over new resources."""
    project = fresh_name("faults")
    set_versions(secret_manager_client, project, "betterez-webhook", (KEY, "the one before"))
    raw = GoogleRawStore(storage_client, bucket, HURRIED, workers=4)
    rejected = GoogleRejectedStore(storage_client, bucket, patience=HURRIED)
    bus = topology.bus(HURRIED)
    providers = {"betterez": registry.load("betterez")}
    numbers = count(1)

    def new_delivery_id(_: datetime) -> str:
        return delivery(next(numbers)).delivery_id

    secrets = GoogleSecrets(secret_manager_client, project, HURRIED)
    ledger = GoogleLedgerStore(Documents(firestore_client, f"projects/{project}/databases/(default)", HURRIED))
    receiving = Receiving(providers, secrets, one_by_one(raw, bus), rejected, new_delivery_id)
    deriving = Deriving(providers, raw, ledger, "test")
    by_name = {
        "storage": storage.faults,
        "pubsub": pubsub.faults,
        "firestore": firestore.faults,
        "secrets": secret_manager.faults,
    }
    yield World(
        DeliveryPath(receiving, bus, deriving, topology.pulling(bus, HURRIED), pubsub.clock.advance),
        by_name,
        lambda: SqliteLedgerStore(tmp_path / "again.db", Durability.NORMAL),
    )
    for faults in by_name.values():
        faults.clear()
    raw.close()
    rejected.close()


def pass_all(world: World) -> None:
    """Send every event through."""
    for number in EVENTS:
        world.path.post(number)
    world.path.work_until_quiet()


def check(world: World) -> None:
    """Hold the ledger against the raw store, as an auditor would: all in it once, nothing else, and the same again."""
    for faults in world.faults.values():
        faults.clear()  # the auditor's own reading is not disturbed
    deriving = world.path.deriving
    kept = list(deriving.raw.deliveries(DAY))
    assert {each.body for each in kept} == {body_of(number) for number in EVENTS}, "an accepted event has no bytes"
    verdicts = {verdict.delivery_id: verdict for verdict in deriving.ledger.verdicts()}
    assert set(verdicts) == {each.delivery_id for each in kept}, "a kept delivery has no outcome"
    assert all(len(verdict.attempts) == 1 for verdict in verdicts.values()), "a delivery was settled twice"
    firsts = [verdict for verdict in verdicts.values() if verdict.outcome is not Outcome.DUPLICATE]
    assert len(firsts) == len(EVENTS), "an event is missing, or applied twice"
    again = world.fresh_ledger()
    derive_deliveries(kept, Deriving(deriving.providers, deriving.raw, again, "test"), NOON)
    assert facts_in(deriving.ledger) == facts_in(again)
    assert state_hash(deriving.ledger.entities()) == state_hash(again.entities())
    again.close()


def facts_in(ledger: LedgerStore) -> list[tuple[Fact, Stamp]]:
    """Return every fact of a ledger with its stamp, by entity."""
    return [(stored.fact, stored.stamp) for entity in ledger.entities() for stored in ledger.facts(entity.key)]


def provoke(world: World, method: str) -> None:
    """Make a call happen that happens only after another fault: a rollback follows a commit that failed."""
    if method == "Rollback":
        world.faults["firestore"].plan("Commit", Fault.UNAVAILABLE, times=30)
    if method == "objects.get":
        world.faults["storage"].plan("objects.insert", Fault.ANSWER_LOST, times=2)


def test_without_faults_each_event_is_posted_once(world: World) -> None:
    """Asiento keeps and derives every event; the check itself is sound."""
    pass_all(world)
    check(world)
    kept = [number_of(each) for each in world.path.deriving.raw.deliveries(DAY)]
    assert kept == list(EVENTS)
    assert len(facts_in(world.path.deriving.ledger)) == 2 * len(EVENTS)


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize(("service", "method"), CALLS, ids=[method for _, method in CALLS])
def test_one_fault_at_any_call_is_borne(world: World, service: str, method: str, fault: Fault) -> None:
    """Asiento bears one fault at the first, third and seventh call of every kind."""
    world.faults[service].plan(method, fault)
    world.faults[service].plan(method, fault, after=1)
    world.faults[service].plan(method, fault, after=3)
    provoke(world, method)
    pass_all(world)
    assert world.faults[service].struck[method] >= 1
    check(world)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.ANSWER_LOST], ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize(("service", "method"), CALLS, ids=[method for _, method in CALLS])
def test_an_outage_at_any_call_is_survived(world: World, service: str, method: str, fault: Fault) -> None:
    """Asiento survives an outage that is longer than its patience, wherever it strikes."""
    world.faults[service].plan(method, fault, times=25)
    provoke(world, method)
    pass_all(world)
    assert world.faults[service].struck[method] >= 1
    check(world)


@pytest.mark.parametrize("method", ["objects.insert", "objects.get_media"])
def test_bytes_that_change_on_their_way_are_seen(world: World, method: str) -> None:
    """Asiento takes no bytes that do not match their checksum, in either direction."""
    world.faults["storage"].plan(method, Fault.BYTES_FLIPPED, after=1)
    pass_all(world)
    assert world.faults["storage"].struck[method] == 1
    check(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_of_faults_is_survived(world: World, seed: int) -> None:
    """Asiento survives weather in which one call in five fails, in every service at once."""
    print(f"seed {seed}")  # noqa: T201  a seeded search tells its seed
    chance = random.Random(seed)  # noqa: S311  a seeded search, not a secret
    for faults in world.faults.values():
        faults.by_chance = lambda _: chance.choice(PASSING) if chance.random() < 0.2 else None
    pass_all(world)
    assert sum(faults.struck.total() for faults in world.faults.values()) >= 5
    check(world)
