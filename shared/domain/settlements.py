"""Settlements: what settlement lines say of payments, refunds and payouts, and how it is held against them.

settlement lines ─shares_of─▶ totals per thing and kind of report ─┐
                                                                   ├─ is_otherwise ─▶ mismatches
ledger: payments, refunds, payouts ──────────────── claims ────────┘
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.fold import Entity
from shared.domain.reconciliation import NO_CURRENCY, Claim, DifferenceType, Pair, claim_of
from shared.domain.times import Window, from_ms

_PAID = frozenset({"success", "refunded", "charged_back"})
"""Statuses of a payment whose money came in."""


class Subject(NamedTuple):
    """What a total is about: a payment, refund or payout, in which respect, as told by one kind of report.

    A processor may tell of one payment in several kinds of report; each must come to the whole amount by itself.
    """

    type: DifferenceType
    """What it is called if the total is otherwise."""
    key: EntityKey
    report: str


class Share(NamedTuple):
    """What one settlement line adds to one subject, in minor units."""

    subject: Subject
    amount_minor: int
    currency: str
    settled_at_ms: int


@dataclass(slots=True)
class Total:
    """What all lines come to for one subject: the exact sum, and when the last of them was settled."""

    amount_minor: int
    currency: str
    last_settled_at_ms: int

    def add(self, share: Share) -> None:
        """Add one line. Lines of two currencies have no sum in either: it is then of no currency."""
        self.amount_minor += share.amount_minor
        self.last_settled_at_ms = max(self.last_settled_at_ms, share.settled_at_ms)
        if share.currency != self.currency:
            self.currency = NO_CURRENCY

    def is_last_settled_in(self, window: Window) -> bool:
        """Return whether the last line falls into a window: there the subject is compared."""
        return window.start <= from_ms(self.last_settled_at_ms) < window.end


def shares_of(line: Entity) -> Iterator[Share]:
    """Yield what a settlement line says of payments, refunds and payouts; balances, holds and disputes say nothing of them."""
    values = line.values
    line_type, report = str(values.get("line_type", "")), str(values.get("report", ""))
    settled_at_ms, currency = line.occurred_at_ms, str(values.get("currency", NO_CURRENCY))
    if settled_at_ms is None:
        return
    for subject, amount in (
        (_settled(values, line_type, report), values.get("gross_minor")),
        (_subject(DifferenceType.PAID_OUT_OTHERWISE, values.get("payout"), report), values.get("net_minor")),
    ):
        if subject is not None and amount is not None:
            yield Share(subject, int(amount), currency, settled_at_ms)


def _settled(values: dict[str, Value], line_type: str, report: str) -> Subject | None:
    if line_type in ("refund", "movement") and "refund" in values:
        return _subject(DifferenceType.SETTLED_OTHERWISE, values["refund"], report)
    if line_type == "refund":
        return _subject(DifferenceType.REFUNDS_SETTLED_OTHERWISE, values.get("payment"), report)
    if line_type in ("payment", "movement"):
        return _subject(DifferenceType.SETTLED_OTHERWISE, values.get("payment"), report)
    return None


def _subject(difference: DifferenceType, key: Value | None, report: str) -> Subject | None:
    return None if key is None else Subject(difference, EntityKey.parse(str(key)), report)


def settled_claim(subject: Subject, total: Total) -> Claim:
    """Return what the settlement says of a subject."""
    return Claim(subject.key, 0, total.amount_minor, total.currency, "")


def ledger_claim(entity: Entity) -> Claim:
    """Return what the settlement must come to: a payment's or payout's amount; a refund's with its sign turned."""
    claim = claim_of(entity)
    if entity.key.kind is EntityKind.REFUND and claim.amount_minor is not None:
        return claim._replace(amount_minor=-claim.amount_minor)
    return claim


def is_otherwise(pair: Pair) -> bool:
    """Return whether the two sides of a subject differ in amount or currency, or one of them knows nothing of it."""
    if pair.provider is None or pair.ledger is None:
        return True
    return (pair.provider.amount_minor, pair.provider.currency) != (pair.ledger.amount_minor, pair.ledger.currency)


def is_due(entity: Entity) -> bool:
    """Return whether a settlement of this payment or refund is to be expected: its money came in or went back."""
    status = entity.values.get("status")
    return status in _PAID if entity.key.kind is EntityKind.PAYMENT else status == "success"


@dataclass(slots=True)
class Generations:
    """Which lines stand where statements are issued again: of each statement those of its highest generation.

    Lines of an earlier generation stay in the ledger, as said then, and count for nothing.
    """

    entity_of: Callable[[EntityKey], Entity | None]
    """Looks an entity of the ledger up."""
    _highest: dict[str, Value | None] = field(default_factory=dict)

    def stands(self, line: Entity) -> bool:
        """Return whether a settlement line counts; one that is in no such statement always does."""
        values = line.values
        statement = values.get("statement")
        return statement is None or values.get("generation") == self._highest_of(str(statement))

    def _highest_of(self, statement: str) -> Value | None:
        if statement not in self._highest:
            entity = self.entity_of(EntityKey.parse(statement))
            self._highest[statement] = entity.values.get("generation") if entity else None
        return self._highest[statement]
