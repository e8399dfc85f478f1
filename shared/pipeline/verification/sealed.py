"""Seals, recomputed: the chain link by link, each segment against its seal, and all segments against the raw store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from shared.bi.inputs import reads_alike
from shared.domain.deliveries import Delivery
from shared.domain.errors import TerminalError
from shared.domain.merkle import Tree, leaf_hash
from shared.domain.seals import (
    HOUR,
    Contents,
    Seal,
    closed_until,
    hour_of_name,
    is_judged,
    leaf_data,
    link_fault,
    read_line,
    segment_line,
)
from shared.domain.times import ALL_TIME, Window
from shared.pipeline.seal import sealed_objects
from shared.pipeline.verification.findings import Findings
from shared.pipeline.verification.streams import ILLEGIBLE, deliveries_by_name, legible, paired
from shared.ports.raw_store import RawStore
from shared.ports.seal_store import SealStore

OVERDUE_AFTER = timedelta(days=1)
"""What has been closed, or waits for its outcome, for longer than this is no longer merely on its way."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """How far the chain of seals can be trusted."""

    head: Seal | None
    is_whole: bool
    """Whether every link, span and segment is as it was made."""
    differing: frozenset[str]
    """Names of raw objects in sealed hours that are not as they were sealed."""
    chain: Mapping[str, datetime]
    """Hash of every seal to the moment up to where the chain covers everything with it."""

    def attests(self, delivery: Delivery) -> bool:
        """Return whether a delivery is proved to be as it was when it was sealed."""
        is_sealed = self.is_whole and self.head is not None and delivery.received_at < self.head.sealed_until
        return is_sealed and delivery.object_name not in self.differing


def check_seals(raw: RawStore, seals: SealStore, found: Findings, now: datetime, expected_head: str = "") -> Sealed:
    """Recompute every seal. `expected_head` is the hash of a seal that somebody kept elsewhere: the chain must hold it."""
    head: Seal | None = None
    chain: dict[str, datetime] = {}
    try:
        for seal in seals.seals():
            if fault := link_fault(seal, head):
                found.differs(fault)
            _check_segment(seal, seals, found)
            found.checked += 1
            chain[seal.seal_hash] = seal.sealed_until
            head = seal
    except TerminalError as broken:
        found.differs(str(broken))
    if expected_head and expected_head not in chain:
        found.differs(f"no seal has the hash {expected_head}: seals were replaced or removed since it was noted")
    is_whole = found.holds
    differing = frozenset(_check_raw(raw, seals, head, found)) if is_whole and head else frozenset[str]()
    _check_unsealed(raw, head, found, now)
    return Sealed(head, is_whole, differing, chain)


def _check_segment(seal: Seal, seals: SealStore, found: Findings) -> None:
    tree, digest = Tree(), sha256()
    count = body_bytes = 0
    for line in seals.segment(seal):
        delivery = read_line(line, f"the segment of {seal.place}")
        digest.update(line)
        tree.add(leaf_hash(leaf_data(delivery)))
        count += 1
        body_bytes += len(delivery.body)
        if hour_of_name(delivery.object_name) != seal.covers.end - HOUR:
            found.differs(f"{seal.place} holds {delivery.object_name}, which did not come in the last hour of its span")
        if is_judged(line) and segment_line(delivery, is_json=reads_alike(delivery.body)) != line:
            found.differs(f"{seal.place} says of {delivery.object_name} what its body is not, and rebuilds go by that")
    if Contents(count, body_bytes, tree.root.hex(), digest.hexdigest()) != seal.contents:
        found.differs(f"the segment of {seal.place} is not what was sealed: bring it back from a copy")


def _check_raw(raw: RawStore, seals: SealStore, head: Seal, found: Findings) -> Iterator[str]:
    """Hold every raw object of the sealed hours against its leaf, both in order of their names; yield those that differ."""
    kept = legible(deliveries_by_name(raw, Window(ALL_TIME.start, head.sealed_until)), "raw object", found)
    sealed = ((each.object_name, each) for each in sealed_objects(seals))
    for name, delivery, leaf in paired(kept, sealed):
        if delivery is not None and leaf is not None and leaf_hash(leaf_data(delivery)) == leaf.leaf:
            continue
        yield name
        if leaf is None:
            found.differs(
                f"raw object {name} stands in a sealed hour and in no seal: it was added, or came late; "
                "find out which, and if it is true, `asiento seal --late`"
            )
        elif delivery is None:
            found.differs(f"raw object {name} was sealed (seal {leaf.sequence}) and is gone, or dated otherwise")
        else:
            found.differs(
                f"raw object {name} is not as it was sealed (seal {leaf.sequence}); the segment holds what it was"
            )


def _check_unsealed(raw: RawStore, head: Seal | None, found: Findings, now: datetime) -> None:
    start = head.sealed_until if head else ALL_TIME.start
    overdue_before = closed_until(now - OVERDUE_AFTER)
    try:
        overdue = next(raw.names(Window(start, max(start, overdue_before))), None)
        waiting = sum(1 for _ in raw.names(Window(max(start, overdue_before), max(start, now))))
    except ILLEGIBLE as broken:
        found.differs(f"an unsealed raw object cannot be read ({type(broken).__name__}): it was edited; restore it")
        return
    if overdue is not None:
        found.differs(f"raw object {overdue} has been waiting for its seal for more than a day; run `asiento seal`")
    if waiting:
        found.cannot_check("deliveries of the last hours are not sealed yet", waiting)
