"""The key store: one key for each person whose personal values are kept, and what became of keys that were erased."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

KEY_BYTES = 32
"""The length of every key, and of the pepper."""


class Key(NamedTuple):
    """A person's key. Its id is drawn by lot and says nothing about the person."""

    key_id: str
    """24 hex digits."""
    secret: bytes


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a key was erased: when, and by which decision (the id of its delivery)."""

    erased_at: datetime
    decision: str


class KeyStore(Protocol):
    """Keys by people. People are named by digests: `pepper` keys them, so that nobody guesses an e-mail address from one.

    A person has a first name, which finds their key, and others, by which the key is found to be erased. Raises
    TransientError where the store is down.
    """

    def pepper(self) -> bytes:
        """Return the secret under which people are named; it is drawn once and stays."""

    def keys_of(self, people: Mapping[str, Collection[str]]) -> dict[str, Key]:
        """Return the key of each person by first name, made durably where there is none; remember their other names.

        Two callers at once get the same key.
        """

    def keys(self, key_ids: Sequence[str]) -> dict[str, bytes | Erasure]:
        """Return each key, or that it was erased. An id that never was is not in the answer."""

    def find(self, names: Collection[str]) -> list[str]:
        """Return the ids of the keys of all people whom any of the names means, in order."""

    def erase(self, key_ids: Collection[str], erasure: Erasure) -> None:
        """Erase these keys, which were found, for good. Of a key that went before, the first erasure stands.

        Whoever comes again afterwards has a new key. Nothing is left that leads from a name to an erased key. Broken off
        anywhere, it is finished by finding and erasing again.
        """

    def close(self) -> None:
        """Close what is open."""
