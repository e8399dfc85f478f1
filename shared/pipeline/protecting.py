"""Protecting: personal values are closed under the key of their person before a delivery is kept (docs/erasure.md).

A store that protects stands in front of the raw store, so that whoever keeps a delivery, the door or a job, keeps it so.
What reads the raw store reads the kept form; only who checks a signature again restores the bytes that were signed.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import TerminalError
from shared.domain.personal import Found, Person, PersonalFields, identifier_text
from shared.domain.sealed_values import Cipher, Holder, holds_tokens, key_ids, open_values, seal_values
from shared.domain.times import Window
from shared.ports.key_store import Erasure, Key, KeyStore
from shared.ports.raw_store import Created, RawStore

PROTECTED = frozenset((Channel.WEBHOOK, Channel.FETCH))
"""The channels whose bodies are JSON. Files are settlements and statements, and decisions are the company's own."""
_NAME_BYTES = 16


def _close(secret: bytes, nonce: bytes, text: bytes, about: bytes) -> bytes:
    return AESGCM(secret).encrypt(nonce, text, about)


def _open(secret: bytes, nonce: bytes, sealed: bytes, about: bytes) -> bytes:
    try:
        return AESGCM(secret).decrypt(nonce, sealed, about)
    except InvalidTag:
        msg = "the key does not open this"
        raise ValueError(msg) from None


AES_256_GCM = Cipher(_close, _open)


@dataclass(frozen=True)
class Protection:
    """What protecting needs of the world: which fields of each provider are personal, and the keys of people."""

    fields: Mapping[str, PersonalFields]
    open_keys: Callable[[], KeyStore]
    """Opens the key store; called when the first personal value is met."""

    def protected(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Return deliveries in the form in which they are kept; raises TransientError where keys are not to be had."""
        unpacked = [self._unpacked(delivery) for delivery in deliveries]
        found = [self._find(delivery, plain) for delivery, plain in zip(deliveries, unpacked, strict=True)]
        if not any(each.pieces for each in found):
            return list(deliveries)
        named = [
            [self._names(person, delivery) for person in each.people]
            for delivery, each in zip(deliveries, found, strict=True)
        ]
        people: dict[str, set[str]] = {}
        for first, *others in (names for each in named for names in each):
            people.setdefault(first, set()).update(others)
        keys = self.keys.keys_of(people)
        return [
            _sealed(delivery, each, [keys[first] for first, *_ in names], plain)
            for delivery, each, names, plain in zip(deliveries, found, named, unpacked, strict=True)
        ]

    def restored(self, delivery: Delivery) -> Delivery | Erasure:
        """Return a delivery as it came, or that a key of it was erased.

        Raises TerminalError where the kept form was changed, or a key is gone without having been erased.
        """
        if not holds_tokens(delivery):
            return delivery
        needed = key_ids(delivery)
        found = self.keys.keys(needed)
        erased = [each for each in found.values() if isinstance(each, Erasure)]
        if erased:
            return min(erased, key=lambda each: each.erased_at)
        missing = next((key_id for key_id in needed if key_id not in found), None)
        if missing is not None:
            raise TerminalError(
                f"{delivery.object_name} needs key {missing}, which is gone and was never erased; bring the key store back"
            )
        secrets = {key_id: key for key_id, key in found.items() if isinstance(key, bytes)}
        return open_values(delivery, secrets, AES_256_GCM)

    def people_of(self, delivery: Delivery) -> list[Person]:
        """Return whom a delivery tells of, as it came, also where its content is compressed."""
        return self._find(delivery, self._unpacked(delivery)).people

    def _find(self, delivery: Delivery, unpacked: bytes | None) -> Found:
        """Return the personal values of a delivery as it came: those of its body, or of what the body unpacks to."""
        fields = self.fields.get(delivery.provider) if delivery.channel in PROTECTED else None
        if fields is None or holds_tokens(delivery):
            return Found([], [])
        return fields.find(delivery.body if unpacked is None else unpacked)

    def _unpacked(self, delivery: Delivery) -> bytes | None:
        fields = self.fields.get(delivery.provider) if delivery.channel in PROTECTED else None
        return None if fields is None or fields.unpacked is None else fields.unpacked(delivery.body)

    def name(self, identifier: str) -> str:
        """Return the name under which the key store knows who is identified so."""
        return blake2b(identifier.encode(), key=self._pepper, digest_size=_NAME_BYTES).hexdigest()

    @cached_property
    def keys(self) -> KeyStore:
        """The key store."""
        return self.open_keys()

    @cached_property
    def _pepper(self) -> bytes:
        return self.keys.pepper()

    def _names(self, person: Person, delivery: Delivery) -> list[str]:
        """Return the names of a person; who is not known is somebody of this delivery alone."""
        return [self.name(each) for each in person or (delivery_identifier(delivery.delivery_id),)]


def delivery_identifier(delivery_id: str) -> str:
    """Return what identifies those of whom one delivery tells without saying who they are."""
    return identifier_text("delivery", delivery_id)


@dataclass(frozen=True, slots=True)
class ProtectedRawStore:
    """A raw store that keeps the protected form. What it returns is the kept form."""

    kept: RawStore
    protection: Protection

    async def create(self, delivery: Delivery) -> Created:
        """Keep one delivery durably."""
        (protected,) = await asyncio.to_thread(self.protection.protected, [delivery])
        return await self.kept.create(protected)

    def create_all(self, deliveries: Sequence[Delivery]) -> list[Created]:
        """Keep many deliveries durably."""
        return self.kept.create_all(self.protection.protected(deliveries))

    def read(self, object_name: str) -> Delivery:
        """Return a kept delivery."""
        return self.kept.read(object_name)

    def read_all(self, object_names: Sequence[str]) -> list[Delivery]:
        """Return kept deliveries in the order asked for."""
        return self.kept.read_all(object_names)

    def names(self, window: Window) -> Iterator[str]:
        """Yield the names of what was received in the window."""
        return self.kept.names(window)

    def deliveries(self, window: Window) -> Iterator[Delivery]:
        """Yield what was received in the window."""
        return self.kept.deliveries(window)


def _sealed(delivery: Delivery, found: Found, keys: Iterable[Key], unpacked: bytes | None) -> Delivery:
    if not found.pieces:
        return delivery
    return seal_values(delivery, found.pieces, [Holder(*key) for key in keys], AES_256_GCM, unpacked)
