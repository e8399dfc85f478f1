"""The company at work: what it can do with a sale, a ticket, a trip or a shift, recorded, booked and told of at once.

Each operation is one happening. It changes the records, enters the books, and tells of itself with the event set that
the platform documents for it. Who does what and when is the season's business, not the company's.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from local.simulator.books import Books
from local.simulator.ids import Ids
from local.simulator.journal import Journal
from local.simulator.moments import DAY_MS, HOUR_MS, MINUTE_MS
from local.simulator.processors import StripeDesk, WalletDesk
from local.simulator.records import (
    Counter,
    ManifestStatus,
    PaidBack,
    Person,
    Refund,
    Sale,
    SaleDocument,
    Shift,
    ThinSale,
    Ticket,
    Trip,
)
from local.simulator.till import GiveBack, Tender, Till
from local.simulator.world import CAPACITY, Account, Agency, Service

_AGENCY_COMMISSION_PERCENT = 12
_NIGHT_CHANGE_PENALTY_PERCENT = 10
"""What a change in the last day before departure costs."""


class Order(NamedTuple):
    """What a customer asks for: seats on one trip, and how they will be paid."""

    trip: Trip
    fare_minor: int
    passengers: tuple[Person, ...]
    buyer: Person | None
    counter: Counter
    tenders: tuple[Tender, ...]


class Company:
    """The records of the company as they stand, and the operations that change them."""

    def __init__(self, rng: Random) -> None:
        """Start before the first sale."""
        self.ids = Ids(rng)
        self.journal = Journal(rng)
        self.books = Books()
        self.stripe = StripeDesk(self.ids, self.journal, self.books)
        self.wallet = WalletDesk(self.ids, self.journal, self.books)
        self.till = Till(rng, self.ids, self.books, self.stripe, self.wallet)
        self.sales: dict[str, Sale] = {}
        self.tickets: dict[str, Ticket] = {}
        self.refunds: dict[str, Refund] = {}
        self.shifts: dict[str, Shift] = {}
        self.open_shifts: dict[str, Shift] = {}
        """The shift that is open at each agency id."""
        self.trips: dict[tuple[str, int], Trip] = {}
        """By service id and start of the local day."""
        self.trip_status: dict[str, str] = {}
        """By manifest id."""
        self.people: dict[str, Person] = {}
        self._taken: dict[str, set[int]] = {}
        """Seats taken, by manifest id."""

    # Shifts and trips

    def open_shift(self, at_ms: int, agency: Agency) -> None:
        """A seller opens the cash drawer."""
        shift = Shift(self.ids.record(at_ms), f"S-{self.ids.human(7)}", agency, at_ms, at_ms, None)
        self.shifts[shift.id] = self.open_shifts[agency.id] = shift
        self.journal.betterez(at_ms, shift, "shift.created")

    def close_shift(self, at_ms: int, agency: Agency) -> None:
        """The seller counts the drawer and closes it."""
        shift = self.open_shifts.pop(agency.id)._replace(updated_at_ms=at_ms, closed_at_ms=at_ms)
        self.shifts[shift.id] = shift
        self.journal.betterez(at_ms, shift, "shift.closed")

    def trip(self, at_ms: int, service: Service, day_start_ms: int) -> Trip:
        """Return the trip of a service on a day, put on sale now if it was not."""
        key = service.id, day_start_ms
        trip = self.trips.get(key)
        if trip is None:
            departs_at_ms = day_start_ms + service.departs_minute * MINUTE_MS
            trip = Trip(self.ids.record(at_ms), service, day_start_ms, departs_at_ms)
            self.trips[key] = trip
            self._taken[trip.manifest_id] = set()
            self.set_trip_status(at_ms, trip, "published")
        return trip

    def set_trip_status(self, at_ms: int, trip: Trip, status: str) -> None:
        """Publish a trip or pause its sale."""
        self.trip_status[trip.manifest_id] = status
        self.journal.betterez(at_ms, ManifestStatus(trip, status), "manifestStatus.updated")

    def free_seats(self, trip: Trip) -> int:
        """Return how many seats can still be sold; none while the trip is paused."""
        if self.trip_status[trip.manifest_id] != "published":
            return 0
        return CAPACITY - len(self._taken[trip.manifest_id])

    # Sales

    def sell(self, at_ms: int, order: Order) -> Sale:
        """Sell seats: tickets are issued, money is taken."""
        account = order.trip.service.route.account
        sale = self._new_sale(at_ms, "sale", account, order.counter, buyer=order.buyer)
        tickets = [self._issue(at_ms, sale, order, person) for person in order.passengers]
        sale = self._with_tickets(at_ms, sale, tickets, order)
        self.books.counts["sales"] += 1
        self.books.counts["sales with several payments"] += len(sale.payments) > 1
        for ticket in tickets:
            self.journal.betterez(at_ms, ticket, "ticket.created")
        self._tell_sale(at_ms, sale, "transaction.completed")
        if order.buyer is not None and order.buyer.id not in self.people:
            self.people[order.buyer.id] = order.buyer
            self.journal.betterez(at_ms, order.buyer, "customer.created")
        return sale

    def issue_more(self, at_ms: int, sale_id: str, order: Order) -> Sale:
        """Issue further tickets under a sale that was made before, and take the money for them."""
        sale = self.sales[sale_id]
        tickets = [self._issue(at_ms, sale, order, person) for person in order.passengers]
        sale = self._with_tickets(at_ms, sale, tickets, order)
        self.books.counts["sales issued over time"] += 1
        for ticket in tickets:
            self.journal.betterez(at_ms, ticket, "ticket.created")
        self._tell_sale(at_ms, sale, "transaction.updated")
        return sale

    # What becomes of tickets

    def touch(self, at_ms: int, ticket_ids: Iterable[str]) -> None:
        """A clerk saves tickets without changing anything that counts: a new version, the same values."""
        for ticket_id in ticket_ids:
            ticket = self._save(self.tickets[ticket_id]._replace(updated_at_ms=at_ms))
            self.journal.betterez(at_ms, ticket, "ticket.updated")

    def cancel(self, at_ms: int, ticket_ids: Sequence[str], counter: Counter, penalty_percent: int) -> Sale:
        """Give tickets of one sale back for money; the company keeps the penalty."""
        before = [self.tickets[ticket_id] for ticket_id in ticket_ids]
        original = self.sales[before[0].sale_id]
        cancellation = self._new_sale(at_ms, "cancellation", original.account, counter, original=original)
        penalties = [ticket.fare_minor * penalty_percent // 100 for ticket in before]
        chain = self._paid_by(original)
        owed = [GiveBack(ticket.fare_minor - penalty, chain) for ticket, penalty in zip(before, penalties, strict=True)]
        lines = self.till.give_back(at_ms, cancellation.id, owed)
        refunds = [
            self._refund(ticket, cancellation, original, penalty, paid_back)
            for ticket, penalty, paid_back in zip(before, penalties, lines, strict=True)
        ]
        self.books.counts["partial cancellations"] += len(before) < len(original.ticket_ids)
        self.books.counts["cancellations"] += 1
        refund_ids = tuple(refund.id for refund in refunds)
        cancellation = cancellation._replace(
            total_minor=-sum(refund.amount_minor for refund in refunds), refund_ids=refund_ids
        )
        self._tell_given_back(at_ms, refunds, cancellation)
        if original.buyer is not None:
            self._tell_buyer(at_ms, original.buyer)
        return cancellation

    def change(self, at_ms: int, ticket_id: str, order: Order) -> Sale:
        """Exchange a ticket for one of another trip; the customer pays the difference, if there is any."""
        before = self.tickets[ticket_id]
        original = self.sales[before.sale_id]
        is_late = before.trip.departs_at_ms - at_ms < DAY_MS
        penalty_minor = before.fare_minor * _NIGHT_CHANGE_PENALTY_PERCENT // 100 if is_late else 0
        change = self._new_sale(
            at_ms, "change", original.account, order.counter, original=original, buyer=original.buyer
        )
        refund = self._refund(before, change, original, penalty_minor, ())
        ticket = self._issue(at_ms, change, order, before.passenger, changed_from=before)
        difference_minor = ticket.fare_minor - refund.amount_minor
        change = change._replace(
            total_minor=difference_minor, ticket_ids=(ticket.id,), refund_ids=(refund.id,), buyer=original.buyer
        )
        if difference_minor:
            payments = self.till.take(at_ms, change, difference_minor, order.tenders[:1])
            change = change._replace(payments=payments)
        self.books.counts["changes"] += 1
        self.books.counts["changes with a price difference"] += difference_minor > 0
        self._tell_given_back(at_ms, [refund], change, ticket)
        return change

    def move(self, at_ms: int, ticket_ids: Sequence[str], trip: Trip) -> None:
        """Carry tickets over to another trip: same tickets, no money. Of the transaction only its id is told."""
        sale_id = self.tickets[ticket_ids[0]].sale_id
        for ticket_id in ticket_ids:
            before = self.tickets[ticket_id]
            self._free_seat(before)
            after = self._save(before._replace(trip=trip, seat=self._take_seat(trip), updated_at_ms=at_ms))
            self.books.ticket_moved(before, after)
            self.journal.betterez(at_ms, after, "ticket.moved")
        self.sales[sale_id] = self.sales[sale_id]._replace(updated_at_ms=at_ms)
        self.books.counts["moves"] += 1
        self.journal.betterez(at_ms, ThinSale(sale_id), "transaction.updated")

    def scan(self, at_ms: int, ticket_id: str) -> None:
        """A passenger boards."""
        before = self.tickets[ticket_id]
        ticket = self._save(before._replace(status="redeemed", boarded_at_ms=at_ms, updated_at_ms=at_ms))
        self.books.counts["boardings"] += 1
        self.journal.betterez(at_ms, ticket, "ticket.scan.created")

    def no_show(self, at_ms: int, ticket_id: str) -> None:
        """A passenger did not come; the fare stays with the company."""
        ticket = self._save(self.tickets[ticket_id]._replace(status="noshow", updated_at_ms=at_ms))
        self.books.counts["no-shows"] += 1
        self.journal.betterez(at_ms, ticket, "ticket.updated")

    # The platform's view

    def document(self, sale_id: str) -> SaleDocument:
        """Return a transaction with its tickets and refunds as they stand."""
        sale = self.sales[sale_id]
        return SaleDocument(
            sale,
            tuple([self.tickets[ticket_id] for ticket_id in sale.ticket_ids]),
            tuple([self.refunds[refund_id] for refund_id in sale.refund_ids]),
        )

    # How the operations are made

    def _new_sale(
        self,
        at_ms: int,
        kind: str,
        account: Account,
        counter: Counter,
        *,
        original: Sale | None = None,
        buyer: Person | None = None,
    ) -> Sale:
        return Sale(
            id=self.ids.record(at_ms),
            number=self.ids.human(8),
            type=kind,
            account=account,
            total_minor=0,
            counter=counter,
            original_id=original.id if original else "",
            payments=(),
            ticket_ids=(),
            refund_ids=(),
            buyer=buyer,
            created_at_ms=at_ms,
            updated_at_ms=at_ms,
        )

    def _issue(
        self, at_ms: int, sale: Sale, order: Order, passenger: Person, *, changed_from: Ticket | None = None
    ) -> Ticket:
        agency = order.counter.agency
        earns_commission = agency is not None and not agency.is_own
        # A ticket is never exchanged for a cheaper one: the difference would have to go back.
        fare_minor = max(order.fare_minor, changed_from.fare_minor if changed_from else 0)
        ticket = Ticket(
            id=self.ids.record(at_ms),
            number=self.ids.human(6),
            sale_id=sale.id,
            sale_number=sale.number,
            account=sale.account,
            status="paid",
            fare_minor=fare_minor,
            commission_minor=fare_minor * _AGENCY_COMMISSION_PERCENT // 100 if earns_commission else 0,
            counter=order.counter,
            trip=order.trip,
            seat=self._take_seat(order.trip),
            passenger=passenger,
            changed_from=changed_from.id if changed_from else None,
            refund_id="",
            created_at_ms=at_ms,
            updated_at_ms=at_ms,
            boarded_at_ms=None,
        )
        self.tickets[ticket.id] = ticket
        self.books.ticket_issued(ticket)
        return ticket

    def _with_tickets(self, at_ms: int, sale: Sale, tickets: Sequence[Ticket], order: Order) -> Sale:
        due_minor = sum(ticket.fare_minor for ticket in tickets)
        payments = self.till.take(at_ms, sale, due_minor, order.tenders)
        sale = sale._replace(
            total_minor=sale.total_minor + due_minor,
            payments=(*sale.payments, *payments),
            ticket_ids=(*sale.ticket_ids, *(ticket.id for ticket in tickets)),
            updated_at_ms=at_ms,
        )
        self.sales[sale.id] = sale
        return sale

    def _refund(
        self, ticket: Ticket, holder: Sale, original: Sale, penalty_minor: int, paid_back: tuple[PaidBack, ...]
    ) -> Refund:
        at_ms = holder.created_at_ms
        refund = Refund(
            id=self.ids.record(at_ms),
            type=holder.type,
            ticket_id=ticket.id,
            ticket_number=ticket.number,
            sale_id=holder.id,
            sale_number=holder.number,
            original_id=original.id,
            original_number=original.number,
            account=original.account,
            counter=holder.counter,
            item_minor=ticket.fare_minor,
            penalty_minor=penalty_minor,
            paid_back=paid_back,
            at_ms=at_ms,
        )
        self.refunds[refund.id] = refund
        self._free_seat(ticket)
        status = "changed" if holder.type == "change" else "cancelled"
        self._save(ticket._replace(status=status, refund_id=refund.id, updated_at_ms=at_ms))
        self.books.ticket_given_back(ticket, refund)
        original = self.sales[original.id]
        self.sales[original.id] = original._replace(refund_ids=(*original.refund_ids, refund.id), updated_at_ms=at_ms)
        return refund

    def _tell_given_back(
        self, at_ms: int, refunds: Sequence[Refund], holder: Sale, new_ticket: Ticket | None = None
    ) -> None:
        """Tell of a cancellation or change in the documented set: tickets, original, refunds, then what holds them."""
        self.sales[holder.id] = holder
        for refund in refunds:
            self.journal.betterez(at_ms, self.tickets[refund.ticket_id], "ticket.updated")
        self._tell_sale(at_ms, self.sales[refunds[0].original_id], "transaction.updated")
        for refund in refunds:
            self.journal.betterez(at_ms, refund, "refund.created")
        if new_ticket is not None:
            self.journal.betterez(at_ms, new_ticket, "ticket.created")
        self._tell_sale(at_ms, holder, "transaction.completed")

    def _tell_sale(self, at_ms: int, sale: Sale, event_type: str) -> None:
        self.journal.betterez(at_ms, self.document(sale.id), event_type)

    def _tell_buyer(self, at_ms: int, buyer: Person) -> None:
        person = self.people[buyer.id]._replace(updated_at_ms=at_ms)
        self.people[buyer.id] = person
        self.journal.betterez(at_ms, person, "customer.updated")

    def _save(self, ticket: Ticket) -> Ticket:
        self.tickets[ticket.id] = ticket
        return ticket

    def _paid_by(self, sale: Sale) -> tuple[Sale, ...]:
        """Return the sales whose payments stand behind a sale's tickets: itself, and what it was changed from."""
        chain = [sale]
        while chain[-1].type == "change":
            chain.append(self.sales[chain[-1].original_id])
        return tuple(chain)

    def _take_seat(self, trip: Trip) -> int:
        taken = self._taken[trip.manifest_id]
        # The platform fills a coach from the front; seat 13 is sold like any other.
        seat = next((seat for seat in range(1, CAPACITY + 1) if seat not in taken), None)
        if seat is None:
            raise ValueError(f"trip {trip.manifest_id} is full; ask for free seats before selling one")
        taken.add(seat)
        return seat

    def _free_seat(self, ticket: Ticket) -> None:
        self._taken[ticket.trip.manifest_id].discard(ticket.seat)


def penalty_percent(left_ms: int) -> int:
    """Return what Argentine operators keep when a ticket is given back this long before departure.

    Source: the retention rule in PROVIDERS: 10 % earlier than 48 hours before, 20 % to 24 hours, 30 % after that.
    Raises ValueError in the last hour, when none is taken back.
    """
    if left_ms < HOUR_MS:
        raise ValueError("no ticket is taken back in the last hour before departure")
    if left_ms > 48 * HOUR_MS:
        return 10
    return 20 if left_ms >= 24 * HOUR_MS else 30
