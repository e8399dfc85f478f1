"""Exceptions from state: what is disputed, unsettled or lastingly different is open, and closed when it is gone.

What a person has decided stays closed while it shows what was decided on.
"""

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
from shared.domain.reconciliation import Difference, DifferenceType, ReconciliationRun
from shared.pipeline.reconciliation.decided import note_decisions
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.sweeping import (
    is_decided_as_not_found,
    is_known_as_not_found,
    is_known_at_its_trip,
    sweep,
)
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
"""The kinds that this job opens and closes; the jobs `awaited`, `fetches` and `manifests` have their own."""

_TOLD_AT_THEIR_TRIP = (DifferenceType.NO_LIVE_TICKET, DifferenceType.NO_SEAT)
"""Differences that the job `manifests` makes exceptions of its own kinds."""


def exceptions(world: Reconciling, now: datetime, grace: timedelta = DIFFERENCE_GRACE) -> list[ReconciliationRun]:
    """Make the open exceptions of these kinds exactly those whose cause is there now, less what people have decided."""
    return [recorded(world, Work("exceptions"), lambda by: _sweep(world, now - grace, by))]


def _sweep(world: Reconciling, opened_before: datetime, by: Sighting) -> Report:
    swept = sweep(world.casebook, KINDS, _causes(world, opened_before, by), by)
    return Report({**swept, **note_decisions(world.ledger, world.casebook, by.at)})


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
        if difference.opened_at <= opened_before and not _is_told_already(world, difference):
            yield persisting(difference, by)


def _is_told_already(world: Reconciling, difference: Difference) -> bool:
    """Return whether people hear of it as not found or at its trip, or have decided about that: one case, one exception."""
    key = difference.mismatch.key
    if difference.mismatch.type in _TOLD_AT_THEIR_TRIP or is_known_at_its_trip(world.casebook, key):
        return True
    if is_known_as_not_found(world.casebook, key):
        return True
    is_absent = difference.mismatch.type is DifferenceType.MISSING_AT_PROVIDER
    return is_absent and is_decided_as_not_found(world.casebook, key)
