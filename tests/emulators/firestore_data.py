"""What the Firestore emulator holds: every version of every document, so that reads at an earlier moment are exact."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Versioned:
    """One version of a document: None once it is deleted."""

    version: int
    document: Any


@dataclass(slots=True)
class Data:
    """All databases. A version is the number of a commit; its moment is that many microseconds after a fixed one."""

    version: int = 0
    documents: dict[str, list[Versioned]] = field(default_factory=dict)
    ids: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """Document ids of each collection, by the collection's full name, in order of their bytes."""

    def at(self, name: str, version: int) -> Any:
        """Return a document as of a version, or None."""
        for each in reversed(self.documents.get(name, [])):
            if each.version <= version:
                return each.document
        return None

    def changed_since(self, name: str, version: int) -> bool:
        """Return whether a document was written after a version."""
        history = self.documents.get(name)
        return history is not None and history[-1].version > version

    def put(self, name: str, document: Any) -> None:
        """Write a document (None deletes it) at the version that is being committed."""
        if name not in self.documents:
            collection, _, document_id = name.rpartition("/")
            insort(self.ids[collection], document_id.encode())
            self.documents[name] = []
        self.documents[name].append(Versioned(self.version, document))

    def collection(self, name: str, version: int, first: bytes = b"") -> Iterator[Any]:
        """Yield the documents of a collection as of a version, in order of ids, from one id on."""
        ids = self.ids.get(name, [])
        for document_id in ids[bisect_left(ids, first) :]:
            document = self.at(f"{name}/{document_id.decode()}", version)
            if document is not None:
                yield document

    def split(self, name: str, parts: int) -> list[str]:
        """Return the names at which a collection falls into about equal parts."""
        ids = self.ids.get(name, [])
        edges = {len(ids) * number // parts for number in range(1, parts)} - {0, len(ids)}
        return [f"{name}/{ids[edge].decode()}" for edge in sorted(edges)]


def moment(version: int) -> datetime:
    """Return the commit time of a version."""
    return _EPOCH + version * _TICK


def version_of(instant: datetime) -> int:
    """Return the version that stood at an instant."""
    return (instant - _EPOCH) // _TICK


def collections_under(data: Data, root: str, collection_id: str) -> list[str]:
    """Return the full names of all collections of one id in a database, in order: a collection group."""
    return sorted(name for name in data.ids if name.startswith(root) and name.rpartition("/")[2] == collection_id)
