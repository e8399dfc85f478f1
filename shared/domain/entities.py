"""What each kind of entity may say of itself: its fields, how each is folded, and where it points.

This table is the vocabulary of the ledger. A provider that states a field which is not here is a defect of that
provider's code and fails at once. Units are in the names: `_minor` minor units of the entity's `currency`, `_ms`
milliseconds since the epoch (UTC), `_day` a Buenos Aires or, where said, travel-local calendar day `YYYY-MM-DD`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind, Fact


class Merge(Enum):
    """How the statements about one field become one value; each rule is commutative, associative and idempotent."""

    LATEST = auto()
    """The statement with the highest stamp stands (status, seat)."""
    FIXED = auto()
    """May never differ (amount, currency): the lowest stamp stands, and every other value is a conflict, kept and shown."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a kind: its type, its merge rule, and the kinds that it points at when it is a link."""

    type: type[str] | type[int] | type[bool]
    merge: Merge = Merge.LATEST
    link: EntityKind | None = None


_TEXT, _INT, _BOOL = Field(str), Field(int), Field(bool)
_FIXED_TEXT, _FIXED_INT = Field(str, Merge.FIXED), Field(int, Merge.FIXED)


def _to(kind: EntityKind) -> Field:
    """Return a link field: its value is the whole key of another entity, `sale:betterez:65f0…`."""
    return Field(str, Merge.LATEST, kind)


FIELDS: Mapping[EntityKind, Mapping[str, Field]] = {
    # A sale: one transaction of the ticketing platform. Its total may grow while tickets are issued over time, so it
    # is LATEST; what may never change is the currency. Cancellations and changes are sales with a type of their own.
    EntityKind.SALE: {
        "sale_number": _TEXT,  # what people call it (9SKGPTZ5)
        "sale_type": _TEXT,  # sale | cancellation | change
        "status": _TEXT,  # pending | paid | expired | reversed
        "total_minor": _INT,  # signed: a cancellation is negative
        "fees_minor": _INT,  # fees of the whole transaction, outside its items
        "currency": _FIXED_TEXT,
        "business_unit": _FIXED_TEXT,
        "channel": _TEXT,
        "agency_id": _TEXT,
        "shift": _to(EntityKind.SHIFT),
        "original_sale": _to(EntityKind.SALE),  # cancellation or change: the sale that it undoes
        "sold_at_ms": _INT,
    },
    # A ticket: one passenger's right to one trip. Its fare never changes: a change issues another ticket.
    EntityKind.TICKET: {
        "ticket_number": _TEXT,
        "sale": _to(EntityKind.SALE),
        "status": _TEXT,  # open | boarded | no_show | refunded | exchanged | void | expired
        "fare_minor": _FIXED_INT,  # what the passenger pays for it, taxes and fees included
        "taxes_minor": _INT,
        "commission_minor": _INT,
        "currency": _FIXED_TEXT,
        "business_unit": _FIXED_TEXT,
        "channel": _TEXT,
        "agency_id": _TEXT,
        "issued_at_ms": _INT,
        "departs_at_ms": _INT,  # the real instant of departure
        "travel_day": _TEXT,  # local day of the trip: with route and service it names the manifest
        "route_id": _TEXT,
        "service_id": _TEXT,  # the schedule: one departure time of a route
        "origin": _TEXT,
        "destination": _TEXT,
        "seat": _TEXT,
        "boarded_at_ms": _INT,
        "changed_from": _to(EntityKind.TICKET),
        "refund": _to(EntityKind.REFUND),
    },
    # A payment: money that a customer gave. What of it went back is said by refunds, and by nobody twice. The platform's
    # payment is the accounting event; a processor's payment (provider stripe, mercadopago) is the evidence for it, linked
    # by `processor_payment`.
    EntityKind.PAYMENT: {
        "sale": _to(EntityKind.SALE),
        "processor_payment": _to(EntityKind.PAYMENT),
        "reference": _TEXT,  # what the other side calls it
        "amount_minor": _FIXED_INT,
        "fee_minor": _INT,
        "currency": _FIXED_TEXT,
        "business_unit": _FIXED_TEXT,
        "method": _TEXT,  # cash | card | transfer | voucher | gift_certificate | wallet | boleto | other
        "processor": _TEXT,  # inperson | stripe | mercadopago | …
        "status": _TEXT,  # pending | success | failed | refunded | charged_back
        "paid_at_ms": _INT,
    },
    # A refund: a debt to a customer that arises when an item is given back. It is cash only if `refund_type` is cash.
    EntityKind.REFUND: {
        "sale": _to(EntityKind.SALE),  # the transaction that holds the refund
        "original_sale": _to(EntityKind.SALE),
        "ticket": _to(EntityKind.TICKET),
        "payment": _to(EntityKind.PAYMENT),
        "refund_type": _TEXT,  # cash | exchange
        "item_minor": _FIXED_INT,  # value of the item given back
        "penalty_minor": _FIXED_INT,  # what the company keeps
        "amount_minor": _FIXED_INT,  # what goes back to the customer: item less penalty
        "currency": _FIXED_TEXT,
        "business_unit": _FIXED_TEXT,
        "status": _TEXT,  # pending | success | failed
        "refunded_at_ms": _INT,
    },
    # A manifest: who travels on one trip.
    EntityKind.MANIFEST: {
        "route_id": _TEXT,
        "service_id": _TEXT,
        "travel_day": _TEXT,
        "status": _TEXT,  # published | paused | planned | canceled
        "capacity": _INT,  # seats of the vehicle that runs the trip
        "business_unit": _TEXT,
    },
    # A shift: a seller's cash session.
    EntityKind.SHIFT: {
        "shift_number": _TEXT,
        "location": _TEXT,
        "agency_id": _TEXT,
        "business_unit": _TEXT,
        "is_closed": _BOOL,
        "opened_at_ms": _INT,
        "closed_at_ms": _INT,
    },
    # A settlement line: what a payment processor says it paid out, withheld or took back. Gross less fee is net.
    EntityKind.SETTLEMENT_LINE: {
        "line_type": _TEXT,  # payout | receipt | dispute | movement | payment | refund | hold | statement | other | *_balance
        "report": _TEXT,  # the kind of report that tells it (release, settlement), where a processor has several
        "description": _TEXT,  # the processor's own word for it
        "payment": _to(EntityKind.PAYMENT),
        "refund": _to(EntityKind.REFUND),
        "payout": _to(EntityKind.SETTLEMENT_LINE),  # the payout that it is part of
        "reference": _TEXT,  # what the line itself calls the thing that it is about
        "statement": _to(EntityKind.SETTLEMENT_LINE),  # the statement that it stands in, if any
        "generation": _INT,  # of a line the one that it stands in, of a statement the highest (docs/settlements.md)
        "gross_minor": _FIXED_INT,
        "fee_minor": _FIXED_INT,  # all that is kept of it: fees, financing, shipping, taxes
        "net_minor": _FIXED_INT,
        "currency": _FIXED_TEXT,
        "business_unit": _TEXT,
        "status": _TEXT,
        "settled_at_ms": _INT,
    },
    # A decision: what a person of the company decided about one exception; its id is the exception's (docs/exceptions.md).
    EntityKind.DECISION: {
        "decision": _TEXT,  # accept | write_off | correct | assign
        "exception_kind": _TEXT,
        "subject": _TEXT,  # what the exception is about: an entity, a delivery, or a difference of an entity
        "reason": _TEXT,
        "decided_by": _TEXT,  # a login of the staff
        "assigned_to": _TEXT,
        "evidence_digest": _TEXT,  # what the exception showed when it was decided on
        "amount_minor": _INT,  # the money at risk that was decided on; 0 of XXX where it was not known
        "currency": _TEXT,
        "decided_at_ms": _INT,
    },
}

LINKS: Mapping[EntityKind, tuple[str, ...]] = {
    kind: tuple(name for name, field in fields.items() if field.link is not None) for kind, fields in FIELDS.items()
}
"""The link fields of each kind."""

OCCURRED_AT: Mapping[EntityKind, str] = {
    EntityKind.SALE: "sold_at_ms",
    EntityKind.TICKET: "departs_at_ms",
    EntityKind.PAYMENT: "paid_at_ms",
    EntityKind.REFUND: "refunded_at_ms",
    EntityKind.SHIFT: "opened_at_ms",
    EntityKind.SETTLEMENT_LINE: "settled_at_ms",
    EntityKind.DECISION: "decided_at_ms",
}
"""The instant by which each kind is listed in a window (a ticket by its trip: that is how the platform lists them)."""


def refuse_undeclared(fact: Fact) -> None:
    """Raise TerminalError where a provider's code states what this vocabulary does not have: that is a defect to mend."""
    fields = FIELDS[fact.key.kind]
    for name, value in fact.values.items():
        declared = fields.get(name)
        if declared is None or type(value) is not declared.type:
            raise TerminalError(
                f"{fact.key.kind.value}.{name} as {type(value).__name__} is not declared in domain/entities.py; "
                "declare it there or mend the provider's translate.py"
            )
        if declared.link is not None and EntityKey.parse(str(value)).kind is not declared.link:
            raise TerminalError(
                f"{fact.key.kind.value}.{name} must point at a {declared.link.value}; mend translate.py"
            )
