"""What the ledger keeps, as Firestore documents: the value as JSON text, beside it only what queries filter on.

    entities/{entity key}                          the fold, kept small however many facts it was folded from
    entities/{entity key}/facts/{event, content}   one fact each: an entity with thousands of them stays one small document
    events/{event key}                             the idempotency mark, kept for ever
    verdicts/{delivery id}                         what became of a delivery
    outbox/{message id}                            what has not left yet; gone when it has

Fields that are not filtered on are exempt from indexing (indexes.json): an index entry is the larger part of a write.
"""

import json
from typing import Any

from shared.adapters.google.documents import Fields, document_id, key_of
from shared.domain.facts import EntityKey, Fact, Stamp, Version
from shared.domain.fold import Entity, from_document, to_document
from shared.domain.outcomes import Attempt, Outcome, Verdict
from shared.domain.settle import EventMark, OutboxMessage, StoredFact
from shared.ports.ledger_store import OutboxEntry

ENTITIES, EVENTS, VERDICTS, OUTBOX = "entities", "events", "verdicts", "outbox"


def path(collection: str, key: object) -> str:
    """Return the path of a key's document."""
    return f"{collection}/{document_id(str(key))}"


def facts_of(key: EntityKey) -> str:
    """Return the collection of an entity's facts."""
    return f"{path(ENTITIES, key)}/facts"


def fact_path(key: EntityKey, event_key: str, content_digest: str) -> str:
    """Return the path of the fact that one content of one event states about an entity."""
    return path(facts_of(key), f"{event_key}|{content_digest}")


def of_entity(entity: Entity) -> Fields:
    """Return an entity's document; what is not so is left out, so that it has no index entry."""
    fields: dict[str, str | int | bool] = {"body": _json(to_document(entity))}
    if entity.occurred_at_ms is not None:
        fields |= {
            "kind": entity.key.kind.value,
            "provider": entity.key.provider,
            "occurred_at_ms": entity.occurred_at_ms,
        }
    if entity.is_awaited:
        fields["is_awaited"] = True
    if entity.has_conflict:
        fields["has_conflict"] = True
    return fields


def to_entity(where: str, fields: Fields) -> Entity:
    """Read an entity back."""
    return from_document(EntityKey.parse(key_of(where)), _body(fields))


def of_fact(stored: StoredFact) -> Fields:
    """Return a fact's document."""
    body = {
        "key": str(stored.fact.key),
        "values": dict(stored.fact.values),
        "stamp": list(stored.stamp),
        "delivery_id": stored.delivery_id,
    }
    return {"body": _json(body)}


def to_fact(fields: Fields) -> StoredFact:
    """Read a fact back."""
    body = _body(fields)
    stamp = Stamp(*body["stamp"])
    fact = Fact(EntityKey.parse(body["key"]), Version(stamp.at_ms, stamp.step), body["values"])
    return StoredFact(fact, stamp, body["delivery_id"])


def of_mark(mark: EventMark) -> Fields:
    """Return an event mark's document."""
    body = {"contents": dict(mark.contents), "entity_keys": [str(key) for key in mark.entity_keys]}
    return {"body": _json(body)}


def to_mark(where: str, fields: Fields) -> EventMark:
    """Read an event mark back."""
    body = _body(fields)
    return EventMark(key_of(where), body["contents"], tuple(EntityKey.parse(key) for key in body["entity_keys"]))


def of_verdict(verdict: Verdict) -> Fields:
    """Return a verdict's document."""
    body = {
        "object_name": verdict.object_name,
        "event_key": verdict.event_key,
        "event_type": verdict.event_type,
        "attempts": [[each.at_ms, each.outcome.value, each.reason, each.code_version] for each in verdict.attempts],
    }
    return {"body": _json(body), "outcome": verdict.outcome.value}


def to_verdict(where: str, fields: Fields) -> Verdict:
    """Read a verdict back."""
    body = _body(fields)
    attempts = tuple(Attempt(at_ms, Outcome(outcome), *rest) for at_ms, outcome, *rest in body.pop("attempts"))
    return Verdict(key_of(where), attempts=attempts, **body)


def of_outbox(entry: OutboxEntry, due_at_ms: int) -> Fields:
    """Return an outbox message's document."""
    message = entry.message
    body = {
        "topic": message.topic,
        "key": str(message.key),
        "reason": message.reason,
        "created_at_ms": message.created_at_ms,
        "attempts": entry.attempts,
    }
    return {"body": _json(body), "due_at_ms": due_at_ms}


def to_outbox(where: str, fields: Fields) -> OutboxEntry:
    """Read an outbox message back."""
    body = _body(fields)
    attempts = body.pop("attempts")
    return OutboxEntry(OutboxMessage(key_of(where), **{**body, "key": EntityKey.parse(body["key"])}), attempts)


def _json(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _body(fields: Fields) -> Any:
    return json.loads(str(fields["body"]))
