"""The ports in memory keep the promises of every other adapter: the same conformance suite runs over them."""

# ruff: noqa: F403  the suite is imported whole, so that a promise that is added there is kept here too

import pytest

from shared.ports.casebook import Casebook
from shared.ports.ledger_store import LedgerStore
from shared.ports.raw_store import RawStore
from tests.conformance.conftest import BusWorld, DropBox
from tests.conformance.test_casebook import *
from tests.conformance.test_event_bus import *
from tests.conformance.test_inbox import *
from tests.conformance.test_ledger_store import *
from tests.conformance.test_raw_store import *
from tests.simulation.memory.casebook import MemoryCasebook
from tests.simulation.memory.event_bus import MemoryEventBus
from tests.simulation.memory.inbox import MemoryInbox
from tests.simulation.memory.ledger_store import MemoryLedgerStore
from tests.simulation.memory.raw_store import MemoryRawStore


@pytest.fixture
def raw_store() -> RawStore:
    """An empty raw store in memory."""
    return MemoryRawStore()


@pytest.fixture
def bus_world() -> BusWorld:
    """An empty bus in memory."""
    bus = MemoryEventBus()
    return BusWorld(bus, bus, lambda _: None)


@pytest.fixture
def ledger() -> LedgerStore:
    """An empty ledger in memory."""
    return MemoryLedgerStore()


@pytest.fixture
def casebook() -> Casebook:
    """An empty casebook in memory."""
    return MemoryCasebook()


@pytest.fixture
def inbox() -> DropBox:
    """An empty inbox in memory."""
    held = MemoryInbox()
    return DropBox(held, held.drop)
