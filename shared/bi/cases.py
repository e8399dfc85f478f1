"""Cases: open differences and exceptions as inputs of certification, and which of them a named person has accepted.

difference, still found  ─▶ its exception, with a decision that settles what is found today ─▶ accepted
exception, open          ─▶ stops the months of its subject; settled by a decision          ─▶ accepted
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.domain.facts import EntityKey
from shared.domain.findings import ExceptionKind, FinanceException, Sighting, persisting
from shared.domain.reconciliation import Difference, DifferenceType
from shared.domain.times import to_ms

BLOCKING = frozenset(
    {
        ExceptionKind.UNLINKED,
        ExceptionKind.NOT_FOUND,
        ExceptionKind.FETCH_REFUSED,
        ExceptionKind.PASSENGER_WITHOUT_TICKET,
    }
)
"""Kinds that leave money in doubt and that no other check sees. Deliveries, conflicts and differences have checks of their
own; who sits where is a matter of operations."""


def difference_rows(
    differences: Iterable[Difference], exceptions: Sequence[FinanceException]
) -> Iterator[dict[str, Any]]:
    """Yield `staging.difference`: every open difference in each month of its window."""
    accepted = _settled(exceptions)
    for difference in differences:
        mismatch = difference.mismatch
        for month in sorted({f"{day:%Y-%m}" for day in difference.window.days()}):
            yield {
                "difference_id": difference.difference_id,
                "job": difference.job,
                "provider": mismatch.key.provider,
                "kind": mismatch.key.kind.value,
                "entity": str(mismatch.key),
                "type": mismatch.type.value,
                "month": month,
                "accepted_by_exception": _accepted_by(difference, accepted),
            }


def not_accepted(differences: Iterable[Difference], exceptions: Sequence[FinanceException]) -> Iterator[Difference]:
    """Yield the differences that nobody has accepted as they are found today."""
    accepted = _settled(exceptions)
    return (each for each in differences if _accepted_by(each, accepted) is None)


def exception_row(exception: FinanceException) -> dict[str, Any]:
    """Return an exception as a row of `staging.exception`."""
    decision = exception.decision if exception.is_settled else None
    return {
        "exception_id": exception.exception_id,
        "kind": exception.kind.value,
        "provider": exception.provider,
        "subject": exception.subject,
        "entity": _entity(exception),
        "is_blocking": exception.kind in BLOCKING,
        "is_accepted": decision is not None,
        "opened_at_ms": to_ms(exception.opened_at),
        "at_risk_minor": exception.at_risk.amount_minor if exception.at_risk else None,
        "at_risk_currency": exception.at_risk.currency if exception.at_risk else None,
        "decision": decision.choice.value if decision else None,
        "decided_by": decision.decided_by if decision else None,
        "reason": decision.reason if decision else None,
        "decided_at_ms": to_ms(decision.decided_at) if decision else None,
    }


def standing(exceptions: Iterable[FinanceException]) -> list[FinanceException]:
    """Return, of all exceptions there ever were, those that are open or settled by a decision: few, so held in memory."""
    latest: dict[str, FinanceException] = {}
    for exception in exceptions:
        known = latest.get(exception.exception_id)
        if known is None or known.opened_at <= exception.opened_at:
            latest[exception.exception_id] = exception
    return [each for each in latest.values() if each.is_open or each.is_settled]


def _settled(exceptions: Iterable[FinanceException]) -> Mapping[str, FinanceException]:
    return {each.exception_id: each for each in exceptions if each.is_settled}


def _accepted_by(difference: Difference, settled: Mapping[str, FinanceException]) -> str | None:
    """Return the settled exception about a difference, if what was decided on is what is found today."""
    today = persisting(difference, Sighting(difference.last_seen_run, difference.last_seen_at))
    decided = settled.get(today.exception_id)
    if decided is not None and decided.decision is not None and decided.decision.settles(today.evidence_digest):
        return decided.exception_id
    if difference.mismatch.type is DifferenceType.MISSING_AT_PROVIDER:
        # What the provider does not know is told of as that, not as a difference: one case is one exception.
        subject = str(difference.mismatch.key)
        unknown = (each for each in settled.values() if (each.kind, each.subject) == (ExceptionKind.NOT_FOUND, subject))
        return next((each.exception_id for each in unknown), None)
    return None


def _entity(exception: FinanceException) -> str | None:
    """Return the entity that an exception is about: the first word of its subject, where that is a key."""
    try:
        return str(EntityKey.parse(exception.subject.split(" ", 1)[0]))
    except ValueError:
        return None
