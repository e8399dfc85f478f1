"""The auditor's books about people: who they are, what of them is readable where, and who was promised to be forgotten.

The kept form is read here by a reading of our own (docs/erasure.md), with no code of what closes and restores it.
"""

import re
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NoReturn

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from local.simulator import Season
from local.simulator.records import Person
from shared.domain.deliveries import Delivery
from shared.ports.key_store import Erasure
from tests.simulation.memory.key_store import MemoryKeyStore
from tests.simulation.memory.ledger_store import MemoryLedgerStore
from tests.simulation.memory.raw_store import MemoryRawStore, MemoryRejectedStore

_TOKEN = re.compile(rb'"~pd1\.[0-9a-f]{8}\.([0-9a-f]{24})(?:\.([A-Za-z0-9_-]+))?"')
_TEXT = re.compile(rb'"[^"]*"')
_NONCE_BYTES = 12
_RESTORED_AT_ONCE = 4
"""How many deliveries of an erased person are shown to whoever restores deliveries: one would do, if none were special."""


@dataclass(frozen=True)
class Individual:
    """One person, and by which bytes one finds them: nobody else of the town has any of these."""

    person: Person
    traces: tuple[bytes, ...]

    def is_in(self, text: bytes) -> bool:
        """Return whether a text tells of this person."""
        return any(trace in text for trace in self.traces)


def individuals(season: Season) -> tuple[Individual, ...]:
    """Return everybody who bought or travelled, from the company's records."""
    people = {ticket.passenger.id: ticket.passenger for ticket in season.company.tickets.values()}
    people |= season.company.people
    names = Counter((each.first_name, each.last_name) for each in people.values())
    return tuple(
        Individual(each, tuple(_traces(each, is_alone=names[each.first_name, each.last_name] == 1)))
        for each in people.values()
    )


def _traces(person: Person, *, is_alone: bool) -> Iterator[bytes]:
    if person.email:
        yield person.email.encode()
    yield person.number.encode()
    if is_alone:
        # As a body has it, and as the values of one token stand one after the other.
        yield f'"firstName":"{person.first_name}","lastName":"{person.last_name}"'.encode()
        yield f'"{person.first_name}"\n"{person.last_name}"'.encode()
        yield f"{person.first_name} {person.last_name}".encode()


@dataclass(frozen=True, slots=True)
class Promise:
    """That somebody was erased: what was kept when it was asked for tells nothing of them any more."""

    whom: Individual
    kept_before: frozenset[str]


@dataclass
class Privacy:
    """Watches what is readable of people. `violated` is told of the invariant and of what was seen."""

    season: Season
    raw: MemoryRawStore
    rejected: MemoryRejectedStore
    ledger: MemoryLedgerStore
    keys: MemoryKeyStore
    restored: Callable[[Delivery], Delivery | Erasure]
    """The product's way back to what came, past the director."""
    violated: Callable[[str, str], NoReturn]
    situations: Counter[str]
    _promises: list[Promise] = field(default_factory=list)
    _told_by: dict[str, bytes] = field(default_factory=dict)
    """By object name: the bytes as they came, of what was acknowledged."""

    @cached_property
    def people(self) -> tuple[Individual, ...]:
        """Everybody of the town."""
        return individuals(self.season)

    @cached_property
    def _all_traces(self) -> tuple[bytes, ...]:
        return tuple(trace for each in self.people for trace in each.traces)

    def kept(self, delivery: Delivery) -> None:
        """Check that nothing of anybody stands open in what was just kept."""
        if any(trace in delivery.body for trace in self._all_traces):
            self.violated("I12", f"{delivery.object_name} is kept with a passenger's value open")

    def acknowledged(self, kept: Delivery, body: bytes) -> None:
        """Check that what is kept is what came: every byte, as far as the keys of its people live."""
        self._told_by[kept.object_name] = body
        if not _is_form_of(kept, body, self.keys.held()):
            self.violated("I2", f"{kept.object_name} is not what was acknowledged")

    # Erasure

    def promised(self, whom: Individual, kept_before: frozenset[str], decision: str) -> None:
        """Hear that somebody was told that a person is erased."""
        if decision and not any(each.delivery_id == decision for each in self.raw.objects.values()):
            self.violated("I12", f"erasure {decision} is decided by nothing that is kept")
        promise = Promise(whom, kept_before)
        self._promises.append(promise)
        self._check_promise(promise)

    def at_rest(self) -> None:
        """Check that no promise was broken since, and that every key that is gone went by a decision that is kept."""
        for promise in self._promises:
            self._check_promise(promise)
        decisions = {each.delivery_id for each in self.raw.objects.values() if each.provider == "operator"}
        for key_id, erasure in self.keys.erased().items():
            if erasure.decision not in decisions:
                self.violated("I12", f"key {key_id} was erased, and no decision to do so is kept")

    def forgotten(self, whom: Iterable[Individual], shown: bytes = b"") -> None:
        """Check that nothing of these people is readable anywhere: raw, rejected, ledger, nor in what is shown."""
        held = self.keys.held()
        gone = tuple(whom)
        places = [(name, _readable(each, held)) for name, each in self.raw.objects.items()]
        places += [(f"rejected {each.delivery_id}", each.body) for each, _ in self.rejected.rejected()]
        places += [(str(key), document) for key, document in self.ledger.documents.items()]
        places.append(("the warehouse", shown))
        for name, text in places:
            if any(each.is_in(text) for each in gone):
                self.violated("I12", f"{name} still tells of somebody who was erased")

    def _check_promise(self, promise: Promise) -> None:
        held = self.keys.held()
        shown = 0
        for name in promise.kept_before:
            delivery = self.raw.objects[name]
            if b"~pd1." not in delivery.body:
                continue
            if promise.whom.is_in(_readable(delivery, held)):
                self.violated("I12", f"{name} tells of somebody who was erased")
            if shown < _RESTORED_AT_ONCE and promise.whom.is_in(self._told_by.get(name, b"")):
                shown += 1
                self._check_not_restored(delivery, promise.whom)

    def _check_not_restored(self, delivery: Delivery, whom: Individual) -> None:
        restored = self.restored(delivery)
        if not isinstance(restored, Erasure):
            self.violated("I12", f"{delivery.object_name} is restored although a key of it was erased")
        if whom.is_in(repr(restored).encode()):
            self.violated("I12", "the record of an erasure says who was erased")
        self.situations["a delivery of somebody erased can no longer be restored"] += 1


def _readable(delivery: Delivery, held: Mapping[str, bytes]) -> bytes:
    """Return all that can be read in a kept body with the keys that live: what stands open, and what they open."""
    opened = [
        value
        for token in _TOKEN.finditer(delivery.body)
        if token[2] and token[1].decode() in held
        for value in _opened(token[2], held[token[1].decode()], delivery.delivery_id)
    ]
    return b"\n".join((delivery.body, *opened))


def _opened(sealed: bytes, secret: bytes, delivery_id: str) -> list[bytes]:
    """Return the values that one token holds: each has its length before it, in four bytes."""
    blob = urlsafe_b64decode(sealed + b"==")
    text = AESGCM(secret).decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], delivery_id.encode())
    values = []
    while text:
        end = 4 + int.from_bytes(text[:4], "big")
        values.append(text[4:end])
        text = text[end:]
    return values


def _is_form_of(kept: Delivery, body: bytes, held: Mapping[str, bytes]) -> bool:
    """Return whether a kept body is what came with tokens in the place of values: those of living keys, and any others."""
    at = read = 0
    waiting: dict[bytes, list[bytes]] = {}
    for token in _TOKEN.finditer(kept.body):
        secret = held.get(token[1].decode())
        if secret is not None and token[2]:
            waiting[token[1]] = _opened(token[2], secret, kept.delivery_id)
        value = waiting[token[1]].pop(0) if secret is not None else _text_at(body, read + token.start() - at)
        said = kept.body[at : token.start()] + value
        if not body.startswith(said, read):
            return False
        read += len(said)
        at = token.end()
    return kept.body[at:] == body[read:]


def _text_at(body: bytes, place: int) -> bytes:
    found = _TEXT.match(body, place)
    return found[0] if found else b""


def without_tokens(body: bytes) -> bytes:
    """Return a kept body with every token alike: two copies of one request are equal then."""
    return _TOKEN.sub(b'"~"', body)
