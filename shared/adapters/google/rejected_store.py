"""The rejected store on Cloud Storage: a bucket of its own, bounded by bytes, of what the door turned away.

A bucket has no size limit of its own, so every instance sweeps now and then: the oldest objects go while the whole is
larger than allowed, and what it counted since the last sweep is added to one counts object. Between sweeps the bucket
may be over its bound by what came in since. The bucket's lifecycle rule ends what nobody mended in time.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from time import monotonic
from uuid import uuid4

from google.api_core.exceptions import PreconditionFailed
from google.cloud.storage import Blob, Client

from shared.adapters.google.calls import Patience, google_errors
from shared.adapters.google.raw_store import delivery_of, retry_of, upload
from shared.domain.deliveries import Delivery
from shared.domain.errors import NotFoundError, TransientError

_DELIVERIES = "deliveries/"
_COUNTS = "counts"
_DROPPED = "dropped"
_REASON = "reason"
_MARK = "mark"
_ROLE = "roles/storage.objectUser on the rejected bucket"
_COUNT_TRIES_MAX = 10
_HEADERS_BYTES = 4 * 1024
"""What an object counts beside its body: the most that the door keeps of a delivery's target and headers."""

DOOR_PATIENCE = Patience(deadline_s=2.0, try_s_max=2.0)
"""A rejected caller is not worth a longer wait; what cannot be kept in this time is counted as dropped."""


class GoogleRejectedStore:
    """RejectedStore on one bucket. Delivery ids are in order of time (UUIDv7), so the first name is the oldest."""

    def __init__(
        self,
        client: Client,
        bucket: str,
        capacity_bytes: int = 256 * 1024 * 1024,
        patience: Patience = DOOR_PATIENCE,
        sweep_every_s: float = 60.0,
    ) -> None:
        """Take the bucket; it holds no more than `capacity_bytes` of deliveries after each sweep."""
        self._bucket = client.bucket(bucket)
        self._capacity_bytes = capacity_bytes
        self._patience = patience
        self._sweep_every_s = sweep_every_s
        self._swept_at_s = monotonic()
        self._tally: Counter[str] = Counter()
        self._in_doubt: tuple[str, Counter[str]] | None = None
        self._lock = Lock()
        self._sweeper = ThreadPoolExecutor(1, thread_name_prefix="rejected-sweep")
        self._sweeping: Future[None] | None = None

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Keep a rejected delivery; while the service is down it is counted as dropped instead."""
        blob = self._bucket.blob(_DELIVERIES + delivery.delivery_id)
        try:
            upload(blob, delivery, {_REASON: reason}, self._patience)
        except PreconditionFailed:
            return  # an earlier try of ours was kept and its answer was lost
        except TransientError:
            self._count(_DROPPED)
        self._count(reason)
        if monotonic() - self._swept_at_s >= self._sweep_every_s:
            self._start_sweep()

    def rejected(self) -> Iterator[tuple[Delivery, str]]:
        """Yield what is kept, oldest first."""
        for blob in self._kept("items(name,size,metadata),nextPageToken"):
            try:
                yield delivery_of(blob, self._patience), blob.metadata[_REASON]
            except NotFoundError:
                continue  # it was swept or discarded while we were listing

    def discard(self, delivery: Delivery) -> None:
        """Forget one; forgetting it twice is harmless."""
        self._delete(self._bucket.blob(_DELIVERIES + delivery.delivery_id))

    def counts(self) -> dict[str, int]:
        """Sweep, then return how many were kept by reason, and how many were dropped."""
        self._start_sweep()
        self._hear_of_sweep()
        with self._lock:
            return dict(sorted((self._read_counts()[0] + self._tally).items()))

    def close(self) -> None:
        """Sweep once more, so that what was counted is written, and end the thread."""
        self._start_sweep()
        self._sweeper.shutdown(wait=True)

    def _count(self, reason: str) -> None:
        with self._lock:
            self._tally[reason] += 1

    def _start_sweep(self) -> None:
        if self._sweeping is not None and not self._sweeping.done():
            return
        self._hear_of_sweep()
        self._swept_at_s = monotonic()
        self._sweeping = self._sweeper.submit(self._sweep)

    def _hear_of_sweep(self) -> None:
        """Wait for the last sweep; what stopped it for good is raised here, once."""
        sweeping, self._sweeping = self._sweeping, None
        if sweeping is not None:
            sweeping.result()

    def _sweep(self) -> None:
        try:
            self._make_room()
            self._write_counts()
        except TransientError:
            return  # nothing is lost: the tally stays, and the next sweep tries again

    def _make_room(self) -> None:
        kept = [(blob, int(blob.size) + _HEADERS_BYTES) for blob in self._kept("items(name,size),nextPageToken")]
        held = sum(size for _, size in kept)
        for blob, size in kept:
            if held <= self._capacity_bytes:
                return
            if self._delete(blob):
                self._count(_DROPPED)
            held -= size

    def _kept(self, fields: str) -> Iterator[Blob]:
        with google_errors(f"listing gs://{self._bucket.name}", _ROLE):
            yield from self._bucket.list_blobs(
                prefix=_DELIVERIES, fields=fields, retry=retry_of(self._patience), timeout=self._patience.try_s_max
            )

    def _delete(self, blob: Blob) -> bool:
        """Delete an object; return whether it was there."""
        try:
            with google_errors(f"deleting gs://{self._bucket.name}/{blob.name}", _ROLE):
                blob.delete(retry=retry_of(self._patience), timeout=self._patience.try_s_max)
        except NotFoundError:
            return False
        return True

    def _write_counts(self) -> None:
        """Add the tally to the counts object; other instances add theirs, so it is written only as it was read.

        Every write carries a mark of its own: found again, it tells that a write whose answer was lost is there.
        """
        for _ in range(_COUNT_TRIES_MAX):
            counts, generation, mark = self._read_counts()
            self._settle_tally(mark)
            with self._lock:
                adding = Counter(self._tally)
            if not adding:
                return
            self._in_doubt = (uuid4().hex, adding)
            try:
                self._replace_counts(counts + adding, generation, self._in_doubt[0])
            except PreconditionFailed:
                continue
            self._settle_tally(self._in_doubt[0])
            return

    def _settle_tally(self, mark: str) -> None:
        """Take off the tally what a write of ours has added, if the counts object carries its mark."""
        if self._in_doubt is None or self._in_doubt[0] != mark:
            return
        with self._lock:
            self._tally.subtract(self._in_doubt[1])
            self._tally = +self._tally
        self._in_doubt = None

    def _replace_counts(self, counts: Counter[str], generation: int, mark: str) -> None:
        blob = self._bucket.blob(_COUNTS)
        blob.metadata = {_COUNTS: json.dumps(dict(counts), sort_keys=True), _MARK: mark}
        with google_errors(f"writing gs://{self._bucket.name}/{_COUNTS}", _ROLE):
            blob.upload_from_string(
                b"", if_generation_match=generation, retry=retry_of(self._patience), timeout=self._patience.try_s_max
            )

    def _read_counts(self) -> tuple[Counter[str], int, str]:
        """Return the counts, the generation that holds them and the mark of its writer; none yet is generation 0.

        They are the object's metadata, so that one request reads all three as of one moment.
        """
        with google_errors(f"reading gs://{self._bucket.name}/{_COUNTS}", _ROLE):
            blob = self._bucket.get_blob(_COUNTS, retry=retry_of(self._patience), timeout=self._patience.try_s_max)
        if blob is None:
            return Counter(), 0, ""
        metadata: Mapping[str, str] = blob.metadata or {}
        return Counter(json.loads(metadata.get(_COUNTS, "{}"))), int(blob.generation), metadata.get(_MARK, "")
