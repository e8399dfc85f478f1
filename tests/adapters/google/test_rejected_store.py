"""Asiento's rejected store on Cloud Storage: best effort, bounded, and never quiet about what it could not keep."""

from collections.abc import Callable, Iterator

import pytest
from google.cloud.storage import Client

from shared.adapters.google.rejected_store import GoogleRejectedStore
from shared.domain.errors import TerminalError
from tests.conformance.samples import delivery
from tests.emulators.faults import Fault
from tests.emulators.fixtures import HURRIED
from tests.emulators.storage import StorageEmulator


@pytest.fixture
def instances(storage_client: Client, bucket: str) -> Iterator[Callable[[], GoogleRejectedStore]]:
    """Instances of the door, each with a store of its own on the same bucket."""
    opened: list[GoogleRejectedStore] = []

    def another() -> GoogleRejectedStore:
        opened.append(GoogleRejectedStore(storage_client, bucket, patience=HURRIED))
        return opened[-1]

    yield another
    for each in opened:
        each.close()


def test_what_instances_count_adds_up(instances: Callable[[], GoogleRejectedStore]) -> None:
    """Asiento adds up what every instance of the door turned away, also after instances are gone."""
    first, second = instances(), instances()
    first.keep(delivery(1), "signature_wrong")
    second.keep(delivery(2), "signature_wrong")
    second.keep(delivery(3), "no_secret")
    assert second.counts() == {"no_secret": 1, "signature_wrong": 1}
    assert first.counts() == {"no_secret": 1, "signature_wrong": 2}
    assert instances().counts() == {"no_secret": 1, "signature_wrong": 2}


@pytest.mark.parametrize("times", [1, 60], ids=["one_answer", "an_outage"])
def test_counts_whose_answer_was_lost_are_added_once(
    instances: Callable[[], GoogleRejectedStore], storage: StorageEmulator, times: int
) -> None:
    """Asiento adds a count once, also where the answer to the write was lost and it is tried again, now or later."""
    store = instances()
    store.keep(delivery(1), "signature_wrong")
    storage.faults.plan("objects.insert", Fault.ANSWER_LOST, times=times)
    store.counts()
    assert storage.faults.struck["objects.insert"] >= 1
    storage.faults.clear()
    assert store.counts() == {"signature_wrong": 1}
    assert instances().counts() == {"signature_wrong": 1}


def test_what_cannot_be_kept_is_counted(instances: Callable[[], GoogleRejectedStore], storage: StorageEmulator) -> None:
    """Asiento counts a rejection as dropped while the service is down, and the door does not fail over it."""
    store = instances()
    storage.faults.by_chance = lambda method: Fault.UNAVAILABLE if method == "objects.insert" else None
    store.keep(delivery(1), "signature_wrong")
    storage.faults.by_chance = None
    assert store.counts() == {"dropped": 1, "signature_wrong": 1}
    assert list(store.rejected()) == []


def test_a_sweep_that_is_not_allowed_is_heard_of(
    instances: Callable[[], GoogleRejectedStore], storage: StorageEmulator
) -> None:
    """Asiento raises what stops its sweep for good: a missing role is not taken for an outage."""
    store = instances()
    storage.faults.plan("objects.list", Fault.PERMISSION_DENIED)
    with pytest.raises(TerminalError, match=r"roles/storage\.objectUser on the rejected bucket"):
        store.counts()
