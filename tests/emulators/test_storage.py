"""Asiento's Cloud Storage emulator is faithful where the raw store leans on it."""

import pytest
from google.api_core import exceptions
from google.cloud.storage import Client

from tests.emulators.storage import StorageEmulator

BODY = bytes(range(256)) * 40_000
"""More than one request carries: the library sends it in a resumable session."""


@pytest.mark.parametrize("body", [b"", b"small", BODY], ids=["empty", "multipart", "resumable"])
def test_every_form_of_upload_keeps_exact_bytes(storage_client: Client, bucket: str, body: bytes) -> None:
    """Asiento's emulator keeps what was uploaded, byte for byte, with the checksums of these bytes."""
    blob = storage_client.bucket(bucket).blob("a/b c/ñ")
    blob.metadata = {"note": "ñandú"}
    blob.upload_from_string(body, checksum="crc32c")
    again = storage_client.bucket(bucket).get_blob("a/b c/ñ")
    assert again.download_as_bytes(checksum="md5") == body
    assert (again.metadata, again.size, again.crc32c) == ({"note": "ñandú"}, len(body), blob.crc32c)


def test_the_generation_must_match(storage_client: Client, bucket: str) -> None:
    """Asiento's emulator creates only where there is nothing, and replaces only what was read."""
    blob = storage_client.bucket(bucket).blob("one")
    blob.upload_from_string(b"1", if_generation_match=0)
    first = blob.generation
    with pytest.raises(exceptions.PreconditionFailed):
        storage_client.bucket(bucket).blob("one").upload_from_string(b"2", if_generation_match=0)
    blob.upload_from_string(b"2", if_generation_match=first)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string(b"3", if_generation_match=first)
    assert blob.download_as_bytes() == b"2"


def test_what_is_under_retention_stays(storage_client: Client, storage: StorageEmulator, bucket: str) -> None:
    """Asiento's emulator lets nobody delete or replace what is under a retention policy."""
    blob = storage_client.bucket(bucket).blob("kept")
    blob.upload_from_string(b"1")
    storage.buckets.delete_refused.add(bucket)
    with pytest.raises(exceptions.Forbidden):
        blob.delete()
    with pytest.raises(exceptions.Forbidden):
        blob.upload_from_string(b"2")
    assert blob.download_as_bytes() == b"1"


def test_a_listing_follows_bytes_offsets_and_prefixes(storage_client: Client, bucket: str) -> None:
    """Asiento's emulator lists names in the order of their bytes, from one name on and up to another."""
    names = ["2026/01/01/00/a", "2026/01/01/01/a", "2026/01/01/01/b", "2026/01/01/02/a", "2026/01/01/1", "x/é"]
    for name in reversed(names):
        storage_client.bucket(bucket).blob(name).upload_from_string(b"")

    def listed(**bounds: str | int) -> list[str]:
        return [blob.name for blob in storage_client.bucket(bucket).list_blobs(**bounds)]

    assert listed() == names
    assert listed(page_size=2) == names
    assert listed(prefix="2026/01/01/01/") == names[1:3]
    assert listed(start_offset="2026/01/01/01/", end_offset="2026/01/01/02/") == names[1:3]


def test_what_is_absent_is_404(storage_client: Client, bucket: str) -> None:
    """Asiento's emulator tells what is not there."""
    assert storage_client.bucket(bucket).get_blob("nothing") is None
    with pytest.raises(exceptions.NotFound):
        storage_client.bucket(bucket).blob("nothing").delete()
