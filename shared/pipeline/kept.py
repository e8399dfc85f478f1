"""Everything that was kept, read the cheap way: sealed hours where their segments lie, and only the rest one by one.

What comes out is what reading every raw object would give, in the same order. The raw store still says what there is: a
name that it holds under a sealed hour without a seal came late and is read by itself, and a sealed one that it does not
hold any more stops the reader, because nothing that was kept ever goes (DESIGN I2).
"""

from collections.abc import Iterator
from hashlib import sha256
from heapq import merge
from itertools import chain
from typing import NamedTuple

import orjson

from shared.domain.deliveries import Delivery
from shared.domain.errors import TerminalError
from shared.domain.seals import Seal, delivery_of_line, is_judged, link_fault, name_and_digest
from shared.domain.times import ALL_TIME, Window
from shared.pipeline.verification.streams import paired
from shared.ports.raw_store import RawStore
from shared.ports.seal_store import SealStore


class KeptObject(NamedTuple):
    """One kept delivery: its name, the digest of its body, and itself where no judged line of a segment holds it."""

    object_name: str
    body_sha256: str
    delivery: Delivery | None


class Kept:
    """What was kept, in order of names; without a seal store, or before the first seal, all of it from the raw store.

    A segment is held against its seal while it streams, and one that differs is told at its end: use nothing, and load
    nothing from a segment, before the last object came. Raises TerminalError where chain, segment or raw store is not as
    it was sealed.
    """

    def __init__(self, raw: RawStore, seals: SealStore | None) -> None:
        """Take the stores; nothing is read yet."""
        self._raw = raw
        self._seals = seals
        self.judged: list[str] = []
        """Where the segments lie of which lines came out without their deliveries."""
        self.line_bytes_max = 0
        """How long the longest line of a segment is."""

    def objects(self) -> Iterator[KeptObject]:
        """Yield every kept delivery, once."""
        linked = list(_linked(self._seals)) if self._seals else []
        sealed_until = linked[-1].sealed_until if linked else ALL_TIME.start
        if self._seals and linked:
            yield from self._sealed(self._seals, linked, Window(ALL_TIME.start, sealed_until))
        yield from map(_read, self._raw.deliveries(Window(sealed_until, ALL_TIME.end)))

    def _sealed(self, seals: SealStore, linked: list[Seal], window: Window) -> Iterator[KeptObject]:
        in_segments = ((each.object_name, each) for each in self._by_name(seals, linked))
        in_store = ((name, name) for name in self._raw.names(window))
        for name, kept, sealed in paired(in_store, in_segments):
            if kept is None:
                raise TerminalError(
                    f"raw object {name} was sealed and is gone; run `asiento verify`, and bring it back"
                )
            yield sealed or _read(self._raw.read(name))

    def _by_name(self, seals: SealStore, linked: list[Seal]) -> Iterator[KeptObject]:
        hours = chain.from_iterable(self._intact(seals, each) for each in linked if not each.is_addendum)
        addenda = [self._intact(seals, each) for each in linked if each.is_addendum]
        return merge(hours, *addenda, key=lambda each: each.object_name) if addenda else hours

    def _intact(self, seals: SealStore, of: Seal) -> Iterator[KeptObject]:
        """Yield what a segment holds. The same bytes have the same leaves, so the digest proves the root as well."""
        digest, name, has_judged = sha256(), f"the segment of {of.place}", False
        for line in seals.segment(of):
            digest.update(line)
            self.line_bytes_max = max(self.line_bytes_max, len(line))
            if is_judged(line):
                has_judged = True
                yield KeptObject(*name_and_digest(line, name), None)
            else:
                yield _read(delivery_of_line(line, name, orjson.loads))
        if digest.hexdigest() != of.contents.segment_sha256:
            raise TerminalError(f"{name} is not what was sealed; run `asiento verify`")
        if has_judged:
            self.judged.append(seals.address(of))


def _linked(seals: SealStore) -> Iterator[Seal]:
    before: Seal | None = None
    for seal in seals.seals():
        if fault := link_fault(seal, before):
            raise TerminalError(f"{fault}; run `asiento verify`")
        yield seal
        before = seal


def _read(delivery: Delivery) -> KeptObject:
    return KeptObject(delivery.object_name, delivery.body_sha256, delivery)
