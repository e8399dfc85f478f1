"""The ledger in one SQLite file: what one transaction changes is committed together or not at all."""

# ruff: noqa: S608  queries are composed of this module's constants; every value is bound

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from shared.adapters.embedded.sqlite import Database, Durability, json_list, pages, to_json
from shared.domain.facts import EntityKey, EntityKind, Fact, Stamp, Version
from shared.domain.fold import Entity, from_document, to_document
from shared.domain.outcomes import Attempt, Outcome, Verdict
from shared.domain.settle import Effects, EventMark, OutboxMessage, Snapshot, StoredFact, Touch
from shared.domain.times import Window, to_ms
from shared.ports.ledger_store import OutboxEntry

# Entities, facts and marks lie in the order in which they came, and their keys in indexes: keys come in no order, and of rows
# that lay at the places of their keys each change would write a page. Outcomes are keyed by time and lie by their keys.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entities (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, provider TEXT NOT NULL, occurred_at_ms INTEGER, awaited_since_ms INTEGER,
    has_conflict INTEGER NOT NULL, document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entities_occurred ON entities (kind, provider, occurred_at_ms) WHERE occurred_at_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS entities_awaited ON entities (key) WHERE awaited_since_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS entities_disputed ON entities (key) WHERE has_conflict = 1;
CREATE TABLE IF NOT EXISTS facts (
    entity_key TEXT NOT NULL, event_key TEXT NOT NULL, content_digest TEXT NOT NULL, at_ms INTEGER NOT NULL,
    step INTEGER NOT NULL, rank INTEGER NOT NULL, delivery_id TEXT NOT NULL, stated TEXT NOT NULL,
    PRIMARY KEY (entity_key, event_key, content_digest)
);
CREATE TABLE IF NOT EXISTS marks (
    event_key TEXT PRIMARY KEY, contents TEXT NOT NULL, entity_keys TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS verdicts (
    delivery_id TEXT PRIMARY KEY, object_name TEXT NOT NULL, event_key TEXT NOT NULL, event_type TEXT NOT NULL,
    outcome TEXT NOT NULL, attempts TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS verdicts_attention ON verdicts (outcome, delivery_id)
    WHERE outcome IN ('conflict', 'quarantined', 'failed');
CREATE TABLE IF NOT EXISTS outbox (
    message_id TEXT PRIMARY KEY, topic TEXT NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
    due_at_ms INTEGER NOT NULL, attempts INTEGER NOT NULL
) WITHOUT ROWID;
"""

_ENTITY = "SELECT key, document FROM entities"
_VERDICT = "SELECT delivery_id, object_name, event_key, event_type, attempts FROM verdicts"
_FACT = "SELECT entity_key, event_key, content_digest, at_ms, step, rank, delivery_id, stated FROM facts"
_IN = "IN (SELECT value FROM json_each(?))"
_PAGE = "ORDER BY key LIMIT :page_size"


class SqliteLedgerStore:
    """LedgerStore on one file."""

    def __init__(self, path: Path, durability: Durability = Durability.FULL) -> None:
        """Open or create the ledger. NORMAL durability suits a ledger that is being replayed: it can be made again."""
        self._database = Database(path, _SCHEMA, durability)

    def transact(self, touch: Touch, decide: Callable[[Snapshot], Effects]) -> Effects:
        """Load, decide and write in one transaction; other writers wait."""
        with self._database.transaction() as connection:
            effects = decide(_snapshot(connection, touch))
            _write(connection, effects)
        return effects

    def entity(self, key: EntityKey) -> Entity | None:
        """Return one entity."""
        rows = self._database.rows(f"{_ENTITY} WHERE key = ?", (str(key),))
        return _entity(rows[0]) if rows else None

    def entities(self, kind: EntityKind | None = None) -> Iterator[Entity]:
        """Yield entities by key."""
        prefix = f"{kind.value}:" if kind else ""
        bounds = {"first": prefix, "beyond": f"{kind.value};" if kind else "\U0010ffff"}  # ';' sorts right after ':'
        sql = f"{_ENTITY} WHERE key > :after AND key >= :first AND key < :beyond {_PAGE}"
        yield from map(_entity, pages(self._database, sql, bounds))

    def occurred(self, kind: EntityKind, provider: str, window: Window) -> Iterator[Entity]:
        """Yield entities of a window by key."""
        sql = (
            f"{_ENTITY} WHERE kind = :kind AND provider = :provider AND occurred_at_ms >= :start AND occurred_at_ms < :end "
            f"AND key > :after {_PAGE}"
        )
        bounds = {"kind": kind.value, "provider": provider, "start": to_ms(window.start), "end": to_ms(window.end)}
        # One query: a window is read whole, and sorting it anew for every page would cost more than its keys do.
        keys = [row[0] for row in self._database.rows(sql, {**bounds, "after": "", "page_size": -1})]
        for start in range(0, len(keys), 1000):
            rows = self._database.rows(
                f"{_ENTITY} WHERE key {_IN} ORDER BY key", (json_list(keys[start : start + 1000]),)
            )
            yield from map(_entity, rows)

    def awaited(self, before: datetime) -> Iterator[Entity]:
        """Yield entities that are pointed at in vain."""
        sql = f"{_ENTITY} WHERE awaited_since_ms IS NOT NULL AND awaited_since_ms < :before AND key > :after {_PAGE}"
        yield from map(_entity, pages(self._database, sql, {"before": to_ms(before)}))

    def disputed(self) -> Iterator[Entity]:
        """Yield entities with a conflict."""
        sql = f"{_ENTITY} WHERE has_conflict = 1 AND key > :after {_PAGE}"
        yield from map(_entity, pages(self._database, sql, {}))

    def facts(self, key: EntityKey) -> list[StoredFact]:
        """Return the facts of an entity in stamp order."""
        rows = self._database.rows(
            f"{_FACT} WHERE entity_key = ? ORDER BY at_ms, step, rank, event_key, content_digest", (str(key),)
        )
        return [_fact(row) for row in rows]

    def facts_of_delivery(self, delivery_id: str) -> list[StoredFact]:
        """Return the facts that came with a delivery, by way of its event mark."""
        verdict = self.verdict(delivery_id)
        if verdict is None:
            return []
        found = self._database.rows("SELECT entity_keys FROM marks WHERE event_key = ?", (verdict.event_key,))
        keys = found[0][0] if found else "[]"
        rows = self._database.rows(
            f"{_FACT} WHERE entity_key {_IN} AND delivery_id = ? ORDER BY entity_key", (keys, delivery_id)
        )
        return [_fact(row) for row in rows]

    def verdict(self, delivery_id: str) -> Verdict | None:
        """Return what became of a delivery."""
        rows = self._database.rows(f"{_VERDICT} WHERE delivery_id = ?", (delivery_id,))
        return _verdict(rows[0]) if rows else None

    def verdicts(self, outcomes: Iterable[Outcome] | None = None) -> Iterator[Verdict]:
        """Yield verdicts by delivery id."""
        wanted = list(Outcome) if outcomes is None else list(outcomes)
        sql = (
            f"{_VERDICT} WHERE outcome IN (SELECT value FROM json_each(:outcomes)) AND delivery_id > :after "
            "ORDER BY delivery_id LIMIT :page_size"
        )
        yield from map(_verdict, pages(self._database, sql, {"outcomes": json_list([each.value for each in wanted])}))

    def outcome_counts(self) -> dict[Outcome, int]:
        """Return how many deliveries ended in each outcome."""
        rows = self._database.rows("SELECT outcome, count(*) FROM verdicts GROUP BY outcome")
        return {Outcome(outcome): count for outcome, count in rows}

    def without_verdict(self, delivery_ids: Sequence[str]) -> set[str]:
        """Return those that have no outcome yet."""
        known = self._database.rows(
            f"SELECT delivery_id FROM verdicts WHERE delivery_id {_IN}", (json_list(delivery_ids),)
        )
        return set(delivery_ids) - {row[0] for row in known}

    def outbox(self, limit: int, now: datetime) -> list[OutboxEntry]:
        """Return messages that are due."""
        rows = self._database.rows(
            "SELECT message_id, topic, key, reason, created_at_ms, attempts FROM outbox WHERE due_at_ms <= ? "
            "ORDER BY created_at_ms, message_id LIMIT ?",
            (to_ms(now), limit),
        )
        return [
            OutboxEntry(OutboxMessage(message_id, topic, EntityKey.parse(key), reason, created_at_ms), attempts)
            for message_id, topic, key, reason, created_at_ms, attempts in rows
        ]

    def outbox_done(self, message_ids: Sequence[str]) -> None:
        """Forget messages that have left."""
        with self._database.transaction() as connection:
            connection.execute(f"DELETE FROM outbox WHERE message_id {_IN}", (json_list(message_ids),))

    def outbox_failed(self, message_ids: Sequence[str], retry_at: datetime) -> None:
        """Count a failed try."""
        with self._database.transaction() as connection:
            connection.execute(
                f"UPDATE outbox SET attempts = attempts + 1, due_at_ms = ? WHERE message_id {_IN}",
                (to_ms(retry_at), json_list(message_ids)),
            )

    def outbox_depth(self) -> int:
        """Return how many messages have not left."""
        return int(self._database.rows("SELECT count(*) FROM outbox")[0][0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _snapshot(connection: sqlite3.Connection, touch: Touch) -> Snapshot:
    verdict_rows = connection.execute(
        f"{_VERDICT} WHERE delivery_id {_IN}", (json_list(touch.delivery_ids),)
    ).fetchall()
    mark_rows = connection.execute(
        f"SELECT event_key, contents, entity_keys FROM marks WHERE event_key {_IN}", (json_list(touch.event_keys),)
    ).fetchall()
    marks = {row[0]: _mark(row) for row in mark_rows}
    keys = {str(key) for key in touch.entity_keys}
    keys.update(str(key) for mark in marks.values() for key in mark.entity_keys)
    entity_rows = connection.execute(f"{_ENTITY} WHERE key {_IN}", (json_list(keys),)).fetchall()
    entities = [_entity(row) for row in entity_rows]
    return Snapshot(
        verdicts={row[0]: _verdict(row) for row in verdict_rows},
        marks=marks,
        entities={entity.key: entity for entity in entities},
    )


def _write(connection: sqlite3.Connection, effects: Effects) -> None:
    connection.executemany(
        "INSERT INTO entities VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
        "occurred_at_ms = excluded.occurred_at_ms, awaited_since_ms = excluded.awaited_since_ms, "
        "has_conflict = excluded.has_conflict, document = excluded.document",
        map(_entity_row, effects.entities.values()),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_fact_row, effects.facts)
    )
    connection.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", map(_mark_row, effects.marks.values()))
    connection.executemany(
        "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?)", map(_verdict_row, effects.verdicts)
    )
    connection.executemany(
        "INSERT OR IGNORE INTO outbox VALUES (?, ?, ?, ?, ?, 0, 0)",
        ((each.message_id, each.topic, str(each.key), each.reason, each.created_at_ms) for each in effects.outbox),
    )


def _entity_row(entity: Entity) -> tuple[Any, ...]:
    awaited_since_ms = entity.awaited_since_ms if entity.is_awaited else None
    return (
        str(entity.key),
        entity.key.kind.value,
        entity.key.provider,
        entity.occurred_at_ms,
        awaited_since_ms,
        entity.has_conflict,
        to_json(to_document(entity)),
    )


def _entity(row: Any) -> Entity:
    return from_document(EntityKey.parse(row[0]), orjson.loads(row[1]))


def _fact_row(stored: StoredFact) -> tuple[Any, ...]:
    fact, stamp = stored.fact, stored.stamp
    return (
        str(fact.key),
        stamp.event_key,
        stamp.content_digest,
        stamp.at_ms,
        stamp.step,
        stamp.rank,
        stored.delivery_id,
        to_json(dict(fact.values)),
    )


def _fact(row: Any) -> StoredFact:
    key, event_key, digest, at_ms, step, rank, delivery_id, stated = row
    fact = Fact(EntityKey.parse(key), Version(at_ms, step), orjson.loads(stated))
    return StoredFact(fact, Stamp(at_ms, step, rank, event_key, digest), delivery_id)


def _mark_row(mark: EventMark) -> tuple[str, str, str]:
    return mark.event_key, to_json(dict(mark.contents)), to_json([str(key) for key in mark.entity_keys])


def _mark(row: Any) -> EventMark:
    return EventMark(row[0], orjson.loads(row[1]), tuple(EntityKey.parse(key) for key in orjson.loads(row[2])))


def _verdict_row(verdict: Verdict) -> tuple[str, ...]:
    attempts = [[each.at_ms, each.outcome.value, each.reason, each.code_version] for each in verdict.attempts]
    return (
        verdict.delivery_id,
        verdict.object_name,
        verdict.event_key,
        verdict.event_type,
        verdict.outcome.value,
        to_json(attempts),
    )


def _verdict(row: Any) -> Verdict:
    delivery_id, object_name, event_key, event_type, attempts = row
    parsed = tuple(
        Attempt(at_ms, Outcome(outcome), reason, code) for at_ms, outcome, reason, code in orjson.loads(attempts)
    )
    return Verdict(delivery_id, object_name, event_key, event_type, parsed)
