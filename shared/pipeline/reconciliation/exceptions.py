"""Exceptions from state: what is disputed, unsettled or lastingly different is open, and closed when it is gone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from shared.domain.findings import (
    ExceptionKind,
    FinanceException,
    Sighting,
    conflicting,
    persisting,
    unsettled,
)
from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import ReconciliationRun
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.sweeping import is_known_as_not_found, sweep
from shared.pipeline.reconciliation.world import Reconciling

DIFFERENCE_GRACE = timedelta(hours=24)
"""How long a difference may stay open before people hear of it: until then fetching mends it."""

KINDS = (
    ExceptionKind.CONFLICTING_ENTITY,
    ExceptionKind.CONFLICTING_DELIVERY,
    ExceptionKind.QUARANTINED_DELIVERY,
    ExceptionKind.FAILED_DELIVERY,
    ExceptionKind.DIFFERENCE,
)
"""The kinds that this job opens and closes; the jobs `awaited` and `fetches` have their own."""


def exceptions(world: Reconciling, now: datetime, grace: timedelta = DIFFERENCE_GRACE) -> list[ReconciliationRun]:
    """Make the open exceptions of these kinds exactly those whose cause is there now."""
    return [
        recorded(
            world,
            Work("exceptions"),
            lambda by: Report(sweep(world.casebook, KINDS, _causes(world, now - grace, by), by)),
        )
    ]


def _causes(world: Reconciling, opened_before: datetime, by: Sighting) -> Iterator[FinanceException]:
    return chain(
        (conflicting(entity, by) for entity in world.ledger.disputed()),
        _deliveries(world, by),
        _differences(world, opened_before, by),
    )


def _deliveries(world: Reconciling, by: Sighting) -> Iterator[FinanceException]:
    for verdict in world.ledger.verdicts([outcome for outcome in Outcome if outcome.needs_attention]):
        provider = verdict.object_name.split("/")[-3]
        yield unsettled(verdict, provider, by)


def _differences(world: Reconciling, opened_before: datetime, by: Sighting) -> Iterator[FinanceException]:
    for difference in world.casebook.open_differences():
        if difference.opened_at <= opened_before and not is_known_as_not_found(world.casebook, difference.mismatch.key):
            yield persisting(difference, by)
