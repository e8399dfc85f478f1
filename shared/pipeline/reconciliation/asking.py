"""Asking: a fetch that some job wants goes into the ledger's outbox; the job `fetches` makes it."""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.facts import EntityKey, EntityKind
from shared.domain.fold import Entity
from shared.domain.settle import Effects, OutboxMessage, Touch
from shared.domain.times import to_ms
from shared.pipeline.reconciliation.world import Reconciling
from shared.ports.ledger_store import LedgerStore

POINTERS_MAX = 100
"""How many of the entities that point at an awaited one are followed."""

_TOLD_BY_A_SALE = (EntityKind.TICKET, EntityKind.PAYMENT, EntityKind.REFUND)
"""Kinds that a fetched sale tells about too."""
_NOTHING = Touch(frozenset(), frozenset(), frozenset())


def ask_for(ledger: LedgerStore, keys: Iterable[EntityKey], reason: str, now: datetime) -> None:
    """Put one fetch per key into the outbox; one that waits there already for the same reason stays as it is."""
    outbox = [OutboxMessage(f"fetch|{key}|{reason}", "fetch", key, reason, to_ms(now)) for key in keys]
    if outbox:
        ledger.transact(_NOTHING, lambda _: Effects(outbox=list(outbox)))


def ways_to(entity: Entity, world: Reconciling) -> list[EntityKey]:
    """Return what to fetch to learn of an entity: itself, or the sales that it or its pointers name; else nothing."""
    if world.can_fetch(entity.key):
        return [entity.key]
    if entity.key.kind not in _TOLD_BY_A_SALE:
        return []
    near = dict.fromkeys(key for each in (entity, *pointers(entity, world.ledger)) for key in _sales_near(each))
    return [key for key in near if key.provider == entity.key.provider and world.can_fetch(key)]


def pointers(entity: Entity, ledger: LedgerStore) -> list[Entity]:
    """Return the entities that point at an awaited one, by key, not more than POINTERS_MAX of them."""
    keys = [EntityKey.parse(text) for text in sorted(entity.wanted_by)[:POINTERS_MAX]]
    return [pointer for pointer in map(ledger.entity, keys) if pointer is not None]


def is_pointed_at(awaited: Entity, ledger: LedgerStore) -> bool:
    """Return whether anything still points at an awaited entity; a later statement may have turned its pointers elsewhere."""
    pointing = (ledger.entity(EntityKey.parse(text)) for text in sorted(awaited.wanted_by))
    return any(awaited.key == target for pointer in pointing if pointer is not None for _, target in pointer.links())


def _sales_near(entity: Entity) -> list[EntityKey]:
    keys = [entity.key, *(target for _, target in entity.links())]
    return [key for key in keys if key.kind is EntityKind.SALE]
