"""Awaited: what others point at and nothing has described is asked for; what stays away becomes an exception.

What a person's correction has taken the last pointer from is neither: nobody waits for it any more.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from shared.domain.facts import EntityKey
from shared.domain.findings import ExceptionKind, FinanceException, Sighting, exception_id, unlinked
from shared.domain.fold import Entity
from shared.domain.reconciliation import ReconciliationRun
from shared.pipeline.reconciliation.asking import ask_for, is_pointed_at, pointers, ways_to
from shared.pipeline.reconciliation.chunks import chunks
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.sweeping import is_decided_as_not_found, is_known_as_not_found, sweep
from shared.pipeline.reconciliation.world import Reconciling

ASK_AFTER = timedelta(minutes=10)
"""How long something may be awaited before the provider is asked: events of one sale arrive in any order."""
EXCEPTION_AFTER = timedelta(hours=24)
"""How long asking may go without success before people hear of it: a provider's bad day ends by itself."""
CHUNK = 500
ASKED_FOR = (ExceptionKind.NOT_FOUND, ExceptionKind.FETCH_REFUSED)
"""What asking for something may open."""


def awaited(
    world: Reconciling, now: datetime, ask_after: timedelta = ASK_AFTER, exception_after: timedelta = EXCEPTION_AFTER
) -> list[ReconciliationRun]:
    """Ask for every entity that has been awaited longer than a grace; after a longer one it is an exception until it is there."""
    return [recorded(world, Work("awaited"), lambda by: _follow_up(world, now, ask_after, now - exception_after, by))]


def _follow_up(
    world: Reconciling, now: datetime, ask_after: timedelta, overdue_before: datetime, by: Sighting
) -> Report:
    asked = _ask(world, world.ledger.awaited(now - ask_after), now, by)
    overdue = world.ledger.awaited(overdue_before)
    return Report({**asked, **sweep(world.casebook, {ExceptionKind.UNLINKED}, _unlinked(world, overdue, by), by)})


def _ask(world: Reconciling, waiting: Iterable[Entity], now: datetime, by: Sighting) -> dict[str, int]:
    seen = asked = 0
    for awaiting in chunks(waiting, CHUNK):
        forgotten = {entity.key for entity in awaiting if not is_pointed_at(entity, world.ledger)}
        _close_forgotten(world, forgotten, by)
        entities = [entity for entity in awaiting if entity.key not in forgotten]
        keys = dict.fromkeys(key for entity in entities for key in ways_to(entity, world))
        ask_for(world.ledger, keys, "awaited", now)
        seen += len(entities)
        asked += len(keys)
    return {"awaited": seen, "asked": asked}


def _close_forgotten(world: Reconciling, keys: Iterable[EntityKey], by: Sighting) -> None:
    """Close what was opened because a provider could not tell of something that nothing points at any more."""
    forgotten = [exception_id(kind, str(key)) for key in keys for kind in ASKED_FOR]
    if forgotten:
        world.casebook.close_exceptions(forgotten, by.at)


def _unlinked(world: Reconciling, overdue: Iterable[Entity], by: Sighting) -> Iterator[FinanceException]:
    for entity in overdue:
        key, casebook = entity.key, world.casebook
        is_told = is_known_as_not_found(casebook, key) or is_decided_as_not_found(casebook, key)
        if not is_told and is_pointed_at(entity, world.ledger):
            yield unlinked(entity, pointers(entity, world.ledger), by)
