"""The ledger in memory: optimistic, so that others may commit between a snapshot and its commit, as on Firestore."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from shared.domain.errors import TransientError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.fold import Entity, from_document, to_document
from shared.domain.outcomes import Outcome, Verdict
from shared.domain.settle import Effects, EventMark, OutboxMessage, Snapshot, StoredFact, Touch
from shared.domain.times import Window, to_ms
from shared.ports.ledger_store import OutboxEntry

TRIES_MAX = 6

_FactKey = tuple[EntityKey, str, str]


def _nothing() -> None:
    """Nothing happens between a snapshot and its commit."""


class MemoryLedgerStore:
    """LedgerStore in dictionaries. Entities are kept as bytes, so that nobody holds a piece of the ledger by accident.

    `between` is called after a decision and before its commit; `committed` with what was written, and every key that is
    written carries a number by which the next commit sees that it has changed.
    """

    def __init__(
        self,
        between: Callable[[], None] = _nothing,
        committed: Callable[[Effects], None] = lambda _: None,
    ) -> None:
        """Start empty."""
        self._between = between
        self._committed = committed
        self.documents: dict[EntityKey, bytes] = {}
        self.verdicts_by_id: dict[str, Verdict] = {}
        self._facts: dict[_FactKey, StoredFact] = {}
        self._marks: dict[str, EventMark] = {}
        self._outbox: dict[str, tuple[OutboxMessage, int, int]] = {}
        self._changes: Counter[object] = Counter()
        self.contended = 0
        """How many decisions were taken again, because others had committed in the meantime."""

    def copy(self) -> "MemoryLedgerStore":
        """Return another ledger that holds the same; nobody watches it."""
        other = MemoryLedgerStore()
        other.documents |= self.documents
        other.verdicts_by_id |= self.verdicts_by_id
        other._facts |= self._facts
        other._marks |= self._marks
        other._outbox |= self._outbox
        return other

    def transact(self, touch: Touch, decide: Callable[[Snapshot], Effects]) -> Effects:
        """Load, decide, and write if nothing that was loaded has changed; otherwise again."""
        for _ in range(TRIES_MAX):
            snapshot, seen = self._snapshot(touch)
            effects = decide(snapshot)
            self._between()
            if all(self._changes[key] == count for key, count in seen.items()):
                self.write(effects)
                return effects
            self.contended += 1
        raise TransientError(f"others committed first {TRIES_MAX} times in a row; try again")

    def entity(self, key: EntityKey) -> Entity | None:
        """Return one entity."""
        document = self.documents.get(key)
        return from_document(key, orjson.loads(document)) if document is not None else None

    def entities(self, kind: EntityKind | None = None) -> Iterator[Entity]:
        """Yield entities by key."""
        for key in sorted(self.documents, key=str):
            if kind is None or key.kind is kind:
                yield from_document(key, orjson.loads(self.documents[key]))

    def occurred(self, kind: EntityKind, provider: str, window: Window) -> Iterator[Entity]:
        """Yield entities of a window by key."""
        for key in sorted(key for key in self.documents if (key.kind, key.provider) == (kind, provider)):
            entity = from_document(key, orjson.loads(self.documents[key]))
            at_ms = entity.occurred_at_ms
            if at_ms is not None and to_ms(window.start) <= at_ms < to_ms(window.end):
                yield entity

    def awaited(self, before: datetime) -> Iterator[Entity]:
        """Yield entities that are pointed at in vain."""
        for entity in self.entities():
            since_ms = entity.awaited_since_ms
            if entity.is_awaited and since_ms is not None and since_ms < to_ms(before):
                yield entity

    def disputed(self) -> Iterator[Entity]:
        """Yield entities with a conflict."""
        for entity in self.entities():
            if entity.has_conflict:
                yield entity

    def facts(self, key: EntityKey) -> list[StoredFact]:
        """Return the facts of an entity in stamp order."""
        return sorted((each for each in self._facts.values() if each.fact.key == key), key=lambda each: each.stamp)

    def facts_of_delivery(self, delivery_id: str) -> list[StoredFact]:
        """Return the facts that came with a delivery."""
        found = [each for each in self._facts.values() if each.delivery_id == delivery_id]
        return sorted(found, key=lambda each: str(each.fact.key))

    def verdict(self, delivery_id: str) -> Verdict | None:
        """Return what became of a delivery."""
        return self.verdicts_by_id.get(delivery_id)

    def verdicts(self, outcomes: Iterable[Outcome] | None = None) -> Iterator[Verdict]:
        """Yield verdicts by delivery id."""
        wanted = set(Outcome if outcomes is None else outcomes)
        for delivery_id in sorted(self.verdicts_by_id):
            if self.verdicts_by_id[delivery_id].outcome in wanted:
                yield self.verdicts_by_id[delivery_id]

    def outcome_counts(self) -> dict[Outcome, int]:
        """Return how many deliveries ended in each outcome."""
        return dict(Counter(verdict.outcome for verdict in self.verdicts_by_id.values()))

    def without_verdict(self, delivery_ids: Sequence[str]) -> set[str]:
        """Return those that have no outcome yet."""
        return set(delivery_ids) - self.verdicts_by_id.keys()

    def outbox(self, limit: int, now: datetime) -> list[OutboxEntry]:
        """Return messages that are due."""
        due = [
            (message.created_at_ms, message.message_id, OutboxEntry(message, attempts))
            for message, due_at_ms, attempts in self._outbox.values()
            if due_at_ms <= to_ms(now)
        ]
        return [entry for _, _, entry in sorted(due, key=lambda each: each[:2])[:limit]]

    def outbox_done(self, message_ids: Sequence[str]) -> None:
        """Forget messages that have left."""
        for message_id in message_ids:
            self._outbox.pop(message_id, None)

    def outbox_failed(self, message_ids: Sequence[str], retry_at: datetime) -> None:
        """Count a failed try."""
        for message_id in message_ids:
            if message_id in self._outbox:
                message, _, attempts = self._outbox[message_id]
                self._outbox[message_id] = (message, to_ms(retry_at), attempts + 1)

    def outbox_depth(self) -> int:
        """Return how many messages have not left."""
        return len(self._outbox)

    def write(self, effects: Effects) -> None:
        """Write everything that a decision changes."""
        for key, entity in effects.entities.items():
            self.documents[key] = orjson.dumps(to_document(entity))
            self._changes[key] += 1
        for stored in effects.facts:
            self._facts[stored.fact.key, stored.stamp.event_key, stored.stamp.content_digest] = stored
        for event_key, mark in effects.marks.items():
            self._marks[event_key] = mark
            self._changes["event", event_key] += 1
        for verdict in effects.verdicts:
            self.verdicts_by_id[verdict.delivery_id] = verdict
            self._changes["delivery", verdict.delivery_id] += 1
        for message in effects.outbox:
            self._outbox.setdefault(message.message_id, (message, 0, 0))
        self._committed(effects)

    def _snapshot(self, touch: Touch) -> tuple[Snapshot, dict[Any, int]]:
        marks = {key: self._marks[key] for key in touch.event_keys if key in self._marks}
        keys = {*touch.entity_keys, *(key for mark in marks.values() for key in mark.entity_keys)}
        entities = {key: entity for key in sorted(keys) if (entity := self.entity(key)) is not None}
        verdicts = {
            each: verdict for each in touch.delivery_ids if (verdict := self.verdicts_by_id.get(each)) is not None
        }
        read: list[Any] = [
            *keys,
            *(("event", each) for each in touch.event_keys),
            *(("delivery", each) for each in touch.delivery_ids),
        ]
        return Snapshot(verdicts, marks, entities), {key: self._changes[key] for key in read}
