"""The seal store on Cloud Storage: one bucket, one object for each seal and for each segment, each created once.

Objects have the names that files have on one machine. A segment is downloaded whole and held against its checksum before a
line of it is handed out, so that what arrives broken is asked for again and never taken for what was sealed.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from google.api_core.exceptions import BadRequest, PreconditionFailed
from google.cloud.storage import Blob, Client
from google.cloud.storage.exceptions import DataCorruption

from shared.adapters.google.calls import Patience, google_errors
from shared.adapters.google.raw_store import download, retry_of
from shared.domain.errors import NotFoundError, TerminalError, TransientError
from shared.domain.seals import Seal, read_seal
from shared.ports.seal_store import SEAL_PREFIX, seal_name, segment_name

_ROLE = "roles/storage.objectCreator or roles/storage.objectViewer on the bucket of seals"
_CHUNK_BYTES = 8 * 1024 * 1024
_CONTENT_TYPES = {".json": "application/json", ".ndjson": "application/x-ndjson"}


class GoogleSealStore:
    """SealStore on one bucket. Whoever seals creates and views objects; nobody deletes."""

    def __init__(self, client: Client, bucket: str, patience: Patience | None = None, workers: int = 16) -> None:
        """Take the bucket; at most `workers` seals are asked for at once."""
        self._bucket = client.bucket(bucket)
        self._patience = patience or Patience()
        self._workers = workers

    def keep(self, seal: Seal, segment: Path) -> None:
        """Keep a segment and then its seal."""
        # A segment that is there under its digest is the same one, unless somebody changed it: verify tells.
        with segment.open("rb") as lines:
            self._create(segment_name(seal), lines, segment.stat().st_size)
        name, made = seal_name(seal.sequence), seal.to_bytes()
        if not self._create(name, BytesIO(made), len(made)) and self._download(name) != made:
            raise TransientError(f"another run has made {name} meanwhile; seal again to go on after it")

    def head(self) -> Seal | None:
        """Return the last seal."""
        names = self._seal_names()
        return self._read(names[-1]) if names else None

    def seals(self) -> Iterator[Seal]:
        """Yield the seals in order."""
        with ThreadPoolExecutor(self._workers, thread_name_prefix="seal-store") as pool:
            yield from pool.map(self._read, self._seal_names())

    def segment(self, seal: Seal) -> Iterator[bytes]:
        """Yield the lines of a segment."""
        name = segment_name(seal)
        with TemporaryFile(prefix="asiento-") as file:
            try:
                with self._errors(f"reading {name}"):
                    retry_of(self._patience)(self._download_into)(file, name)
            except NotFoundError:
                raise TerminalError(f"the segment of {seal.place} is gone; bring {name} back from a copy") from None
            except DataCorruption as corrupt:
                raise TransientError(f"{name} came with bytes that do not match its checksum") from corrupt
            file.seek(0)
            yield from file

    def address(self, seal: Seal) -> str:
        """Return the address of a segment in its bucket."""
        return f"gs://{self._bucket.name}/{segment_name(seal)}"

    def _create(self, name: str, content: IO[bytes], size: int) -> bool:
        """Create an object; return whether the name was free."""
        blob = self._bucket.blob(name, chunk_size=_CHUNK_BYTES)
        with self._errors(f"creating {name}"):
            try:
                blob.upload_from_file(
                    content,
                    size=size,
                    content_type=_CONTENT_TYPES[Path(name).suffix],
                    if_generation_match=0,
                    checksum="crc32c",
                    retry=retry_of(self._patience),
                    timeout=self._patience.try_s_max,
                )
            except PreconditionFailed:
                return False
            except BadRequest as refused:
                if "crc32c" not in refused.message.lower():
                    raise
                raise TransientError(
                    f"the bytes for {name} were changed on their way; nothing was kept, send them again"
                ) from refused
        return True

    def _seal_names(self) -> list[str]:
        with self._errors("listing"):
            listed = self._bucket.list_blobs(
                prefix=SEAL_PREFIX,
                fields="items(name),nextPageToken",
                retry=retry_of(self._patience),
                timeout=self._patience.try_s_max,
            )
            return [blob.name for blob in listed]

    def _read(self, name: str) -> Seal:
        return read_seal(self._download(name), name)

    def _download(self, name: str) -> bytes:
        try:
            with self._errors(f"reading {name}"):
                body: bytes = retry_of(self._patience)(download)(self._bucket.blob(name), self._patience.try_s_max)
        except DataCorruption as corrupt:
            raise TransientError(f"{name} came with bytes that do not match its checksum; read it again") from corrupt
        return body

    def _download_into(self, file: IO[bytes], name: str) -> None:
        """Download once, over whatever a try before has left in the file."""
        file.seek(0)
        file.truncate()
        blob: Blob = self._bucket.blob(name)
        blob.download_to_file(file, raw_download=True, checksum="crc32c", retry=None, timeout=self._patience.try_s_max)

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return google_errors(f"{doing} in gs://{self._bucket.name}", _ROLE)
