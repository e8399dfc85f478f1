"""What any rejected store must do: keep what the door turned away, apart and bounded, and count it."""

from shared.ports.raw_store import RejectedStore
from tests.conformance.conftest import REJECTED_CAPACITY_BYTES
from tests.conformance.samples import after, delivery


def test_what_was_rejected_is_there_to_be_readmitted(rejected_store: RejectedStore) -> None:
    """Asiento keeps a rejected delivery whole, with the reason, oldest first."""
    came = [delivery(number, received_at=after(minutes=number), body=b"%d" % number) for number in range(5)]
    for each in reversed(came):
        rejected_store.keep(each, "signature_wrong")
    assert list(rejected_store.rejected()) == [(each, "signature_wrong") for each in came]


def test_a_readmitted_delivery_is_forgotten(rejected_store: RejectedStore) -> None:
    """Asiento forgets a rejected delivery once it has been readmitted, and forgetting twice is harmless."""
    rejected_store.keep(delivery(1), "signature_wrong")
    rejected_store.keep(delivery(2), "signature_stale")
    rejected_store.discard(delivery(1))
    rejected_store.discard(delivery(1))
    assert [each.delivery_id for each, _ in rejected_store.rejected()] == [delivery(2).delivery_id]


def test_rejections_are_counted_by_reason(rejected_store: RejectedStore) -> None:
    """Asiento counts rejections since the beginning, also those that were readmitted since."""
    assert rejected_store.counts() == {}
    for number in range(3):
        rejected_store.keep(delivery(number), "signature_wrong")
    rejected_store.keep(delivery(9), "no_secret")
    rejected_store.discard(delivery(0))
    assert rejected_store.counts() == {"no_secret": 1, "signature_wrong": 3}


def test_a_flood_of_rejections_is_bounded_and_counted(rejected_store: RejectedStore) -> None:
    """Asiento lets the oldest rejected deliveries go when the store is full, and counts them."""
    size, number_kept = 4096, 40
    for number in range(number_kept):
        rejected_store.keep(delivery(number, received_at=after(seconds=number), body=bytes(size)), "signature_wrong")
    counts = rejected_store.counts()
    left = [each for each, _ in rejected_store.rejected()]
    assert sum(len(each.body) for each in left) <= REJECTED_CAPACITY_BYTES
    assert left[-1].delivery_id == delivery(number_kept - 1).delivery_id
    assert counts == {"dropped": number_kept - len(left), "signature_wrong": number_kept}
