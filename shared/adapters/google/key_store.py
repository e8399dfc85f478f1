"""The key store on Cloud Storage: a bucket of its own, without versions and without soft delete, so that deleted is gone.

    pepper                    the secret under which people are named
    keys/<key id>             a key
    first/<name>              the id of the key of whom the name means; created once, so the first of two makers wins
    names/<name>/<key id>     that a name means the holder of a key; its content is the first name of the holder
    erased/<key id>           when a key was erased and by which decision

Keys in use are remembered for a while: an instance that remembers an erased key closes what comes in that while under a key
that nobody has any more, which errs on the side of the erasure.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import NamedTuple, TypeVar

from google.api_core.exceptions import PreconditionFailed
from google.cloud.storage import Blob, Client

from shared.adapters.google.calls import Patience, google_errors
from shared.adapters.google.raw_store import download, retry_of
from shared.domain.errors import NotFoundError, TransientError
from shared.ports.key_store import KEY_BYTES, Erasure, Key

_ROLE = "roles/storage.objectUser on the bucket of keys"
_PEPPER, _KEYS, _FIRST, _NAMES, _ERASED = "pepper", "keys/", "first/", "names/", "erased/"
REMEMBERED_MAX = 20_000

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class _Remembered(NamedTuple):
    key: Key
    names: frozenset[str]
    read_at_s: float


class GoogleKeyStore:
    """KeyStore on one bucket."""

    def __init__(
        self,
        client: Client,
        bucket: str,
        patience: Patience | None = None,
        remember_s: float = 600.0,
        workers: int = 16,
    ) -> None:
        """Take the bucket; at most `workers` requests are under way at once."""
        self._bucket = client.bucket(bucket)
        self._patience = patience or Patience()
        self._remember_s = remember_s
        self._remembered: dict[str, _Remembered] = {}
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="key-store")

    def pepper(self) -> bytes:
        """Return the secret under which people are named."""
        self._create(_PEPPER, os.urandom(KEY_BYTES))
        return self._read(_PEPPER)

    def keys_of(self, people: Mapping[str, Collection[str]]) -> dict[str, Key]:
        """Return the key of each person, made where there is none."""
        found = {name: key for name, others in people.items() if (key := self._recall(name, others))}
        asked = [name for name in people if name not in found]
        return found | dict(zip(asked, self._all(lambda name: self._key_of(name, people[name]), asked), strict=True))

    def keys(self, key_ids: Sequence[str]) -> dict[str, bytes | Erasure]:
        """Return each key, or that it was erased."""
        held = zip(key_ids, self._all(self._held, key_ids), strict=True)
        return {key_id: found for key_id, found in held if found is not None}

    def find(self, names: Collection[str]) -> list[str]:
        """Return the ids of the keys that any of the names means."""
        return sorted({_last(blob.name) for name in names for blob in self._listed(f"{_NAMES}{name}/")})

    def erase(self, key_ids: Collection[str], erasure: Erasure) -> None:
        """Erase keys and all that leads to them; broken off anywhere, the same call again goes on."""
        gone = frozenset(key_ids)
        leading = [blob.name for blob in self._listed(_NAMES) if _last(blob.name) in gone] if gone else []
        for first in {self._read(path).decode("ascii") for path in leading}:
            self._forget(first, gone)
        said = json.dumps([erasure.erased_at.astimezone(UTC).isoformat(), erasure.decision]).encode()
        for key_id in gone:
            self._create(_ERASED + key_id, said)
            self._delete(_KEYS + key_id)
        # These are the last to go: they lead to what is left after a run that was broken off.
        for path in leading:
            self._delete(path)
        with self._lock:
            self._remembered = {name: each for name, each in self._remembered.items() if each.key.key_id not in gone}

    def close(self) -> None:
        """End the threads; the client stays open for its owner to close."""
        self._pool.shutdown(wait=True)

    def _recall(self, name: str, others: Collection[str]) -> Key | None:
        with self._lock:
            remembered = self._remembered.get(name)
            is_fresh = remembered is not None and monotonic() - remembered.read_at_s < self._remember_s
            return remembered.key if remembered and is_fresh and remembered.names.issuperset(others) else None

    def _key_of(self, name: str, others: Collection[str]) -> Key:
        key = self._first(name) or self._made(name)
        for each in {name, *others}:
            self._create(f"{_NAMES}{each}/{key.key_id}", name.encode())
        with self._lock:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[name] = _Remembered(key, frozenset(others), monotonic())
        return key

    def _first(self, name: str) -> Key | None:
        try:
            key_id = self._read(_FIRST + name).decode("ascii")
        except NotFoundError:
            return None
        try:
            return Key(key_id, self._read(_KEYS + key_id))
        except NotFoundError:
            raise TransientError("a key is being erased at this moment; try again") from None

    def _made(self, name: str) -> Key:
        """Make a key. It is there before its name is, so whoever finds the name finds the key."""
        made = Key(os.urandom(12).hex(), os.urandom(KEY_BYTES))
        self._create(_KEYS + made.key_id, made.secret)
        if self._create(_FIRST + name, made.key_id.encode("ascii")):
            return made
        # Somebody was faster; a key that no name leads to closes nothing.
        key_id = self._read(_FIRST + name).decode("ascii")
        return Key(key_id, self._read(_KEYS + key_id))

    def _held(self, key_id: str) -> bytes | Erasure | None:
        with suppress(NotFoundError):
            erased_at, decision = json.loads(self._read(_ERASED + key_id))
            return Erasure(datetime.fromisoformat(erased_at), decision)
        with suppress(NotFoundError):
            return self._read(_KEYS + key_id)
        return None

    def _forget(self, first: str, key_ids: Collection[str]) -> None:
        """Delete a first name, unless it leads to another key by now."""
        with suppress(NotFoundError):
            if self._read(_FIRST + first).decode("ascii") in key_ids:
                self._delete(_FIRST + first)

    def _create(self, path: str, content: bytes) -> bool:
        """Write an object that is not there yet; return whether it was not."""
        with google_errors(f"creating {path.partition('/')[0]} in gs://{self._bucket.name}", _ROLE):
            try:
                self._bucket.blob(path).upload_from_string(
                    content,
                    content_type="application/octet-stream",
                    if_generation_match=0,
                    checksum="crc32c",
                    retry=retry_of(self._patience),
                    timeout=self._patience.try_s_max,
                )
            except PreconditionFailed:
                return False
        return True

    def _read(self, path: str) -> bytes:
        with google_errors(f"reading {path.partition('/')[0]} in gs://{self._bucket.name}", _ROLE):
            content: bytes = retry_of(self._patience)(download)(self._bucket.blob(path), self._patience.try_s_max)
        return content

    def _delete(self, path: str) -> None:
        with suppress(NotFoundError), google_errors(f"deleting {path.partition('/')[0]}", _ROLE):
            self._bucket.blob(path).delete(retry=retry_of(self._patience), timeout=self._patience.try_s_max)

    def _listed(self, prefix: str) -> Iterable[Blob]:
        with google_errors(f"listing gs://{self._bucket.name}", _ROLE):
            yield from self._bucket.list_blobs(
                prefix=prefix,
                fields="items(name),nextPageToken",
                retry=retry_of(self._patience),
                timeout=self._patience.try_s_max,
            )

    def _all(self, ask: Callable[[_In], _Out], of: Sequence[_In]) -> list[_Out]:
        return list(self._pool.map(ask, of))


def _last(path: str) -> str:
    return path.rpartition("/")[2]
