"""Matching: what is about one thing is brought together by named rules, where nobody has said that it belongs together.

    open subjects ─┐
                   ├─ rule by rule ─▶ matched, with the rule's name ─▶ the rest floats: waiting, or unmatched
    candidates ────┘

A link that a provider states stands above every rule. A rule decides only where one candidate is left; several that are
alike are declined, never chosen from, and so is one that two subjects would have. The result is a function of the folded
ledger, of the rules and of the window: it is computed when it is asked for and never written into the ledger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.fold import Entity
from shared.domain.settlements import is_due
from shared.domain.times import Window, from_ms

CHAIN_MAX = 20
"""How many changes of a sale are followed back to the sale that was paid."""


class Pairing(StrEnum):
    """What is matched with what."""

    PAYMENT_TO_SALE = "payment_to_sale"
    REFUND_TO_PAYMENT = "refund_to_payment"
    REFUND_TO_TICKET = "refund_to_ticket"
    LINE_TO_PAYMENT = "line_to_payment"
    LINE_TO_REFUND = "line_to_refund"
    RECEIPT_TO_PAYOUT = "receipt_to_payout"


class Expectation(NamedTuple):
    """Which entities are to be matched, by which links a provider states it, and how long a match may take to come."""

    kind: EntityKind
    is_expected: Callable[[Entity], bool]
    links: tuple[str, ...]
    due_within: timedelta


def _line_of(*line_types: str) -> Callable[[Entity], bool]:
    return lambda line: line.values.get("line_type") in line_types


def _gives_cash_back(refund: Entity) -> bool:
    return is_due(refund) and refund.values.get("refund_type") != "exchange"


EXPECTED: Mapping[Pairing, Expectation] = {
    Pairing.PAYMENT_TO_SALE: Expectation(EntityKind.PAYMENT, is_due, ("sale",), timedelta(days=2)),
    Pairing.REFUND_TO_PAYMENT: Expectation(EntityKind.REFUND, _gives_cash_back, ("payment",), timedelta(days=2)),
    Pairing.REFUND_TO_TICKET: Expectation(
        EntityKind.REFUND,
        # A processor's refund is of a payment and knows no item; the platform's is of an item.
        lambda refund: is_due(refund) and "item_minor" in refund.values,
        ("ticket",),
        timedelta(days=2),
    ),
    Pairing.LINE_TO_PAYMENT: Expectation(
        EntityKind.SETTLEMENT_LINE, _line_of("payment", "dispute"), ("payment",), timedelta(days=7)
    ),
    Pairing.LINE_TO_REFUND: Expectation(
        EntityKind.SETTLEMENT_LINE, _line_of("refund"), ("refund", "payment"), timedelta(days=7)
    ),
    Pairing.RECEIPT_TO_PAYOUT: Expectation(
        EntityKind.SETTLEMENT_LINE, _line_of("receipt"), ("payout",), timedelta(days=7)
    ),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: through what it looks, what must be equal, and how near in time. Terms are named in `TERMS` or are fields.

    `by` finds candidates: subject's term to candidate's term. `agree` must hold of what was found. `target` is what is
    matched: the candidate itself (`key`), or what one of its links names.
    """

    name: str
    pairing: Pairing
    look_through: EntityKind
    by: Mapping[str, str]
    agree: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    """What candidates there are: their term to the value that it must have."""
    target: str = "key"
    near: str = "occurred"
    """The subject's own instant, or that of the sale that it goes back to (`root_sale`)."""
    days_before: int = 60
    """How many days before that instant a candidate may lie."""
    days_after: int = 60
    is_exclusive: bool = False
    """Whether a target belongs to one subject only."""
    is_decisive: bool = False
    """Whether later rules are not asked once this one has found any candidate, fitting or not: what names a thing names it."""

    def window(self, at_ms: int) -> Window:
        """Return where candidates may lie."""
        at = from_ms(at_ms)
        return Window(at - timedelta(days=self.days_before), at + timedelta(days=self.days_after, milliseconds=1))


class Subject(NamedTuple):
    """Something that is to be matched and that nobody has linked, with what the rules ask of it."""

    key: EntityKey
    occurred_at_ms: int
    root_at_ms: int | None
    terms: Mapping[str, Value]

    def anchor_ms(self, rule: Rule) -> int | None:
        """Return the instant near which a rule looks."""
        return self.root_at_ms if rule.near == "root_sale" else self.occurred_at_ms


class Candidate(NamedTuple):
    """Something that a rule has found for a subject."""

    key: EntityKey
    target: EntityKey
    occurred_at_ms: int
    terms: Mapping[str, Value]


class Declined(NamedTuple):
    """Why a rule did not decide: of one candidate, or of all (`candidate` is then None)."""

    rule: str
    candidate: EntityKey | None
    why: str


class Standing(StrEnum):
    """How a subject stands. Waiting is expected and not yet late; it is never mixed with what is unmatched."""

    MATCHED = "matched"
    WAITING = "waiting"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one subject: the rule that matched it, or why each rule declined, and until when it may wait."""

    pairing: Pairing
    subject: Subject
    target: EntityKey | None
    rule: str
    declined: tuple[Declined, ...]

    @property
    def due_at(self) -> datetime:
        """Return until when a match may come."""
        return from_ms(self.subject.occurred_at_ms) + EXPECTED[self.pairing].due_within

    def standing(self, now: datetime) -> Standing:
        """Return how it stands at an instant."""
        if self.target is not None:
            return Standing.MATCHED
        return Standing.WAITING if now < self.due_at else Standing.UNMATCHED

    @property
    def outcome(self) -> tuple[EntityKey | None, str]:
        """Return what two rule sets are compared by: the target and the rule."""
        return self.target, self.rule


def is_open(pairing: Pairing, entity: Entity) -> bool:
    """Return whether an entity is to be matched in this pairing and no provider has stated the link."""
    expected = EXPECTED[pairing]
    return expected.is_expected(entity) and stated_target(pairing, entity) is None


def stated_target(pairing: Pairing, entity: Entity) -> EntityKey | None:
    """Return what a provider says that an entity belongs to; None where it does not say."""
    values = entity.values
    return next((EntityKey.parse(str(values[name])) for name in EXPECTED[pairing].links if name in values), None)


# Terms: what rules compare

_AMOUNTS: Mapping[EntityKind, tuple[str, ...]] = {
    EntityKind.SALE: ("total_minor",),
    EntityKind.TICKET: ("fare_minor",),
    EntityKind.PAYMENT: ("amount_minor",),
    EntityKind.REFUND: ("amount_minor",),
    EntityKind.SETTLEMENT_LINE: ("gross_minor", "net_minor"),
}


def terms_of(entity: Entity) -> dict[str, Value]:
    """Return what can be compared of an entity: its fields, and the terms that are made of them.

    `key` and `id` are its identity, `provider` who tells of it; `amount` is what it amounts to and `net` what a line pays,
    both without a sign, for the two sides of one movement write it with opposite ones; `told_by` says of a payment whether
    the ticketing platform or the processor itself tells of it.
    """
    values = entity.values
    made: dict[str, Value | None] = {
        "key": str(entity.key),
        "id": entity.key.entity_id,
        "provider": entity.key.provider,
        "amount": _unsigned(values, _AMOUNTS.get(entity.key.kind, ())),
        "net": _unsigned(values, ("net_minor",)),
        "told_by": "processor" if values.get("processor") in (None, entity.key.provider) else "platform",
    }
    return {**values, **{name: value for name, value in made.items() if value is not None}}


def subject_of(entity: Entity, lookup: Callable[[EntityKey], Entity | None]) -> Subject:
    """Return an entity as a subject. Its term `root_sale` is the sale that was paid, before all changes of it."""
    terms = terms_of(entity)
    root = _root_sale(terms, lookup)
    if root is not None:
        terms["root_sale"] = str(root.key)
    return Subject(entity.key, entity.occurred_at_ms or 0, root.occurred_at_ms if root else None, terms)


def _unsigned(values: Mapping[str, Value], names: Sequence[str]) -> int | None:
    return next((abs(int(values[name])) for name in names if name in values), None)


def _root_sale(values: Mapping[str, Value], lookup: Callable[[EntityKey], Entity | None]) -> Entity | None:
    sale: Entity | None = None
    before = values.get("original_sale")
    for _ in range(CHAIN_MAX):
        if before is None:
            return sale
        sale = lookup(EntityKey.parse(str(before)))
        if sale is None:
            return None
        before = sale.values.get("original_sale")
    return None
