"""The fold: a grow-only set of facts becomes one entity, the same one in whatever order the facts come.

Each field is a register; a fact is joined in, field by field. The join is commutative, associative and idempotent, so
duplicates, reordering and re-batching cannot be seen in the result (DESIGN I3). Joining costs the fields of one fact,
not the facts of the entity: an entity with ten thousand facts takes the next one as fast as the first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from shared.domain.entities import FIELDS, LINKS, OCCURRED_AT, Merge
from shared.domain.facts import EntityKey, Fact, Stamp, Value

_STAMP = itemgetter(1)
"""The stamp of a register."""


@dataclass(slots=True)
class Entity:
    """One entity of the ledger, folded. A working value of one transaction; `join` changes it in place.

    `registers` holds the standing value of each field and the stamp that it stands by; `variants` holds, for a FIXED field
    about which statements disagree, every value and the lowest stamp of each; `disputed` names the events that came with
    two contents; `wanted_by` names the entities that point here. An entity without registers is *awaited*: something
    points at it and nothing has described it yet.
    """

    key: EntityKey
    registers: dict[str, tuple[Value, Stamp]] = field(default_factory=dict)
    variants: dict[str, dict[Value, Stamp]] = field(default_factory=dict)
    disputed: set[str] = field(default_factory=set)
    wanted_by: set[str] = field(default_factory=set)
    awaited_since_ms: int | None = None
    """When somebody first pointed here in vain; bookkeeping for the grace period, not part of the state hash."""

    @property
    def is_awaited(self) -> bool:
        """Return whether other entities point here but nothing has described this one."""
        return not self.registers

    @property
    def has_conflict(self) -> bool:
        """Return whether statements about this entity disagree in a way that a person must decide."""
        return bool(self.variants or self.disputed)

    @property
    def values(self) -> dict[str, Value]:
        """Return the folded values: what the ledger says of this entity."""
        return {name: value for name, (value, _) in self.registers.items()}

    @property
    def occurred_at_ms(self) -> int | None:
        """Return the instant by which this entity is listed in a window, if it is known."""
        name = OCCURRED_AT.get(self.key.kind)
        register = self.registers.get(name) if name else None
        return int(register[0]) if register else None

    @property
    def version_at_ms(self) -> int:
        """Return the time of the most recent statement that stands; 0 while awaited."""
        return max(map(_STAMP, self.registers.values()), default=(0,))[0]

    def links(self) -> Iterable[tuple[str, EntityKey]]:
        """Yield the link fields that are set, and where each points."""
        for name in LINKS[self.key.kind]:
            if name in self.registers:
                yield name, EntityKey.parse(str(self.registers[name][0]))

    def join(self, fact: Fact, stamp: Stamp) -> bool:
        """Take one fact in; return whether it changed the entity or any of its LATEST values stands by it.

        False means superseded: everything that it says has been said again, later or otherwise.
        """
        if not self.registers:
            self.registers = {name: (value, stamp) for name, value in fact.values.items()}
            return bool(fact.values)
        fields = FIELDS[self.key.kind]
        stands = False
        for name, value in fact.values.items():
            if fields[name].merge is Merge.LATEST:
                stands |= self._join_latest(name, value, stamp)
            else:
                stands |= self._join_fixed(name, value, stamp)
        return stands

    def _join_latest(self, name: str, value: Value, stamp: Stamp) -> bool:
        standing = self.registers.get(name)
        if standing is not None and standing[1] > stamp:
            return False
        self.registers[name] = (value, stamp)
        return True

    def _join_fixed(self, name: str, value: Value, stamp: Stamp) -> bool:
        standing = self.registers.get(name)
        if standing is None:
            self.registers[name] = (value, stamp)
            return True
        known = self.variants.get(name) or {standing[0]: standing[1]}
        is_new = value not in known
        known[value] = min(stamp, known.get(value, stamp))
        if len(known) > 1:
            self.variants[name] = known
        winner = min(known, key=known.__getitem__)
        self.registers[name] = (winner, known[winner])
        return is_new


def fold(key: EntityKey, facts: Iterable[tuple[Fact, Stamp]]) -> Entity:
    """Return the entity that a set of facts makes: what replaying them into an empty ledger gives."""
    entity = Entity(key)
    for fact, stamp in facts:
        entity.join(fact, stamp)
    return entity


def canonical(entity: Entity) -> dict[str, Any]:
    """Return what the state hash is taken over: the folded values and the conflicts, not where they came from."""
    document: dict[str, Any] = {"key": str(entity.key), "values": entity.values}
    if entity.variants:
        document["variants"] = {name: sorted(known, key=repr) for name, known in entity.variants.items()}
    if entity.disputed:
        document["disputed"] = sorted(entity.disputed)
    return document


def to_document(entity: Entity) -> dict[str, Any]:
    """Return the entity as a JSON document for a ledger store. Stamps are written once and pointed at."""
    stamps: dict[Stamp, int] = {}
    place = stamps.setdefault
    document: dict[str, Any] = {
        "registers": {name: [value, place(stamp, len(stamps))] for name, (value, stamp) in entity.registers.items()}
    }
    if entity.variants:
        document["variants"] = {
            name: [[value, place(stamp, len(stamps))] for value, stamp in known.items()]
            for name, known in entity.variants.items()
        }
    if entity.disputed:
        document["disputed"] = sorted(entity.disputed)
    if entity.wanted_by:
        document["wanted_by"] = sorted(entity.wanted_by)
    if entity.awaited_since_ms is not None:
        document["awaited_since_ms"] = entity.awaited_since_ms
    document["stamps"] = [list(stamp) for stamp in stamps]
    return document


def from_document(key: EntityKey, document: Mapping[str, Any]) -> Entity:
    """Read an entity back from the document of a ledger store."""
    stamps = [Stamp(*parts) for parts in document["stamps"]]
    return Entity(
        key,
        registers={name: (value, stamps[at]) for name, (value, at) in document["registers"].items()},
        variants={
            name: {value: stamps[at] for value, at in known} for name, known in document.get("variants", {}).items()
        },
        disputed=set(document.get("disputed", ())),
        wanted_by=set(document.get("wanted_by", ())),
        awaited_since_ms=document.get("awaited_since_ms"),
    )
