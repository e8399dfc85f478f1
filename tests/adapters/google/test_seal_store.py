"""Asiento's seal store on Cloud Storage: what it costs, what it bears, and what it never takes for what was sealed."""

from dataclasses import replace
from pathlib import Path

import pytest
from google.cloud.storage import Client

from shared.adapters.google.seal_store import GoogleSealStore
from shared.domain.errors import TerminalError, TransientError
from tests.conformance.seals import LINES, seal
from tests.emulators.faults import Fault
from tests.emulators.fixtures import HURRIED, QUICK
from tests.emulators.storage import StorageEmulator


@pytest.fixture
def store(storage_client: Client, bucket: str) -> GoogleSealStore:
    """A seal store without a seal."""
    return GoogleSealStore(storage_client, bucket, QUICK)


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A written segment."""
    path = tmp_path / "segment.ndjson"
    path.write_bytes(LINES)
    return path


def test_an_hour_costs_two_creates_and_a_rebuild_two_reads(
    store: GoogleSealStore, segment: Path, storage: StorageEmulator
) -> None:
    """Asiento keeps an hour with two requests and reads it back with two, however many deliveries it holds."""
    store.keep(seal(), segment)
    assert storage.faults.calls == {"objects.insert": 2}
    storage.faults.clear()
    assert [list(store.segment(each)) for each in store.seals()] == [LINES.splitlines(keepends=True)]
    assert storage.faults.calls == {"objects.list": 1, "objects.get_media": 2}


def test_an_answer_that_was_lost_is_no_other_run(
    store: GoogleSealStore, segment: Path, storage: StorageEmulator
) -> None:
    """Asiento finds its own segment and its own seal when the answer to either was lost."""
    for lost in (1, 2):
        storage.faults.plan("objects.insert", Fault.ANSWER_LOST, after=lost - 1)
        store.keep(seal(lost), segment)
    assert list(store.seals()) == [seal(1), seal(2)]


def test_broken_bytes_are_asked_for_again(store: GoogleSealStore, segment: Path, storage: StorageEmulator) -> None:
    """Asiento never hands out a line that changed on its way: it is a mishap of the day, not a broken seal."""
    store.keep(seal(), segment)
    storage.faults.plan("objects.get_media", Fault.BYTES_FLIPPED)
    with pytest.raises(TransientError, match="do not match its checksum"):
        list(store.segment(seal()))
    assert b"".join(store.segment(seal())) == LINES
    storage.faults.plan("objects.get_media", Fault.BYTES_FLIPPED)
    with pytest.raises(TransientError, match="do not match its checksum"):
        store.head()
    storage.faults.plan("objects.insert", Fault.BYTES_FLIPPED)
    with pytest.raises(TransientError, match="changed on their way; nothing was kept"):
        store.keep(seal(2, contents=replace(seal().contents, segment_sha256="ef" * 32)), segment)
    assert list(store.seals()) == [seal()]


def test_an_outage_is_waited_out_and_a_long_one_told(
    store: GoogleSealStore, segment: Path, storage: StorageEmulator, storage_client: Client, bucket: str
) -> None:
    """Asiento waits a moment for a service that is down, starts a download from its beginning, and gives up in time."""
    store.keep(seal(), segment)
    storage.faults.plan("objects.get_media", Fault.UNAVAILABLE)
    storage.faults.plan("objects.get_media", Fault.ANSWER_LOST)
    assert b"".join(store.segment(seal())) == LINES
    impatient = GoogleSealStore(storage_client, bucket, HURRIED)
    storage.faults.plan("objects.get_media", Fault.UNAVAILABLE, times=50)
    with pytest.raises(TransientError, match="busy, down or contended"):
        list(impatient.segment(seal()))


def test_a_seal_that_was_edited_is_named(
    store: GoogleSealStore, segment: Path, storage_client: Client, bucket: str
) -> None:
    """Asiento names the object that is not as it was made, whoever had the right to replace it."""
    store.keep(seal(), segment)
    storage_client.bucket(bucket).blob("seal-00000001.json").upload_from_string(
        seal().to_bytes().replace(b"test", b"tost")
    )
    with pytest.raises(TerminalError, match=r"seal-00000001\.json is not as it was made"):
        store.head()


def test_nothing_goes_from_a_bucket_under_retention(
    store: GoogleSealStore, segment: Path, storage: StorageEmulator, storage_client: Client, bucket: str
) -> None:
    """Asiento seals into a bucket in which nothing can be replaced or deleted, and asks for neither."""
    storage.buckets.delete_refused.add(bucket)
    for sequence in (1, 1, 2):
        store.keep(seal(sequence), segment)
    assert {name for name in storage.faults.calls if "delete" in name} == set()
    with pytest.raises(Exception, match="retention policy"):
        storage_client.bucket(bucket).blob("seal-00000001.json").delete()
    storage.buckets.delete_refused.discard(bucket)
