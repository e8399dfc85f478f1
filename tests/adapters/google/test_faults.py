"""Asiento loses nothing and applies nothing twice, whatever fails at whichever call of a delivery's path."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.storage import Client

from shared.adapters.google.documents import Documents
from shared.adapters.google.ledger_store import GoogleLedgerStore
from shared.adapters.google.raw_store import GoogleRawStore
from shared.domain.fold import fold
from shared.domain.state_hash import state_hash
from tests.adapters.google.delivery_path import DAY, DeliveryPath, fact_of
from tests.conformance.samples import sale
from tests.emulators.faults import Fault, Faults
from tests.emulators.firestore import FirestoreEmulator
from tests.emulators.fixtures import HURRIED, Topology, fresh_name
from tests.emulators.pubsub import PubSubEmulator
from tests.emulators.storage import StorageEmulator

PASSING = (
    Fault.UNAVAILABLE,
    Fault.TOO_MANY_REQUESTS,
    Fault.DEADLINE_EXCEEDED,
    Fault.ABORTED,
    Fault.INTERNAL,
    Fault.ANSWER_LOST,
)
CALLS = (
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
EVENTS = range(1, 7)
SEEDS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class World:
    """The path, and the emulators beneath it by name."""

    path: DeliveryPath
    faults: dict[str, Faults]


@pytest.fixture
def world(  # noqa: PLR0917  fixtures are named by their arguments
    storage: StorageEmulator,
    storage_client: Client,
    bucket: str,
    pubsub: PubSubEmulator,
    topology: Topology,
    firestore: FirestoreEmulator,
    firestore_client: FirestoreClient,
) -> Iterator[World]:
    """The path over new resources."""
    raw_store = GoogleRawStore(storage_client, bucket, HURRIED, workers=4)
    bus = topology.bus(HURRIED)
    subscription = topology.pulling(bus, HURRIED)
    database = f"projects/{fresh_name('faults')}/databases/(default)"
    ledger = GoogleLedgerStore(Documents(firestore_client, database, HURRIED))
    path = DeliveryPath(raw_store, bus, subscription, ledger, pubsub.clock.advance)
    yield World(path, {"storage": storage.faults, "pubsub": pubsub.faults, "firestore": firestore.faults})
    for faults in (storage.faults, pubsub.faults, firestore.faults):
        faults.clear()
    raw_store.close()


def check(world: World) -> None:
    """Hold the ledger against the raw store, as an auditor would: all in it once, nothing else."""
    for faults in world.faults.values():
        faults.clear()  # the auditor's own reading is not disturbed
    ledger = world.path.ledger
    kept = list(world.path.raw_store.deliveries(DAY))
    assert {int(each.body) for each in kept} == set(EVENTS), "an accepted event has no bytes"
    verdicts = {verdict.delivery_id: verdict for verdict in ledger.verdicts()}
    assert set(verdicts) == {each.delivery_id for each in kept}, "a kept delivery has no outcome"
    assert all(len(verdict.attempts) == 1 for verdict in verdicts.values()), "a delivery was settled twice"
    facts = [stored for at in range(3) for stored in ledger.facts(sale(f"s{at}"))]
    assert sorted(stored.stamp.at_ms for stored in facts) == list(EVENTS), "an event is missing, or applied twice"
    said = {int(each.body): fact_of(each) for each in kept}
    expected = [
        fold(sale(f"s{at}"), [(s.fact, s.stamp) for s in facts if s.fact.key == sale(f"s{at}")]) for at in range(3)
    ]
    assert sorted(said.values()) == sorted(stored.fact for stored in facts)
    assert state_hash(ledger.entities()) == state_hash(expected)


def pass_all(world: World) -> None:
    """Send every event through."""
    for event in EVENTS:
        world.path.post(event)
    world.path.work_until_quiet()


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
    assert len(list(world.path.raw_store.names(DAY))) == len(EVENTS)


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize(("service", "method"), CALLS, ids=[method for _, method in CALLS])
def test_one_fault_at_any_call_is_borne(world: World, service: str, method: str, fault: Fault) -> None:
    """Asiento bears one fault at the first, second and fifth call of every kind."""
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
