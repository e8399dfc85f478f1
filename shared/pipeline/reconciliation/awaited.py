"""Awaited: what others point at and nothing has described is asked for; what stays away becomes an exception."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from shared.domain.findings import ExceptionKind, FinanceException, Sighting, unlinked
from shared.domain.fold import Entity
from shared.domain.reconciliation import ReconciliationRun
from shared.pipeline.reconciliation.asking import ask_for, pointers, ways_to
from shared.pipeline.reconciliation.chunks import chunks
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.sweeping import is_known_as_not_found, sweep
from shared.pipeline.reconciliation.world import Reconciling

ASK_AFTER = timedelta(minutes=10)
"""How long something may be awaited before the provider is asked: events of one sale arrive in any order."""
EXCEPTION_AFTER = timedelta(hours=24)
"""How long asking may go without success before people hear of it: a provider's bad day ends by itself."""
CHUNK = 500


def awaited(
    world: Reconciling, now: datetime, ask_after: timedelta = ASK_AFTER, exception_after: timedelta = EXCEPTION_AFTER
) -> list[ReconciliationRun]:
    """Ask for every entity that has been awaited longer than a grace; after a longer one it is an exception until it is there."""
    return [recorded(world, Work("awaited"), lambda by: _follow_up(world, now, ask_after, now - exception_after, by))]


def _follow_up(
    world: Reconciling, now: datetime, ask_after: timedelta, overdue_before: datetime, by: Sighting
) -> Report:
    asked = _ask(world, world.ledger.awaited(now - ask_after), now)
    overdue = world.ledger.awaited(overdue_before)
    return Report({**asked, **sweep(world.casebook, {ExceptionKind.UNLINKED}, _unlinked(world, overdue, by), by)})


def _ask(world: Reconciling, waiting: Iterable[Entity], now: datetime) -> dict[str, int]:
    seen = asked = 0
    for entities in chunks(waiting, CHUNK):
        keys = dict.fromkeys(key for entity in entities for key in ways_to(entity, world))
        ask_for(world.ledger, keys, "awaited", now)
        seen += len(entities)
        asked += len(keys)
    return {"awaited": seen, "asked": asked}


def _unlinked(world: Reconciling, overdue: Iterable[Entity], by: Sighting) -> Iterator[FinanceException]:
    for entity in overdue:
        if not is_known_as_not_found(world.casebook, entity.key):
            yield unlinked(entity, pointers(entity, world.ledger), by)
