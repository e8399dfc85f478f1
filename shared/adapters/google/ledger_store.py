"""The ledger on Firestore: one transaction for what one `transact` touches, all reads first, retried on contention.

A transaction is bounded by Firestore's request limit of 10 MiB, about five thousand facts with their entities; what is
larger is refused with a TerminalError before anything is sent, and the caller settles fewer deliveries together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from shared.adapters.google import ledger_documents as form
from shared.adapters.google.documents import (
    AT_LEAST,
    AT_MOST,
    BELOW,
    EQUAL,
    IN,
    Documents,
    Fields,
    Filter,
    Query,
    Transaction,
    paths_of,
)
from shared.adapters.google.ledger_documents import ENTITIES, EVENTS, OUTBOX, VERDICTS, path
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.fold import Entity
from shared.domain.outcomes import Outcome, Verdict
from shared.domain.settle import Effects, Snapshot, StoredFact, Touch
from shared.domain.times import Window, to_ms
from shared.ports.ledger_store import OutboxEntry

_CHUNK = 300


class GoogleLedgerStore:
    """LedgerStore on one Firestore database."""

    def __init__(self, documents: Documents) -> None:
        """Take the database."""
        self._documents = documents

    def transact(self, touch: Touch, decide: Callable[[Snapshot], Effects]) -> Effects:
        """Load, decide and write in one transaction."""
        tried: Effects | None = None

        def work(transaction: Transaction) -> Effects:
            nonlocal tried
            snapshot = _load(transaction, touch)
            if tried is not None and _landed(tried, snapshot):
                return tried
            tried = decide(snapshot)
            _stage(transaction, tried, snapshot)
            return tried

        return self._documents.in_transaction(work)

    def entity(self, key: EntityKey) -> Entity | None:
        """Return one entity."""
        where = path(ENTITIES, key)
        fields = self._documents.get([where]).get(where)
        return form.to_entity(where, fields) if fields is not None else None

    def entities(self, kind: EntityKind | None = None) -> Iterator[Entity]:
        """Yield entities by key, all as of one moment."""
        query = Query(ENTITIES)
        if kind is not None:
            query = Query(ENTITIES, first=f"{kind.value}:", beyond=f"{kind.value};")  # ';' sorts right after ':'
        return self._entities(query)

    def entity_partitions(self, parts_max: int) -> list[Iterator[Entity]]:
        """Return iterators that together yield every entity once, for as many readers: the export's way to be fast."""
        return [self._entities(query) for query in self._documents.partitions(ENTITIES, parts_max)]

    def occurred(self, kind: EntityKind, provider: str, window: Window) -> Iterator[Entity]:
        """Yield entities of a window by key: their ids are fetched in order of time and sorted, then the documents."""
        filters = (
            Filter("kind", EQUAL, kind.value),
            Filter("provider", EQUAL, provider),
            Filter("occurred_at_ms", AT_LEAST, to_ms(window.start)),
            Filter("occurred_at_ms", BELOW, to_ms(window.end)),
        )
        query = Query(ENTITIES, filters, order_by="occurred_at_ms", ids_only=True)
        wheres = sorted(where for where, _ in self._documents.all_at_once(query))
        for start in range(0, len(wheres), _CHUNK):
            chunk = wheres[start : start + _CHUNK]
            found = self._documents.get(chunk)
            yield from (form.to_entity(where, found[where]) for where in chunk)

    def awaited(self, before: datetime) -> Iterator[Entity]:
        """Yield entities that are pointed at in vain."""
        before_ms = to_ms(before)
        for entity in self._entities(Query(ENTITIES, (Filter("is_awaited", EQUAL, True),))):  # noqa: FBT003  a field's value
            if entity.awaited_since_ms is not None and entity.awaited_since_ms < before_ms:
                yield entity

    def disputed(self) -> Iterator[Entity]:
        """Yield entities with a conflict."""
        return self._entities(Query(ENTITIES, (Filter("has_conflict", EQUAL, True),)))  # noqa: FBT003  a field's value

    def facts(self, key: EntityKey) -> list[StoredFact]:
        """Return the facts of an entity in stamp order."""
        found = [form.to_fact(fields) for _, fields in self._documents.pages(Query(form.facts_of(key)))]
        return sorted(found, key=lambda stored: stored.stamp)

    def facts_of_delivery(self, delivery_id: str) -> list[StoredFact]:
        """Return the facts that came with a delivery, by way of its event mark."""
        verdict = self.verdict(delivery_id)
        if verdict is None or not verdict.event_key:
            return []
        where = path(EVENTS, verdict.event_key)
        fields = self._documents.get([where]).get(where)
        if fields is None:
            return []
        mark = form.to_mark(where, fields)
        digests = [digest for digest, first in mark.contents.items() if first == delivery_id]
        wheres = [form.fact_path(key, mark.event_key, digest) for key in sorted(mark.entity_keys) for digest in digests]
        found = self._documents.get(wheres)
        return [form.to_fact(found[each]) for each in wheres if each in found]

    def verdict(self, delivery_id: str) -> Verdict | None:
        """Return what became of a delivery."""
        where = path(VERDICTS, delivery_id)
        fields = self._documents.get([where]).get(where)
        return form.to_verdict(where, fields) if fields is not None else None

    def verdicts(self, outcomes: Iterable[Outcome] | None = None) -> Iterator[Verdict]:
        """Yield verdicts by delivery id."""
        query = Query(VERDICTS)
        if outcomes is not None:
            wanted = [outcome.value for outcome in outcomes]
            if not wanted:
                return
            query = Query(VERDICTS, (Filter("outcome", IN, wanted),))
        for where, fields in self._documents.pages(query):
            yield form.to_verdict(where, fields)

    def outcome_counts(self) -> dict[Outcome, int]:
        """Return how many deliveries ended in each outcome that any ended in."""
        counts = {
            outcome: self._documents.count(Query(VERDICTS, (Filter("outcome", EQUAL, outcome.value),)))
            for outcome in Outcome
        }
        return {outcome: count for outcome, count in counts.items() if count}

    def without_verdict(self, delivery_ids: Sequence[str]) -> set[str]:
        """Return those that have no outcome yet."""
        found = self._documents.get(paths_of(VERDICTS, set(delivery_ids)))
        return {each for each in delivery_ids if path(VERDICTS, each) not in found}

    def outbox(self, limit: int, now: datetime) -> list[OutboxEntry]:
        """Return messages that are due; the oldest of them first."""
        query = Query(OUTBOX, (Filter("due_at_ms", AT_MOST, to_ms(now)),), order_by="due_at_ms", limit=limit)
        due = [form.to_outbox(where, fields) for where, fields in self._documents.all_at_once(query)]
        return sorted(due, key=lambda entry: (entry.message.created_at_ms, entry.message.message_id))

    def outbox_done(self, message_ids: Sequence[str]) -> None:
        """Forget messages that have left."""

        def work(transaction: Transaction) -> None:
            for where in paths_of(OUTBOX, set(message_ids)):
                transaction.delete(where)

        self._documents.in_transaction(work)

    def outbox_failed(self, message_ids: Sequence[str], retry_at: datetime) -> None:
        """Count a failed try of messages that are still there."""

        def work(transaction: Transaction) -> None:
            for where, fields in transaction.get(paths_of(OUTBOX, set(message_ids))).items():
                entry = form.to_outbox(where, fields)
                again = OutboxEntry(entry.message, entry.attempts + 1)
                transaction.set(where, form.of_outbox(again, to_ms(retry_at)))

        self._documents.in_transaction(work)

    def outbox_depth(self) -> int:
        """Return how many messages have not left."""
        return self._documents.count(Query(OUTBOX))

    def _entities(self, query: Query) -> Iterator[Entity]:
        for where, fields in self._documents.pages(query):
            yield form.to_entity(where, fields)


def _load(transaction: Transaction, touch: Touch) -> Snapshot:
    """Read everything that is touched, then the entities that found marks name and nobody touched."""
    entity_paths = paths_of(ENTITIES, map(str, touch.entity_keys))
    found = transaction.get(
        [*paths_of(VERDICTS, touch.delivery_ids), *paths_of(EVENTS, touch.event_keys), *entity_paths]
    )
    marks = [form.to_mark(where, fields) for where, fields in _of(EVENTS, found)]
    named = {path(ENTITIES, key) for mark in marks for key in mark.entity_keys}
    found |= transaction.get(sorted(named.difference(entity_paths)))
    verdicts = [form.to_verdict(where, fields) for where, fields in _of(VERDICTS, found)]
    entities = [form.to_entity(where, fields) for where, fields in _of(ENTITIES, found)]
    return Snapshot(
        verdicts={verdict.delivery_id: verdict for verdict in verdicts},
        marks={mark.event_key: mark for mark in marks},
        entities={entity.key: entity for entity in entities},
    )


def _of(collection: str, found: Mapping[str, Fields]) -> Iterator[tuple[str, Fields]]:
    return ((where, fields) for where, fields in found.items() if where.startswith(f"{collection}/"))


def _landed(tried: Effects, snapshot: Snapshot) -> bool:
    """Return whether the commit of an earlier try, whose answer was lost, is there: its verdicts tell."""
    return bool(tried.verdicts) and all(
        snapshot.verdicts.get(verdict.delivery_id) == verdict for verdict in tried.verdicts
    )


def _stage(transaction: Transaction, effects: Effects, snapshot: Snapshot) -> None:
    """Stage all effects. An outbox message that is waiting already stays as it is, attempts and all."""
    waiting = transaction.get(paths_of(OUTBOX, {message.message_id for message in effects.outbox}))
    for entity in effects.entities.values():
        transaction.set(path(ENTITIES, entity.key), form.of_entity(entity))
    for stored in effects.facts:
        where = form.fact_path(stored.fact.key, stored.stamp.event_key, stored.stamp.content_digest)
        transaction.set(where, form.of_fact(stored))
    for mark in effects.marks.values():
        transaction.set(path(EVENTS, mark.event_key), form.of_mark(mark))
    for verdict in effects.verdicts:
        if snapshot.verdicts.get(verdict.delivery_id) != verdict:
            transaction.set(path(VERDICTS, verdict.delivery_id), form.of_verdict(verdict))
    for message in effects.outbox:
        where = path(OUTBOX, message.message_id)
        if where not in waiting:
            transaction.set(where, form.of_outbox(OutboxEntry(message, 0), message.created_at_ms))
