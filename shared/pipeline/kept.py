"""Everything that was kept, read the cheap way: sealed hours by segment, one request each, and only the rest one by one.

What comes out is what reading every raw object would give, in the same order. The raw store still says what there is: a
name that it holds under a sealed hour without a seal came late and is read by itself, and a sealed one that it does not
hold any more stops the reader, because nothing that was kept ever goes (DESIGN I2).
"""

from collections.abc import Iterator
from hashlib import sha256
from heapq import merge
from itertools import chain

import orjson

from shared.domain.deliveries import Delivery
from shared.domain.errors import TerminalError
from shared.domain.seals import Seal, delivery_of_line, link_fault
from shared.domain.times import ALL_TIME, Window
from shared.pipeline.verification.streams import paired
from shared.ports.raw_store import RawStore
from shared.ports.seal_store import SealStore


def kept_deliveries(raw: RawStore, seals: SealStore | None) -> Iterator[Delivery]:
    """Yield every kept delivery in order of its name; without a seal store, or before the first seal, all from the raw store.

    A segment is held against its seal while it streams, and one that differs is told at its end: use nothing before the
    last delivery came. Raises TerminalError where chain, segment or raw store is not as it was sealed.
    """
    linked = list(_linked(seals)) if seals else []
    sealed_until = linked[-1].sealed_until if linked else ALL_TIME.start
    if seals and linked:
        yield from _sealed(raw, seals, linked, Window(ALL_TIME.start, sealed_until))
    yield from raw.deliveries(Window(sealed_until, ALL_TIME.end))


def _linked(seals: SealStore) -> Iterator[Seal]:
    before: Seal | None = None
    for seal in seals.seals():
        if fault := link_fault(seal, before):
            raise TerminalError(f"{fault}; run `asiento verify`")
        yield seal
        before = seal


def _sealed(raw: RawStore, seals: SealStore, linked: list[Seal], window: Window) -> Iterator[Delivery]:
    in_segments = ((each.object_name, each) for each in _by_name(seals, linked))
    in_store = ((name, name) for name in raw.names(window))
    for name, kept, sealed in paired(in_store, in_segments):
        if kept is None:
            raise TerminalError(f"raw object {name} was sealed and is gone; run `asiento verify`, and bring it back")
        yield sealed or raw.read(name)


def _by_name(seals: SealStore, linked: list[Seal]) -> Iterator[Delivery]:
    hours = chain.from_iterable(_intact(seals, each) for each in linked if not each.is_addendum)
    addenda = (_intact(seals, each) for each in linked if each.is_addendum)
    return merge(hours, *addenda, key=lambda delivery: delivery.object_name)


def _intact(seals: SealStore, of: Seal) -> Iterator[Delivery]:
    """Yield a segment's deliveries. The same bytes have the same leaves, so the digest proves the root as well."""
    digest, name = sha256(), f"the segment of {of.place}"
    for line in seals.segment(of):
        digest.update(line)
        yield delivery_of_line(line, name, orjson.loads)
    if digest.hexdigest() != of.contents.segment_sha256:
        raise TerminalError(f"{name} is not what was sealed; run `asiento verify`")
