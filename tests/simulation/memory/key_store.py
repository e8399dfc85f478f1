"""The key store in memory: one key a person, drawn by lot."""

from collections.abc import Collection, Mapping, Sequence
from random import Random

from shared.ports.key_store import KEY_BYTES, Erasure, Key


class MemoryKeyStore:
    """KeyStore in dictionaries; its lots come from a seed, so that a run is the same again."""

    def __init__(self, seed: int = 0) -> None:
        """Start empty."""
        self._lots = Random(seed)  # noqa: S311  keys of a simulation close nobody's name
        self._pepper = self._lots.randbytes(KEY_BYTES)
        self._first: dict[str, Key] = {}
        self._names: dict[str, set[str]] = {}
        self._erased: dict[str, Erasure] = {}

    def pepper(self) -> bytes:
        """Return the secret under which people are named."""
        return self._pepper

    def keys_of(self, people: Mapping[str, Collection[str]]) -> dict[str, Key]:
        """Return the key of each person, made where there is none."""
        for first, others in people.items():
            if first not in self._first:
                self._first[first] = Key(self._lots.randbytes(12).hex(), self._lots.randbytes(KEY_BYTES))
            for name in (first, *others):
                self._names.setdefault(name, set()).add(self._first[first].key_id)
        return {first: self._first[first] for first in people}

    def keys(self, key_ids: Sequence[str]) -> dict[str, bytes | Erasure]:
        """Return each key, or that it was erased."""
        held: dict[str, bytes | Erasure] = {**self.held(), **self._erased}
        return {key_id: held[key_id] for key_id in key_ids if key_id in held}

    def find(self, names: Collection[str]) -> list[str]:
        """Return the ids of the keys that any of the names means."""
        return sorted({key_id for name in names for key_id in self._names.get(name, ())})

    def erase(self, key_ids: Collection[str], erasure: Erasure) -> None:
        """Erase keys and all that leads to them."""
        gone = frozenset(key_ids)
        self._erased = dict.fromkeys(sorted(gone), erasure) | self._erased
        self._first = {name: key for name, key in self._first.items() if key.key_id not in gone}
        self._names = {name: ids.difference(gone) for name, ids in self._names.items()}

    def held(self) -> dict[str, bytes]:
        """Return every key that lives, by its id."""
        return {key.key_id: key.secret for key in self._first.values()}

    def erased(self) -> dict[str, Erasure]:
        """Return what became of every key that went, by its id."""
        return dict(self._erased)

    def close(self) -> None:
        """Forget nothing: a simulation opens it again."""
