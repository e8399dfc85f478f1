"""Each port as a fixture, once for every world that implements it; the readable id of a world is its name."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from google.api_core.exceptions import AlreadyExists
from google.cloud.secretmanager_v1 import Replication, Secret, SecretManagerServiceClient, SecretPayload

from shared.adapters.embedded.casebook import SqliteCasebook
from shared.adapters.embedded.event_bus import SqliteEventBus
from shared.adapters.embedded.inbox import FolderInbox
from shared.adapters.embedded.key_store import SqliteKeyStore
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.raw_store import SqliteRawStore, SqliteRejectedStore
from shared.adapters.embedded.seal_store import FileSealStore
from shared.adapters.embedded.secrets import EnvironmentSecrets, FileSecrets
from shared.adapters.google.casebook import GoogleCasebook
from shared.adapters.google.inbox import GoogleInbox
from shared.adapters.google.key_store import GoogleKeyStore
from shared.adapters.google.ledger_store import GoogleLedgerStore
from shared.adapters.google.raw_store import GoogleRawStore
from shared.adapters.google.rejected_store import GoogleRejectedStore
from shared.adapters.google.seal_store import GoogleSealStore
from shared.adapters.google.secrets import GoogleSecrets
from shared.ports.casebook import Casebook
from shared.ports.event_bus import EventBus, Subscription
from shared.ports.inbox import Inbox
from shared.ports.key_store import KeyStore
from shared.ports.ledger_store import LedgerStore
from shared.ports.raw_store import RawStore, RejectedStore
from shared.ports.seal_store import SealStore
from shared.ports.secrets import Secrets
from tests.conformance.samples import NOON
from tests.emulators.fixtures import (  # noqa: F401  pytest finds fixtures by their names in a conftest
    QUICK,
    Topology,
    _firestore_server,
    _pubsub_server,
    _secret_manager_server,
    _storage_server,
    bucket,
    documents,
    firestore,
    firestore_client,
    fresh_name,
    pubsub,
    secret_manager,
    secret_manager_client,
    storage,
    storage_client,
    topology,
)
from tests.simulation.memory.key_store import MemoryKeyStore

WORLDS = ("embedded", "google")
REJECTED_CAPACITY_BYTES = 64 * 1024
AUTOMATIC = Secret(replication=Replication(automatic=Replication.Automatic()))


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> str:
    """The world under test."""
    return str(request.param)


@pytest.fixture
def raw_store(world: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RawStore]:
    """An empty raw store."""
    if world == "embedded":
        embedded = SqliteRawStore(tmp_path / "raw.db")
        yield embedded
        embedded.close()
    else:
        google = GoogleRawStore(
            request.getfixturevalue("storage_client"), request.getfixturevalue("bucket"), QUICK, workers=8
        )
        yield google
        google.close()


@pytest.fixture
def seal_store(world: str, request: pytest.FixtureRequest, tmp_path: Path) -> SealStore:
    """A seal store without a seal."""
    if world == "embedded":
        return FileSealStore(tmp_path / "seals")
    return GoogleSealStore(request.getfixturevalue("storage_client"), request.getfixturevalue("bucket"), QUICK)


@pytest.fixture
def rejected_store(world: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RejectedStore]:
    """An empty rejected store that holds REJECTED_CAPACITY_BYTES."""
    if world == "embedded":
        embedded = SqliteRejectedStore(tmp_path / "rejected.db", REJECTED_CAPACITY_BYTES)
        yield embedded
        embedded.close()
    else:
        google = GoogleRejectedStore(
            request.getfixturevalue("storage_client"),
            request.getfixturevalue("bucket"),
            REJECTED_CAPACITY_BYTES,
            QUICK,
        )
        yield google
        google.close()


@pytest.fixture(params=(*WORLDS, "memory"))
def key_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyStore]:
    """An empty store of people's keys."""
    store: KeyStore
    if request.param == "embedded":
        store = SqliteKeyStore(tmp_path / "keys.db")
    elif request.param == "memory":
        store = MemoryKeyStore()
    else:
        store = GoogleKeyStore(
            request.getfixturevalue("storage_client"), request.getfixturevalue("bucket"), QUICK, remember_s=0.0
        )
    yield store
    store.close()


@pytest.fixture
def inbox(world: str, request: pytest.FixtureRequest, tmp_path: Path) -> "DropBox":
    """An empty inbox, and the way in which people drop files into it."""
    if world == "embedded":
        return DropBox(FolderInbox(tmp_path / "inbox", settled_after_s=0), FolderDrop(tmp_path / "inbox"))
    client, name = request.getfixturevalue("storage_client"), request.getfixturevalue("bucket")
    dropped_in = client.bucket(name)
    return DropBox(GoogleInbox(client, name, QUICK), lambda path, body: dropped_in.blob(path).upload_from_string(body))


@dataclass(frozen=True, slots=True)
class DropBox:
    """An inbox and whoever drops files into it."""

    inbox: Inbox
    drop: Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class FolderDrop:
    """Drops files into a folder; each is newer than the one before, as a clock of nanoseconds sees it."""

    folder: Path

    def __call__(self, path: str, body: bytes) -> None:
        """Write one file."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        before_ns = target.stat().st_mtime_ns if target.exists() else 0
        target.write_bytes(body)
        if target.stat().st_mtime_ns <= before_ns:
            os.utime(target, ns=(before_ns + 1, before_ns + 1))


@dataclass(slots=True)
class BusWorld:
    """Both sides of a bus, and time to let pass. The rules: 60 s to acknowledge, five attempts, pauses up to 600 s."""

    bus: EventBus
    subscription: Subscription
    put_forward: Callable[[int], None]
    now: datetime = NOON

    def let_pass(self, seconds: int) -> None:
        """Let time pass, for the adapter and for whoever keeps the time beneath it."""
        self.now += timedelta(seconds=seconds)
        self.put_forward(seconds)


def _cannot_wait(seconds: int) -> None:
    pytest.skip(f"the emulator in use keeps real time, and {seconds} s of it are too many")


@pytest.fixture
def bus_world(world: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BusWorld]:
    """An empty bus."""
    if world == "embedded":
        embedded = SqliteEventBus(tmp_path / "bus.db", ack_deadline_s=60, attempts_max=5)
        yield BusWorld(embedded, embedded, lambda _: None)
        embedded.close()
    else:
        topology: Topology = request.getfixturevalue("topology")
        put_forward = _cannot_wait
        if not os.environ.get("PUBSUB_EMULATOR_HOST"):
            put_forward = request.getfixturevalue("pubsub").clock.advance
        google = topology.bus()
        yield BusWorld(google, topology.pulling(google), put_forward)


@pytest.fixture
def ledger(world: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerStore]:
    """An empty ledger."""
    if world == "embedded":
        embedded = SqliteLedgerStore(tmp_path / "ledger.db")
        yield embedded
        embedded.close()
    else:
        yield GoogleLedgerStore(request.getfixturevalue("documents"))


@pytest.fixture
def casebook(world: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Casebook]:
    """An empty casebook."""
    if world == "embedded":
        embedded = SqliteCasebook(tmp_path / "cases.db")
        yield embedded
        embedded.close()
    else:
        yield GoogleCasebook(request.getfixturevalue("documents"))


@dataclass(frozen=True, slots=True)
class SecretWorld:
    """Secrets, and the hand of whoever rotates them: `rotate` makes exactly these values live, newest first."""

    secrets: Secrets
    rotate: Callable[[str, tuple[str, ...]], None]


@pytest.fixture(params=("environment", "files", "google"))
def secret_world(request: pytest.FixtureRequest, tmp_path: Path) -> SecretWorld:
    """Secrets of which none is set."""
    if request.param == "environment":
        environ: dict[str, str] = {}
        return SecretWorld(EnvironmentSecrets(environ), lambda name, values: _set_variables(environ, name, values))
    if request.param == "files":
        return SecretWorld(
            FileSecrets(tmp_path),
            lambda name, values: _write_lines(tmp_path / name, values),
        )
    client: SecretManagerServiceClient = request.getfixturevalue("secret_manager_client")
    project = fresh_name("asiento")
    return SecretWorld(
        GoogleSecrets(client, project, QUICK, refresh_every_s=0.0),
        lambda name, values: set_versions(client, project, name, values),
    )


def set_versions(client: SecretManagerServiceClient, project: str, name: str, values: tuple[str, ...]) -> None:
    """Make exactly these versions of a secret enabled, newest first."""
    secret = f"projects/{project}/secrets/{name}"
    try:
        client.create_secret(parent=f"projects/{project}", secret_id=name, secret=AUTOMATIC)
    except AlreadyExists:
        for version in client.list_secret_versions(parent=secret):
            client.disable_secret_version(name=version.name)
    for value in reversed(values):
        client.add_secret_version(parent=secret, payload=SecretPayload(data=value.encode()))


def _set_variables(environ: dict[str, str], name: str, values: tuple[str, ...]) -> None:
    variable = f"ASIENTO_SECRET_{name.upper().replace('-', '_')}"
    newest, previous = (*values, "", "")[:2]
    environ |= {variable: newest, f"{variable}_PREVIOUS": previous}


def _write_lines(path: Path, values: tuple[str, ...]) -> None:
    path.write_text("\n".join(values), encoding="utf-8")
