"""The raw store on Cloud Storage: one object a delivery, its content the exact bytes that came, created once.

What is needed to check the signature again travels in the object's custom metadata. Objects are created under the
precondition that there is none of this name (generation 0), so a retried create whose first answer was lost finds its
own bytes and is a success. Checksums (crc32c) are sent with every upload, where the service refuses bytes that differ,
and are compared on every download.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from google.api_core.exceptions import BadRequest, PreconditionFailed
from google.api_core.retry import Retry
from google.cloud.storage import Blob, Client
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import HTTPAdapter

from shared.adapters.google.calls import Patience, google_errors
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import ConflictError, NotFoundError, TerminalError, TransientError
from shared.domain.seals import hour_of
from shared.domain.times import Window
from shared.ports.raw_store import Created

METADATA_BYTES_MAX = 8 * 1024
"""Cloud Storage takes no more custom metadata than this on one object: headers and target must fit in it."""

_LISTED = "items(name,size,metadata),nextPageToken"
_NAMES = "items(name),nextPageToken"
_BYTES = "application/octet-stream"
_READ_ROLE = "roles/storage.objectViewer on the bucket"
_CREATE_ROLE = "roles/storage.objectCreator on the bucket"

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def open_client(project: str | None, connections: int = 32) -> Client:
    """Open a Cloud Storage client whose connection pool serves that many threads without opening new ones.

    Where STORAGE_EMULATOR_HOST is set the library calls that address, without credentials.
    """
    with google_errors("opening Cloud Storage", "a service account"):
        client = Client(project=project)
    pool = HTTPAdapter(pool_connections=1, pool_maxsize=connections)
    # The library offers its session under no public name, and its own pool keeps ten connections.
    client._http.mount("https://", pool)  # noqa: SLF001
    client._http.mount("http://", pool)  # noqa: SLF001
    return client


class GoogleRawStore:
    """RawStore on one bucket. The service account that runs it needs to create and view objects, never to delete."""

    def __init__(self, client: Client, bucket: str, patience: Patience | None = None, workers: int = 32) -> None:
        """Take the bucket; at most `workers` requests are under way at once (`open_client` with as many connections)."""
        self._bucket = client.bucket(bucket)
        self._patience = patience or Patience()
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="raw-store")

    async def create(self, delivery: Delivery) -> Created:
        """Keep one delivery durably; waiting for the service does not hold up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._create, delivery)

    def create_all(self, deliveries: Sequence[Delivery]) -> list[Created]:
        """Keep many deliveries; all are tried, then the first that failed is raised."""
        tries = [self._pool.submit(self._create, delivery) for delivery in deliveries]
        failed = next((error for error in (attempt.exception() for attempt in tries) if error), None)
        if failed is not None:
            raise failed
        return [attempt.result() for attempt in tries]

    def read(self, object_name: str) -> Delivery:
        """Return a kept delivery."""
        with google_errors(f"looking for gs://{self._bucket.name}/{object_name}", _READ_ROLE):
            blob = self._bucket.get_blob(object_name, retry=retry_of(self._patience), timeout=self._patience.try_s_max)
        if blob is None:
            raise NotFoundError(f"there is no raw object {object_name}; list the hour to see what is there")
        return delivery_of(blob, self._patience)

    def read_all(self, object_names: Sequence[str]) -> list[Delivery]:
        """Return kept deliveries in the order asked for."""
        return list(self._ahead(self.read, object_names))

    def names(self, window: Window) -> Iterator[str]:
        """Yield the names of what was received in the window."""
        if _is_of_whole_hours(window):
            # The names say the hour, so what travels is a tenth of what comes with headers and targets.
            yield from (blob.name for blob in self._listed(window, _NAMES))
        else:
            yield from (blob.name for blob in self._in_window(window))

    def deliveries(self, window: Window) -> Iterator[Delivery]:
        """Yield what was received in the window, reading a bounded number ahead."""
        yield from self._ahead(lambda blob: delivery_of(blob, self._patience), self._in_window(window))

    def close(self) -> None:
        """Wait for what is under way and end the threads; the client stays open for its owner to close."""
        self._pool.shutdown(wait=True)

    def _create(self, delivery: Delivery) -> Created:
        blob = self._bucket.blob(delivery.object_name)
        try:
            upload(blob, delivery, {}, self._patience)
        except PreconditionFailed:
            return self._compare(delivery)
        return Created.CREATED

    def _compare(self, delivery: Delivery) -> Created:
        """Say what a create that came second found: its own bytes, or others."""
        if self.read(delivery.object_name) == delivery:
            return Created.ALREADY_THERE
        raise ConflictError(f"raw object {delivery.object_name} already holds other bytes; nothing was changed")

    def _in_window(self, window: Window) -> Iterator[Blob]:
        for blob in self._listed(window, _LISTED):
            if window.start <= _received_at(blob) < window.end:
                yield blob

    def _listed(self, window: Window, fields: str) -> Iterator[Blob]:
        """Yield what is in the hours that a window touches."""
        if window.start == window.end:
            return
        last_hour = (window.end - timedelta(microseconds=1)).astimezone(UTC)
        with google_errors(f"listing gs://{self._bucket.name}", _READ_ROLE):
            # A closed hour is one prefix; '0' sorts right after '/', so the last hour is in and the next is not.
            yield from self._bucket.list_blobs(
                start_offset=f"{window.start.astimezone(UTC):%Y/%m/%d/%H}/",
                end_offset=f"{last_hour:%Y/%m/%d/%H}0",
                fields=fields,
                retry=retry_of(self._patience),
                timeout=self._patience.try_s_max,
            )

    def _ahead(self, work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
        """Do the work on the pool, yield results in order, and never hold more than two rounds of it."""
        under_way: deque[Future[_Out]] = deque()
        try:
            for item in items:
                under_way.append(self._pool.submit(work, item))
                if len(under_way) >= 2 * self._workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for waiting in under_way:
                waiting.cancel()


def retry_of(patience: Patience) -> Retry:
    """Return a patience in this library's form: its uploads and downloads fail with errors that only it can tell apart."""
    spaced = DEFAULT_RETRY.with_delay(initial=patience.first_pause_s, maximum=patience.longest_pause_s)
    return cast("Retry", spaced.with_timeout(patience.deadline_s))


def upload(blob: Blob, delivery: Delivery, more: Mapping[str, str], patience: Patience) -> None:
    """Create an object from a delivery; raise PreconditionFailed, as it came, if there is one of this name."""
    metadata = {
        "delivery_id": delivery.delivery_id,
        "provider": delivery.provider,
        "channel": delivery.channel.value,
        "received_at": delivery.received_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "target": delivery.target,
        "headers": json.dumps(dict(delivery.headers), ensure_ascii=False, separators=(",", ":")),
        **more,
    }
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > METADATA_BYTES_MAX:
        raise TerminalError(
            f"delivery {delivery.delivery_id} has {size} bytes of target and headers, and Cloud Storage keeps "
            f"{METADATA_BYTES_MAX} beside an object; keep fewer headers or refuse longer targets at the door"
        )
    blob.metadata = metadata
    where = f"gs://{blob.bucket.name}/{blob.name}"
    with google_errors(f"creating {where}", _CREATE_ROLE):
        try:
            blob.upload_from_string(
                delivery.body,
                content_type=_BYTES,
                if_generation_match=0,
                checksum="crc32c",
                retry=retry_of(patience),
                timeout=patience.try_s_max,
            )
        except BadRequest as refused:
            if "crc32c" not in refused.message.lower():
                raise
            raise TransientError(
                f"the bytes for {where} were changed on their way; nothing was kept, send them again"
            ) from refused


def delivery_of(blob: Blob, patience: Patience) -> Delivery:
    """Download an object of which the metadata is known; raise TransientError if the bytes do not match their checksum."""
    where = f"gs://{blob.bucket.name}/{blob.name}"
    metadata: Mapping[str, str] = blob.metadata or {}
    with google_errors(f"reading {where}", _READ_ROLE):
        try:
            body: bytes = retry_of(patience)(download)(blob, patience.try_s_max)
        except DataCorruption as corrupt:
            raise TransientError(f"{where} came with bytes that do not match its checksum; read it again") from corrupt
    try:
        return Delivery(
            delivery_id=metadata["delivery_id"],
            provider=metadata["provider"],
            channel=Channel(metadata["channel"]),
            received_at=_received_at(blob),
            target=metadata["target"],
            headers=json.loads(metadata["headers"]),
            body=body,
        )
    except (KeyError, ValueError) as foreign:
        raise TerminalError(
            f"{where} was not written by Asiento: its metadata lacks {foreign}; find out what wrote it"
        ) from foreign


def download(blob: Blob, try_s_max: float) -> bytes:
    """Download once. The library's own retries of a download leave the connection of each failed answer open."""
    body: bytes = blob.download_as_bytes(raw_download=True, checksum="crc32c", retry=None, timeout=try_s_max)
    return body


def _is_of_whole_hours(window: Window) -> bool:
    return all(hour_of(edge) == edge for edge in (window.start, window.end))


def _received_at(blob: Blob) -> datetime:
    metadata: Mapping[str, str] = blob.metadata or {}
    if "received_at" not in metadata:
        raise TerminalError(
            f"gs://{blob.bucket.name}/{blob.name} was not written by Asiento: it has no received_at; find out what wrote it"
        )
    return datetime.fromisoformat(metadata["received_at"])
