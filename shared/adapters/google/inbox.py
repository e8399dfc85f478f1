"""The inbox as a bucket: `<provider>/<file>`, with `mappings/` and `refused/` beside it.

An object exists once it is whole, and its generation tells one file from another of the same name.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import PurePosixPath

from google.api_core.exceptions import PreconditionFailed
from google.cloud.storage import Blob, Client
from google.cloud.storage.exceptions import DataCorruption

from shared.adapters.google.calls import Patience, google_errors
from shared.adapters.google.raw_store import download, retry_of
from shared.domain.errors import NotFoundError, TransientError
from shared.ports.inbox import Dropped

MAPPINGS, REFUSED = "mappings/", "refused/"
_REASON = "reason"
_ROLE = "roles/storage.objectUser on the inbox bucket"
_LISTED = "items(name,generation,size),nextPageToken"


class GoogleInbox:
    """Inbox on one bucket."""

    def __init__(self, client: Client, bucket: str, patience: Patience | None = None) -> None:
        """Take the bucket."""
        self._bucket = client.bucket(bucket)
        self._patience = patience or Patience()

    def waiting(self) -> Iterator[Dropped]:
        """Yield the objects that wait, in order of their names; a name that ends with a slash is a folder that somebody made."""
        for blob in self._listed(""):
            if not blob.name.startswith((MAPPINGS, REFUSED)) and not blob.name.endswith("/"):
                yield Dropped(blob.name, str(blob.generation), int(blob.size))

    def read(self, dropped: Dropped) -> bytes:
        """Return the bytes of this very generation."""
        return self._download(self._bucket.blob(dropped.path, generation=int(dropped.generation)))

    def remove(self, dropped: Dropped) -> None:
        """Delete this very generation."""
        blob = self._bucket.blob(dropped.path)
        with suppress(PreconditionFailed, NotFoundError), self._errors(f"deleting {dropped.path}"):
            blob.delete(
                if_generation_match=int(dropped.generation),
                retry=retry_of(self._patience),
                timeout=self._patience.try_s_max,
            )

    def set_aside(self, dropped: Dropped, reason: str) -> None:
        """Rewrite the object under `refused/`, with the reason in its metadata, and delete it where it was."""
        source = self._bucket.blob(dropped.path, generation=int(dropped.generation))
        target = self._bucket.blob(f"{REFUSED}{dropped.path}.{dropped.generation}")
        target.metadata = {_REASON: reason}
        with suppress(NotFoundError), self._errors(f"setting {dropped.path} aside"):
            token = None
            while token is not None or not target.generation:
                token, _, _ = target.rewrite(
                    source, token=token, retry=retry_of(self._patience), timeout=self._patience.try_s_max
                )
        self.remove(dropped)

    def mappings(self) -> Mapping[str, str]:
        """Return the declared mappings."""
        names = [blob.name for blob in self._listed(MAPPINGS) if blob.name.endswith(".yaml")]
        return {PurePosixPath(name).stem: self._download(self._bucket.blob(name)).decode("utf-8") for name in names}

    def _listed(self, prefix: str) -> Iterator[Blob]:
        with self._errors("listing"):
            yield from self._bucket.list_blobs(
                prefix=prefix, fields=_LISTED, retry=retry_of(self._patience), timeout=self._patience.try_s_max
            )

    def _download(self, blob: Blob) -> bytes:
        with self._errors(f"reading {blob.name}"):
            try:
                body: bytes = retry_of(self._patience)(download)(blob, self._patience.try_s_max)
            except DataCorruption as corrupt:
                raise TransientError(f"{blob.name} came with bytes that do not match its checksum") from corrupt
        return body

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return google_errors(f"{doing} in gs://{self._bucket.name}", _ROLE)
