"""Settling: what readings change in the ledger, decided purely from a snapshot of what they touch.

A ledger store loads the snapshot, calls `settle` inside its transaction and writes the effects: entities, facts, event
marks, verdicts and outbox together or not at all (DESIGN I7). The store may call it again after a contended commit, so
it decides from its arguments alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.domain.entities import FIELDS, LINKS
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, Fact, Reading, Stamp, Want
from shared.domain.fold import Entity
from shared.domain.outcomes import Attempt, Outcome, Verdict

FUTURE_TOLERANCE_MS = 24 * 3600 * 1000
"""A version later than its arrival by more than this is refused: believed, it would outrank every true one to come."""


class EventMark(NamedTuple):
    """The idempotency mark of a raw event, kept for ever: which contents came under its key, and from which delivery.

    More than one content under one key is a conflict. `entity_keys` are the entities that any content speaks of.
    """

    event_key: str
    contents: Mapping[str, str]
    """Content digest to the delivery that first brought it."""
    entity_keys: tuple[EntityKey, ...]


class StoredFact(NamedTuple):
    """A fact as the ledger keeps it: the statement, its place in the order, and the delivery that it came from."""

    fact: Fact
    stamp: Stamp
    delivery_id: str


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """Something that must leave the system once the transaction has committed: at present, a fetch to make."""

    message_id: str
    topic: str
    key: EntityKey
    reason: str
    created_at_ms: int


class Derivation(NamedTuple):
    """One delivery that was read: what it says, or why it could not be read."""

    delivery_id: str
    object_name: str
    rank: int
    received_at_ms: int
    result: Reading | Exception
    """UnreadableError: its meaning is not certain. Any other exception: our code failed on it."""


@dataclass(frozen=True, slots=True)
class Touch:
    """What a store must load before it calls `settle`. Entities of event marks that are found are loaded too."""

    delivery_ids: frozenset[str]
    event_keys: frozenset[str]
    entity_keys: frozenset[EntityKey]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the ledger held of the touched keys when the transaction began. Keys that are not in it do not exist."""

    verdicts: Mapping[str, Verdict]
    marks: Mapping[str, EventMark]
    entities: Mapping[EntityKey, Entity]


@dataclass(slots=True)
class Effects:
    """What one transaction writes. `verdicts` holds one entry for each derivation, in order, also where nothing is new."""

    entities: dict[EntityKey, Entity] = field(default_factory=dict)
    facts: list[StoredFact] = field(default_factory=list)
    marks: dict[str, EventMark] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    outbox: list[OutboxMessage] = field(default_factory=list)


def touch_of(derivations: Iterable[Derivation]) -> Touch:
    """Return every key that settling these derivations reads or writes."""
    delivery_ids: set[str] = set()
    event_keys: set[str] = set()
    entity_keys: set[EntityKey] = set()
    for derivation in derivations:
        delivery_ids.add(derivation.delivery_id)
        if isinstance(derivation.result, Reading):
            event_keys.add(derivation.result.event_key)
            for fact in derivation.result.facts:
                entity_keys.add(fact.key)
                entity_keys.update(_targets(fact))
    return Touch(frozenset(delivery_ids), frozenset(event_keys), frozenset(entity_keys))


def settle(
    derivations: Sequence[Derivation],
    snapshot: Snapshot,
    *,
    now_ms: int,
    code_version: str,
    is_replay: bool = False,
) -> Effects:
    """Decide what these derivations change.

    A delivery that already has a verdict keeps it (the bus delivers at least once), unless this is a replay, which is an
    attempt of its own, or other code failed on it.
    """
    return _Settlement(snapshot, now_ms, code_version, is_replay=is_replay).run(derivations)


class _Settlement:
    """One settlement in progress: the snapshot overlaid with what this transaction has changed so far."""

    def __init__(self, snapshot: Snapshot, now_ms: int, code_version: str, *, is_replay: bool) -> None:
        self._snapshot = snapshot
        self._now_ms = now_ms
        self._code_version = code_version
        self._is_replay = is_replay
        self._verdicts: dict[str, Verdict] = dict(snapshot.verdicts)
        self._entities: dict[EntityKey, Entity] = dict(snapshot.entities)
        self._effects = Effects()

    def run(self, derivations: Sequence[Derivation]) -> Effects:
        for derivation in derivations:
            known = self._verdicts.get(derivation.delivery_id)
            if known is not None and not self._is_replay and not known.is_worth_another_try(self._code_version):
                verdict = known
            else:
                verdict = self._judge(derivation, known)
                self._verdicts[derivation.delivery_id] = verdict
            self._effects.verdicts.append(verdict)
        return self._effects

    def _judge(self, derivation: Derivation, known: Verdict | None) -> Verdict:
        result = derivation.result
        if isinstance(result, Reading):
            try:
                _refuse_future_versions(result, derivation.received_at_ms)
            except UnreadableError as unbelievable:
                result = unbelievable
        if isinstance(result, UnreadableError):
            outcome, reason, event_key, event_type = Outcome.QUARANTINED, str(result), "", ""
        elif isinstance(result, Reading):
            outcome, reason = self._apply(derivation, result)
            event_key, event_type = result.event_key, result.event_type
        else:
            # The type of an unforeseen error is safe to keep; its text may quote a passenger's name.
            outcome, reason = (
                Outcome.FAILED,
                f"{type(result).__name__}: see the log of this attempt, mend the code, replay",
            )
            event_key = event_type = ""
        attempt = Attempt(self._now_ms, outcome, reason, self._code_version)
        before = known.attempts if known else ()
        return Verdict(derivation.delivery_id, derivation.object_name, event_key, event_type, (*before, attempt))

    def _apply(self, derivation: Derivation, reading: Reading) -> tuple[Outcome, str]:
        mark = self._effects.marks.get(reading.event_key) or self._snapshot.marks.get(reading.event_key)
        first_delivery = mark.contents.get(reading.content_digest) if mark else None
        if first_delivery is not None and first_delivery != derivation.delivery_id:
            return Outcome.DUPLICATE, f"same event and content as delivery {first_delivery}"
        stands, clashes = self._join_facts(derivation, reading)
        if first_delivery is None:
            mark = self._mark(derivation, reading, mark)
        if mark is not None and len(mark.contents) > 1:
            for key in mark.entity_keys:
                self._changed(key).disputed.add(reading.event_key)
            clashes.insert(0, f"event {reading.event_key} came with {len(mark.contents)} different contents")
        for want in reading.wants:
            self._effects.outbox.append(_fetch(want, reading, self._now_ms))
        if clashes:
            return Outcome.CONFLICT, "; ".join((*clashes, *reading.held))
        if reading.held:
            return Outcome.QUARANTINED, f"{Quarantine.ROWS_HELD.value}: {'; '.join(reading.held)}"
        if reading.facts and not stands:
            return Outcome.SUPERSEDED, "everything it says has been said again, later"
        return (
            Outcome.APPLIED,
            "" if reading.facts or reading.wants else f"{reading.event_type} states nothing about money",
        )

    def _join_facts(self, derivation: Derivation, reading: Reading) -> tuple[bool, list[str]]:
        """Join all facts of a reading; return whether any stands, and the fields that now disagree."""
        stands = False
        clashes: list[str] = []
        for fact in reading.facts:
            stamp = Stamp(*fact.version, derivation.rank, reading.event_key, reading.content_digest)
            entity = self._changed(fact.key)
            clashing_before = {name: len(known) for name, known in entity.variants.items()}
            stands |= entity.join(fact, stamp)
            entity.wanted_by.clear()
            entity.awaited_since_ms = None
            clashes += [
                f"{fact.key}.{name} was said to be {' and '.join(str(value) for value in sorted(known, key=repr))}"
                for name, known in entity.variants.items()
                if len(known) > clashing_before.get(name, 0) and FIELDS[fact.key.kind][name].link is None
            ]
            self._effects.facts.append(StoredFact(fact, stamp, derivation.delivery_id))
        for fact in reading.facts:
            for target in _targets(fact):
                self._await(target, fact.key)
        return stands, clashes

    def _await(self, target: EntityKey, by: EntityKey) -> None:
        """Note that `by` points at something that nothing has described yet: it is waiting, later an exception."""
        entity = self._entities.get(target)
        if entity is not None and not (entity.is_awaited and str(by) not in entity.wanted_by):
            return
        entity = self._changed(target)
        entity.wanted_by.add(str(by))
        if entity.awaited_since_ms is None:
            entity.awaited_since_ms = self._now_ms

    def _mark(self, derivation: Derivation, reading: Reading, mark: EventMark | None) -> EventMark:
        contents = dict(mark.contents) if mark else {}
        contents[reading.content_digest] = derivation.delivery_id
        keys = dict.fromkeys((*(mark.entity_keys if mark else ()), *(fact.key for fact in reading.facts)))
        marked = EventMark(reading.event_key, contents, tuple(keys))
        self._effects.marks[reading.event_key] = marked
        return marked

    def _changed(self, key: EntityKey) -> Entity:
        """Return the entity for change: it will be written with this transaction."""
        entity = self._entities.get(key)
        if entity is None:
            entity = self._entities[key] = Entity(key)
        self._effects.entities[key] = entity
        return entity


def _targets(fact: Fact) -> list[EntityKey]:
    return [EntityKey.parse(str(fact.values[name])) for name in LINKS[fact.key.kind] if name in fact.values]


def _fetch(want: Want, reading: Reading, now_ms: int) -> OutboxMessage:
    return OutboxMessage(f"fetch|{want.key}|{reading.event_key}", "fetch", want.key, want.reason, now_ms)


def _refuse_future_versions(reading: Reading, received_at_ms: int) -> None:
    for fact in reading.facts:
        if fact.version.at_ms > received_at_ms + FUTURE_TOLERANCE_MS:
            raise UnreadableError(
                Quarantine.FUTURE_VERSION, f"{fact.key} claims a version later than its arrival by more than a day"
            )
