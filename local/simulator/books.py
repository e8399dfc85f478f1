"""The company's own books, kept as things happen and never from the events that tell of them.

They are what the demonstration compares Asiento's ledger and certified figures with, to the cent. Amounts are centavos;
days and months are those of Argentina.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import date

from local.simulator.moments import day_of, month_of
from local.simulator.records import Payment, Refund, Ticket
from local.simulator.world import CURRENCY, Account


@dataclass(slots=True)
class Figures:
    """What a month comes to for one currency and business unit."""

    tickets_issued: int = 0
    tickets_issued_minor: int = 0
    """Fares of the tickets issued in the month; a change issues a ticket, a move does not."""
    cash_refunds: int = 0
    cash_refund_item_minor: int = 0
    cash_refund_penalty_minor: int = 0
    cash_refund_amount_minor: int = 0
    exchange_refunds: int = 0
    exchange_refund_item_minor: int = 0
    exchange_refund_penalty_minor: int = 0
    exchange_refund_amount_minor: int = 0
    payments_captured: int = 0
    payments_captured_minor: int = 0
    """Payments of the platform, by the day on which they were made."""
    tickets_earned: int = 0
    tickets_earned_minor: int = 0
    """Fares of tickets that in the end were neither refunded nor exchanged, by the day of departure."""
    processor_payments: int = 0
    processor_captured_minor: int = 0
    """Payments at Stripe and Mercado Pago, by their own dates."""
    processor_refunded_minor: int = 0


@dataclass(slots=True)
class CountAndAmount:
    """How many, and how much in centavos."""

    count: int = 0
    amount_minor: int = 0

    def add(self, amount_minor: int) -> None:
        """Enter one more."""
        self.count += 1
        self.amount_minor += amount_minor

    def take_back(self, amount_minor: int) -> None:
        """Take one out."""
        self.count -= 1
        self.amount_minor -= amount_minor


@dataclass(slots=True)
class Books:
    """The books of one season."""

    months: dict[tuple[str, str, str], Figures] = field(default_factory=dict)
    """By month `YYYY-MM`, currency and business unit id."""
    payments: dict[tuple[date, str, str, str], CountAndAmount] = field(default_factory=dict)
    """Payments of the platform by day, business unit id, processor and method (the platform's words)."""
    issued: dict[tuple[date, str], CountAndAmount] = field(default_factory=dict)
    """Tickets issued by day of issue and route id."""
    earned: dict[tuple[date, str], CountAndAmount] = field(default_factory=dict)
    """Tickets earned by day of departure and route id."""
    counts: Counter[str] = field(default_factory=Counter)
    """How often each kind of thing happened: what the audit of the generator looks at."""

    def ticket_issued(self, ticket: Ticket) -> None:
        """Enter a new ticket: issued today, to be earned when its coach leaves."""
        figures = self._month(ticket.created_at_ms, ticket.account)
        figures.tickets_issued += 1
        figures.tickets_issued_minor += ticket.fare_minor
        key = day_of(ticket.created_at_ms), ticket.trip.service.route.id
        self.issued.setdefault(key, CountAndAmount()).add(ticket.fare_minor)
        self._expect(ticket)

    def ticket_moved(self, before: Ticket, after: Ticket) -> None:
        """Earn the fare on the new trip instead of the old one."""
        self._no_longer_expect(before)
        self._expect(after)

    def ticket_given_back(self, ticket: Ticket, refund: Refund) -> None:
        """Enter a refund, in cash or in exchange for another ticket."""
        self._no_longer_expect(ticket)
        figures = self._month(refund.at_ms, refund.account)
        if refund.type == "change":
            figures.exchange_refunds += 1
            figures.exchange_refund_item_minor += refund.item_minor
            figures.exchange_refund_penalty_minor += refund.penalty_minor
            figures.exchange_refund_amount_minor += refund.amount_minor
        else:
            figures.cash_refunds += 1
            figures.cash_refund_item_minor += refund.item_minor
            figures.cash_refund_penalty_minor += refund.penalty_minor
            figures.cash_refund_amount_minor += refund.amount_minor

    def paid(self, account: Account, payment: Payment) -> None:
        """Enter a payment of the platform."""
        figures = self._month(payment.paid_at_ms, account)
        figures.payments_captured += 1
        figures.payments_captured_minor += payment.amount_minor
        key = day_of(payment.paid_at_ms), account.id, payment.processor, payment.method
        self.payments.setdefault(key, CountAndAmount()).add(payment.amount_minor)

    def processor_captured(self, account: Account, amount_minor: int, at_ms: int) -> None:
        """Enter a payment at a processor."""
        figures = self._month(at_ms, account)
        figures.processor_payments += 1
        figures.processor_captured_minor += amount_minor

    def processor_refunded(self, account: Account, amount_minor: int, at_ms: int) -> None:
        """Enter money that a processor gave back."""
        self._month(at_ms, account).processor_refunded_minor += amount_minor

    def totals(self) -> dict[str, int]:
        """Return every figure summed over months, currencies and business units."""
        totals = Counter[str](dict.fromkeys(asdict(Figures()), 0))
        for figures in self.months.values():
            totals.update(asdict(figures))
        return dict(totals)

    def _month(self, at_ms: int, account: Account) -> Figures:
        return self.months.setdefault((month_of(at_ms), CURRENCY, account.id), Figures())

    def _expect(self, ticket: Ticket) -> None:
        figures = self._month(ticket.trip.departs_at_ms, ticket.account)
        figures.tickets_earned += 1
        figures.tickets_earned_minor += ticket.fare_minor
        key = day_of(ticket.trip.departs_at_ms), ticket.trip.service.route.id
        self.earned.setdefault(key, CountAndAmount()).add(ticket.fare_minor)

    def _no_longer_expect(self, ticket: Ticket) -> None:
        figures = self._month(ticket.trip.departs_at_ms, ticket.account)
        figures.tickets_earned -= 1
        figures.tickets_earned_minor -= ticket.fare_minor
        key = day_of(ticket.trip.departs_at_ms), ticket.trip.service.route.id
        self.earned[key].take_back(ticket.fare_minor)
