"""The caseload: which exceptions somebody wants to see, in which order, and what they come to.

Currencies are never added up or compared: whatever is ordered or summed by money is so within each currency.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.decisions import Choice
from shared.domain.findings import ExceptionKind, FinanceException, Owner
from shared.domain.reconciliation import NO_CURRENCY
from shared.domain.times import Window


class State(StrEnum):
    """How an exception stands."""

    OPEN = "open"
    DECIDED = "decided"
    """Closed, because a person accepted it or wrote it off as it stands."""
    CLOSED = "closed"
    """Closed, because its cause is gone."""


class Order(StrEnum):
    """What comes first in a list."""

    AGE = "age"
    RISK = "risk"


def state_of(exception: FinanceException) -> State:
    """Return how an exception stands."""
    if exception.is_open:
        return State.OPEN
    return State.DECIDED if exception.is_settled else State.CLOSED


@dataclass(frozen=True, slots=True)
class Selection:
    """Which exceptions are wanted; what is not given excludes none."""

    states: frozenset[State] = frozenset(State)
    kind: ExceptionKind | None = None
    provider: str | None = None
    owner: Owner | None = None
    assigned_to: str | None = None
    """A name; the empty text wants those that nobody is assigned to."""
    older_than: timedelta | None = None
    opened_in: Window | None = None

    def holds(self, exception: FinanceException, now: datetime) -> bool:
        """Return whether an exception is wanted."""
        opened_in = self.opened_in
        return (
            state_of(exception) in self.states
            and self.kind in (None, exception.kind)
            and self.provider in (None, exception.provider)
            and self.owner in (None, exception.owner)
            and self.assigned_to in (None, exception.assigned_to)
            and (self.older_than is None or exception.age(now) > self.older_than)
            and (opened_in is None or opened_in.start <= exception.opened_at < opened_in.end)
        )


def in_order(exceptions: Iterable[FinanceException], order: Order) -> list[FinanceException]:
    """Return exceptions by age, the oldest first, or by money at risk: currency by currency, the most first, unknown last."""
    by_age = sorted(exceptions, key=lambda each: (each.opened_at, each.exception_id))
    return by_age if order is Order.AGE else sorted(by_age, key=_by_risk)


def _by_risk(exception: FinanceException) -> tuple[bool, str, int]:
    at_risk = exception.at_risk
    return (False, at_risk.currency, -at_risk.amount_minor) if at_risk else (True, "", 0)


@dataclass(slots=True)
class Sum:
    """How many exceptions, and what is at risk in them in minor units."""

    count: int = 0
    amount_minor: int = 0

    def add(self, exception: FinanceException) -> None:
        """Add one; an amount that is not known adds nothing."""
        self.count += 1
        self.amount_minor += exception.at_risk.amount_minor if exception.at_risk else 0


@dataclass(slots=True)
class Outstanding:
    """What became of the exceptions that were opened in a period, in one currency.

    Always: opened = closed + accepted + written off + outstanding, in count and in amount.
    """

    opened: Sum = field(default_factory=Sum)
    closed: Sum = field(default_factory=Sum)
    """Whose cause is gone."""
    accepted: Sum = field(default_factory=Sum)
    written_off: Sum = field(default_factory=Sum)
    outstanding: Sum = field(default_factory=Sum)
    """Still open."""

    def add(self, exception: FinanceException) -> None:
        """Add one exception, at what is at risk in it now or was when it was closed."""
        self.opened.add(exception)
        self._part(exception).add(exception)

    def _part(self, exception: FinanceException) -> Sum:
        state = state_of(exception)
        if state is State.OPEN:
            return self.outstanding
        if state is State.DECIDED and exception.decision is not None:
            return self.accepted if exception.decision.choice is Choice.ACCEPT else self.written_off
        return self.closed


def outstanding(exceptions: Iterable[FinanceException]) -> dict[str, Outstanding]:
    """Return what became of exceptions by currency, in order; those whose amount is not known stand under XXX."""
    found: dict[str, Outstanding] = {}
    for exception in exceptions:
        found.setdefault(_currency(exception), Outstanding()).add(exception)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Area:
    """An area of concern: what is open of one kind with one provider in one currency."""

    kind: ExceptionKind
    provider: str
    currency: str
    sum: Sum


def areas_of_concern(exceptions: Iterable[FinanceException]) -> list[Area]:
    """Return where open exceptions gather: currency by currency the most money first, then the most exceptions."""
    sums: dict[tuple[ExceptionKind, str, str], Sum] = {}
    for exception in exceptions:
        if exception.is_open:
            sums.setdefault((exception.kind, exception.provider, _currency(exception)), Sum()).add(exception)
    areas = [Area(*place, each) for place, each in sums.items()]
    return sorted(
        areas,
        key=lambda area: (
            area.currency == NO_CURRENCY,
            area.currency,
            -area.sum.amount_minor,
            -area.sum.count,
            area.kind,
            area.provider,
        ),
    )


def _currency(exception: FinanceException) -> str:
    return exception.at_risk.currency if exception.at_risk else NO_CURRENCY
