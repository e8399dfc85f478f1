"""What the company's systems record, as immutable values: every change makes a new one.

An event holds the values as they were when it happened, so that its document can be written at any later time, and
values that did not change are shared between events. Amounts are centavos, instants milliseconds since the epoch.
"""

from typing import NamedTuple, TypeAlias

from local.simulator.world import Account, Agency, Service, Station


class Trip(NamedTuple):
    """One departure of a service on one day; the platform's manifest."""

    manifest_id: str
    service: Service
    day_start_ms: int
    """Start of the local day of departure."""
    departs_at_ms: int


class Person(NamedTuple):
    """A customer or passenger. Invented, and still treated as personal data by whoever receives it."""

    id: str
    number: str
    first_name: str
    last_name: str
    email: str
    created_at_ms: int
    updated_at_ms: int


class Shift(NamedTuple):
    """A seller's cash session."""

    id: str
    number: str
    agency: Agency
    opened_at_ms: int
    updated_at_ms: int
    closed_at_ms: int | None


class Counter(NamedTuple):
    """Where a sale is made: the channel and, at a counter, the shift that is open there."""

    channel: str
    shift: Shift | None

    @property
    def agency(self) -> Agency | None:
        """Return the agency whose counter it is; None on the web."""
        return self.shift.agency if self.shift else None

    @property
    def station(self) -> Station | None:
        """Return the terminal at which the counter stands."""
        return self.shift.agency.station if self.shift else None


class Payment(NamedTuple):
    """Money that a customer gave, as the platform records it."""

    processor: str
    """`inperson`, `stripe` or `mercadopago`."""
    method: str
    """`cash`, `debit` or `credit`."""
    amount_minor: int
    reference: str
    """The processor's payment id or the terminal's coupon; empty for cash."""
    method_id: str
    paid_at_ms: int


class PaidBack(NamedTuple):
    """The part of a refund that goes back by way of one payment."""

    processor: str
    method: str
    amount_minor: int
    payment_reference: str
    external_id: str


class Ticket(NamedTuple):
    """One passenger's right to one seat on one trip."""

    id: str
    number: str
    sale_id: str
    sale_number: str
    account: Account
    status: str
    """`paid`, `redeemed`, `noshow`, `cancelled` or `changed`: the platform's words."""
    fare_minor: int
    commission_minor: int
    counter: Counter
    trip: Trip
    seat: int
    passenger: Person
    changed_from: str | None
    refund_id: str
    created_at_ms: int
    updated_at_ms: int
    boarded_at_ms: int | None


class Refund(NamedTuple):
    """A ticket given back: cash of a cancellation, or the credit of a change."""

    id: str
    type: str
    """`cancellation` or `change`."""
    ticket_id: str
    ticket_number: str
    sale_id: str
    """The transaction that holds the refund."""
    sale_number: str
    original_id: str
    original_number: str
    account: Account
    counter: Counter
    item_minor: int
    penalty_minor: int
    paid_back: tuple[PaidBack, ...]
    at_ms: int

    @property
    def amount_minor(self) -> int:
        """Return what goes back to the customer."""
        return self.item_minor - self.penalty_minor


class Sale(NamedTuple):
    """One transaction of the platform: a sale, a cancellation or a change."""

    id: str
    number: str
    type: str
    account: Account
    total_minor: int
    counter: Counter
    original_id: str
    payments: tuple[Payment, ...]
    ticket_ids: tuple[str, ...]
    refund_ids: tuple[str, ...]
    """The refunds that it holds and those that give back its tickets."""
    buyer: Person | None
    created_at_ms: int
    updated_at_ms: int


class SaleDocument(NamedTuple):
    """A transaction with its items as they stand: what its events carry and the API answers."""

    sale: Sale
    tickets: tuple[Ticket, ...]
    refunds: tuple[Refund, ...]


class ThinSale(NamedTuple):
    """A transaction of which only the id is told: after a move."""

    sale_id: str


class ManifestStatus(NamedTuple):
    """What is announced of a trip."""

    trip: Trip
    status: str


class Charge(NamedTuple):
    """A payment at Stripe."""

    id: str
    intent_id: str
    balance_id: str
    sale_id: str
    account: Account
    method: str
    amount_minor: int
    fee_minor: int
    refunds: tuple["ChargeRefund", ...]
    is_disputed: bool
    created_s: int

    @property
    def refunded_minor(self) -> int:
        """Return how much of it went back."""
        return sum(refund.amount_minor for refund in self.refunds)


class ChargeRefund(NamedTuple):
    """A refund at Stripe."""

    id: str
    balance_id: str
    charge_id: str
    sale_id: str
    """The cancellation."""
    account: Account
    amount_minor: int
    created_s: int


class Dispute(NamedTuple):
    """A charge that its cardholder contests; Stripe takes the money and a fee at once."""

    id: str
    balance_id: str
    charge_id: str
    sale_id: str
    account: Account
    amount_minor: int
    fee_minor: int
    created_s: int


class Payout(NamedTuple):
    """What Stripe paid to an operator's bank."""

    id: str
    balance_id: str
    account: Account
    amount_minor: int
    created_s: int


class BalanceTransaction(NamedTuple):
    """One movement of an operator's balance at Stripe: amount less fee is net."""

    id: str
    type: str
    source_id: str
    account: Account
    amount_minor: int
    fee_minor: int
    created_s: int
    payout_id: str
    """Empty until it is paid out."""

    @property
    def net_minor(self) -> int:
        """Return what the movement does to the balance."""
        return self.amount_minor - self.fee_minor


class WalletPayment(NamedTuple):
    """A payment at Mercado Pago."""

    id: int
    sale_id: str
    account: Account
    method: str
    amount_minor: int
    fee_minor: int
    refunds: tuple["WalletRefund", ...]
    created_at_ms: int
    approved_at_ms: int
    updated_at_ms: int

    @property
    def refunded_minor(self) -> int:
        """Return how much of it went back."""
        return sum(refund.amount_minor for refund in self.refunds)


class WalletRefund(NamedTuple):
    """A refund at Mercado Pago."""

    id: int
    amount_minor: int
    at_ms: int


class WalletNotice(NamedTuple):
    """A thin notification of Mercado Pago: which payment changed, and nothing of what it is now."""

    payment_id: int
    action: str


Subject: TypeAlias = (
    SaleDocument
    | ThinSale
    | Ticket
    | Refund
    | Shift
    | ManifestStatus
    | Person
    | Charge
    | ChargeRefund
    | Dispute
    | Payout
    | WalletNotice
)
"""What an event speaks of."""


class Event(NamedTuple):
    """Something that a provider tells: which event, when, and of what."""

    provider: str
    type: str
    number: int
    """128 random bits (Betterez, Stripe) or the notification's number (Mercado Pago): the event's identity."""
    at_ms: int
    created_s: int
    """When the provider made the event, in Unix seconds; the platform trails what happened by some seconds."""
    subject: Subject
