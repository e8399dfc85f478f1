"""Seal: what came in a closed hour is written into one segment and chained to what was sealed before.

Deliveries are read in order of their names and written line by line, so memory grows with neither. A seal is kept after its
segment and each place in the chain is taken once: a run that was interrupted is simply run again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from heapq import merge
from itertools import chain, groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import structlog

from shared.bi.inputs import reads_alike
from shared.domain.deliveries import Delivery
from shared.domain.errors import NotFoundError, TerminalError
from shared.domain.merkle import Tree, inclusion_path, leaf_hash
from shared.domain.seals import (
    HOUR,
    NO_SEAL_BEFORE,
    Contents,
    InclusionProof,
    Seal,
    closed_until,
    hour_of,
    hour_of_name,
    leaf_data,
    read_line,
    segment_line,
)
from shared.domain.times import ALL_TIME, Window
from shared.ports.raw_store import RawStore
from shared.ports.seal_store import SealStore

log = structlog.get_logger("seal")

_READ_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Sealing:
    """What sealing needs of the world."""

    raw: RawStore
    seals: SealStore
    code_version: str


class SealedObject(NamedTuple):
    """One delivery as a segment holds it: its name, the hash of its leaf, and the seal that covers it."""

    object_name: str
    leaf: bytes
    sequence: int


def seal(world: Sealing, now: datetime) -> list[Seal]:
    """Seal every hour that is closed and not yet sealed; return the new seals, none where there is nothing to do.

    Hours in which nothing came are covered by the next seal that holds something, those at the end by a seal that holds
    nothing. What came late under an hour that is sealed is left to `seal_late`. Raises TransientError if a store is down or
    another run is sealing, TerminalError where the raw store or the chain is not as it was made.
    """
    head = world.seals.head()
    start = head.sealed_until if head else _first_hour(world.raw)
    until = closed_until(now)
    made: list[Seal] = []
    if start is None or start >= until:
        return made
    for hour, deliveries in groupby(
        world.raw.deliveries(Window(start, until)), key=lambda each: hour_of(each.received_at)
    ):
        if hour < start:
            raise TerminalError(f"a raw object stands outside its hour {hour:%Y-%m-%dT%H}Z; run `asiento verify`")
        head = _keep(world, head, Window(start, hour + HOUR), deliveries, now)
        made.append(head)
        start = hour + HOUR
    if start < until:
        made.append(_keep(world, head, Window(start, until), (), now))
    return made


def seal_late(world: Sealing, now: datetime) -> list[Seal]:
    """Seal, by addenda, what stands in the raw store under hours that were sealed without it; return the new seals.

    A person asks for this after finding out why it came late: an addendum says for ever that the hour was amended, and when.
    """
    made: list[Seal] = []
    head = world.seals.head()
    if head is None:
        return made
    for hour, names in groupby(list(_late_names(world, head)), key=hour_of_name):
        head = _keep(world, head, Window(hour, hour + HOUR), _read(world.raw, names), now, is_addendum=True)
        made.append(head)
    return made


def _late_names(world: Sealing, head: Seal) -> Iterator[str]:
    sealed = (each.object_name for each in sealed_objects(world.seals))
    next_sealed = next(sealed, None)
    for name in world.raw.names(Window(ALL_TIME.start, head.sealed_until)):
        while next_sealed is not None and next_sealed < name:
            next_sealed = next(sealed, None)
        if next_sealed != name:
            yield name


def _read(raw: RawStore, names: Iterable[str]) -> Iterator[Delivery]:
    remaining = iter(names)
    while batch := list(islice(remaining, _READ_AT_ONCE)):
        yield from raw.read_all(batch)


def _first_hour(raw: RawStore) -> datetime | None:
    first = next(raw.deliveries(ALL_TIME), None)
    return hour_of(first.received_at) if first else None


def _keep(
    world: Sealing,
    head: Seal | None,
    covers: Window,
    deliveries: Iterable[Delivery],
    now: datetime,
    *,
    is_addendum: bool = False,
) -> Seal:
    with TemporaryDirectory(prefix="asiento-") as folder:
        segment = Path(folder).joinpath("segment.ndjson")
        made = Seal(
            sequence=head.sequence + 1 if head else 1,
            covers=covers,
            sealed_until=head.sealed_until if head and is_addendum else covers.end,
            is_addendum=is_addendum,
            contents=_write(segment, deliveries),
            previous=head.seal_hash if head else NO_SEAL_BEFORE,
            sealed_at=now,
            code_version=world.code_version,
        )
        world.seals.keep(made, segment)
    log.info("sealed", seal=made.place, objects=made.contents.object_count, seal_hash=made.seal_hash)
    return made


def _write(segment: Path, deliveries: Iterable[Delivery]) -> Contents:
    tree, digest = Tree(), sha256()
    count = body_bytes = 0
    last_name = ""
    with segment.open("wb") as file:
        for delivery in deliveries:
            if delivery.object_name <= last_name:
                raise TerminalError(f"raw object {delivery.object_name} stands out of order; run `asiento verify`")
            last_name = delivery.object_name
            line = segment_line(delivery, is_json=reads_alike(delivery.body))
            file.write(line)
            digest.update(line)
            tree.add(leaf_hash(leaf_data(delivery)))
            count += 1
            body_bytes += len(delivery.body)
    return Contents(count, body_bytes, tree.root.hex(), digest.hexdigest())


def segment_deliveries(seals: SealStore, of: Seal) -> Iterator[Delivery]:
    """Yield the deliveries of a seal's segment; raises TerminalError at a line that is not as it was written."""
    for line in seals.segment(of):
        yield read_line(line, f"the segment of {of.place}")


def sealed_objects(seals: SealStore) -> Iterator[SealedObject]:
    """Yield everything that is sealed, by object name, streaming; raises TerminalError where it is not as it was made."""
    every = list(seals.seals())
    in_order = chain.from_iterable(_objects(seals, each) for each in every if not each.is_addendum)
    addenda = [_objects(seals, each) for each in every if each.is_addendum]
    return merge(in_order, *addenda)


def _objects(seals: SealStore, of: Seal) -> Iterator[SealedObject]:
    for delivery in segment_deliveries(seals, of):
        yield SealedObject(delivery.object_name, leaf_hash(leaf_data(delivery)), of.sequence)


def prove(world: Sealing, object_name: str) -> InclusionProof:
    """Prove that a kept delivery is in a seal, as it stands in the raw store now.

    Raises NotFoundError where it is not kept or not sealed yet, TerminalError where it is not as it was sealed.
    """
    leaf = leaf_data(world.raw.read(object_name))
    hour = hour_of_name(object_name)
    for each in world.seals.seals():
        if each.covers.start <= hour < each.covers.end:
            names = (delivery.object_name for delivery in segment_deliveries(world.seals, each))
            index = next((place for place, name in enumerate(names) if name == object_name), None)
            if index is not None:
                return _checked(_proof(world.seals, each, index, leaf), object_name, each)
    raise NotFoundError(f"{object_name} is in no seal yet; an hour is sealed by `asiento seal` once it is closed")


def _proof(seals: SealStore, of: Seal, index: int, leaf: bytes) -> InclusionProof:
    leaves = (leaf_hash(leaf_data(delivery)) for delivery in segment_deliveries(seals, of))
    path = inclusion_path(leaves, index, of.contents.object_count)
    return InclusionProof(
        leaf=leaf.decode("ascii"),
        index=index,
        count=of.contents.object_count,
        path=tuple(each.hex() for each in path),
        merkle_root=of.contents.merkle_root,
        sequence=of.sequence,
        seal_hash=of.seal_hash,
    )


def _checked(proof: InclusionProof, object_name: str, of: Seal) -> InclusionProof:
    if not proof.holds:
        raise TerminalError(f"{object_name} is not as {of.place} says; run `asiento verify` to see what differs")
    return proof
