"""Asiento's raw store on Cloud Storage: what it sends, what it bears, and what it says when it is not allowed."""

import asyncio

import pytest
from google.cloud.storage import Client

from shared.adapters.google.raw_store import METADATA_BYTES_MAX, GoogleRawStore
from shared.domain.errors import ConflictError, NotFoundError, TerminalError, TransientError
from shared.domain.times import Window
from shared.ports.raw_store import Created
from tests.conformance.samples import NOON, after, delivery
from tests.emulators.faults import Fault
from tests.emulators.fixtures import HURRIED
from tests.emulators.storage import StorageEmulator

LARGER_THAN_ONE_REQUEST = 9 * 1024 * 1024
"""Above 8 MiB the library uploads in a resumable session."""


def test_the_object_is_the_body_and_nothing_else(
    raw_store: GoogleRawStore, storage: StorageEmulator, bucket: str
) -> None:
    """Asiento stores exact bytes under the name that all worlds share, with no encoding that a reader would undo."""
    came = delivery(body=b"\x1f\x8b exact")
    asyncio.run(raw_store.create(came))
    stored = storage.buckets.get(bucket, came.object_name)
    assert stored.body == came.body
    assert stored.resource["contentType"] == "application/octet-stream"
    assert "contentEncoding" not in stored.resource
    assert stored.resource["metadata"] == {
        "delivery_id": came.delivery_id,
        "provider": "betterez",
        "channel": "webhook",
        "received_at": "2026-03-14T12:00:00.000000+00:00",
        "target": "/betterez?stream=a",
        "headers": '{"x-signature":"t=1,v1=ab"}',
    }


def test_keeping_costs_one_request_and_reading_two(raw_store: GoogleRawStore, storage: StorageEmulator) -> None:
    """Asiento keeps a delivery with one request, reads it with two, and lists a thousand with one."""
    asyncio.run(raw_store.create(delivery()))
    assert storage.faults.calls == {"objects.insert": 1}
    storage.faults.clear()
    raw_store.read(delivery().object_name)
    assert storage.faults.calls == {"objects.get": 1, "objects.get_media": 1}
    raw_store.create_all([delivery(number) for number in range(2, 30)])
    storage.faults.clear()
    assert len(list(raw_store.names(Window(NOON, after(hours=1))))) == 29
    assert storage.faults.calls == {"objects.list": 1}


def test_a_create_whose_answer_was_lost_is_no_conflict(raw_store: GoogleRawStore, storage: StorageEmulator) -> None:
    """Asiento finds its own bytes when the first answer was lost, and counts that as kept."""
    storage.faults.plan("objects.insert", Fault.ANSWER_LOST)
    assert asyncio.run(raw_store.create(delivery())) is Created.ALREADY_THERE
    assert storage.faults.calls["objects.insert"] == 2
    assert raw_store.read(delivery().object_name) == delivery()


def test_an_upload_that_is_larger_than_one_request_is_create_only_too(raw_store: GoogleRawStore) -> None:
    """Asiento keeps a large file under the same preconditions as a small one."""
    large = delivery(body=b"settlement\n" * (LARGER_THAN_ONE_REQUEST // 11))
    assert asyncio.run(raw_store.create(large)) is Created.CREATED
    assert asyncio.run(raw_store.create(large)) is Created.ALREADY_THERE
    with pytest.raises(ConflictError):
        asyncio.run(raw_store.create(delivery(body=b"other" * (LARGER_THAN_ONE_REQUEST // 5))))
    assert raw_store.read(large.object_name) == large


@pytest.mark.parametrize("method", ["objects.insert", "objects.get_media"])
def test_flipped_bytes_are_transient(raw_store: GoogleRawStore, storage: StorageEmulator, method: str) -> None:
    """Asiento says that trying again can help when bytes changed on their way, and it does help."""
    if method == "objects.get_media":
        asyncio.run(raw_store.create(delivery()))
    storage.faults.plan(method, Fault.BYTES_FLIPPED)
    with pytest.raises(TransientError, match="bytes"):
        asyncio.run(raw_store.create(delivery())) if method == "objects.insert" else raw_store.read(
            delivery().object_name
        )
    raw_store.create_all([delivery()])
    assert raw_store.read(delivery().object_name) == delivery()


def test_create_all_tries_all_before_it_fails(raw_store: GoogleRawStore) -> None:
    """Asiento keeps what it can of a batch in which one is in conflict."""
    asyncio.run(raw_store.create(delivery(2)))
    batch = [delivery(1), delivery(2, body=b"other"), delivery(3)]
    with pytest.raises(ConflictError):
        raw_store.create_all(batch)
    assert raw_store.read_all([batch[0].object_name, batch[2].object_name]) == [batch[0], batch[2]]


def test_a_missing_permission_names_the_role(raw_store: GoogleRawStore, storage: StorageEmulator) -> None:
    """Asiento tells which role to grant, and on what, when it is not allowed."""
    storage.faults.plan("objects.insert", Fault.PERMISSION_DENIED)
    with pytest.raises(TerminalError, match=r"grant roles/storage\.objectCreator on the bucket"):
        asyncio.run(raw_store.create(delivery()))
    storage.faults.plan("objects.get", Fault.PERMISSION_DENIED)
    with pytest.raises(TerminalError, match=r"grant roles/storage\.objectViewer"):
        raw_store.read(delivery().object_name)


def test_an_outage_is_transient_within_its_bound(storage_client: Client, storage: StorageEmulator, bucket: str) -> None:
    """Asiento gives an outage back as something that passes, with nothing of the delivery in the message."""
    raw_store = GoogleRawStore(storage_client, bucket, HURRIED, workers=2)
    storage.faults.by_chance = lambda _: Fault.UNAVAILABLE
    with pytest.raises(TransientError, match="try again later") as raised:
        asyncio.run(raw_store.create(delivery(body=b"secret body")))
    assert "secret body" not in str(raised.value)
    assert storage.faults.calls["objects.insert"] > 1
    raw_store.close()


def test_headers_beyond_the_metadata_limit_are_refused(raw_store: GoogleRawStore, storage: StorageEmulator) -> None:
    """Asiento refuses a delivery whose headers Cloud Storage would not keep, before it sends it."""
    with pytest.raises(TerminalError, match="fewer headers"):
        asyncio.run(raw_store.create(delivery(headers={"x-long": "h" * METADATA_BYTES_MAX})))
    assert not storage.faults.calls


def test_an_object_of_someone_else_is_named(raw_store: GoogleRawStore, storage_client: Client, bucket: str) -> None:
    """Asiento stops at an object that it did not write when it reads it, and names it; a list of names says what is there."""
    name = delivery().object_name
    storage_client.bucket(bucket).blob(name).upload_from_string(b"{}")
    with pytest.raises(TerminalError, match=f"{name} was not written by Asiento"):
        raw_store.read(name)
    for window in (Window(NOON, after(hours=1)), Window(NOON, after(minutes=1))):
        with pytest.raises(TerminalError, match=f"{name} was not written by Asiento"):
            list(raw_store.deliveries(window))
    with pytest.raises(TerminalError, match="was not written by Asiento"):
        list(raw_store.names(Window(NOON, after(minutes=1))))
    assert list(raw_store.names(Window(NOON, after(hours=1)))) == [name]


def test_a_bucket_under_retention_works_as_well(
    raw_store: GoogleRawStore, storage: StorageEmulator, bucket: str
) -> None:
    """Asiento needs no right to delete or replace: a locked retention policy changes nothing for it."""
    storage.buckets.delete_refused.add(bucket)
    assert asyncio.run(raw_store.create(delivery())) is Created.CREATED
    assert asyncio.run(raw_store.create(delivery())) is Created.ALREADY_THERE


def test_a_listing_longer_than_a_page_is_followed(raw_store: GoogleRawStore, storage: StorageEmulator) -> None:
    """Asiento follows the pages of a listing to their end."""
    came = [delivery(number, received_at=after(seconds=number)) for number in range(25)]
    raw_store.create_all(came)
    storage.buckets.page_size = 10
    storage.faults.clear()
    try:
        assert list(raw_store.names(Window(NOON, after(hours=1)))) == [each.object_name for each in came]
    finally:
        storage.buckets.page_size = 1000
    assert storage.faults.calls["objects.list"] == 3


def test_what_is_missing_in_a_batch_is_named(raw_store: GoogleRawStore) -> None:
    """Asiento names the first delivery that a batch asks for in vain, however many are read at once."""
    raw_store.create_all([delivery(number) for number in range(20)])
    names = [delivery(number).object_name for number in range(40)]
    with pytest.raises(NotFoundError, match=delivery(20).object_name):
        raw_store.read_all(names)
