"""A season: who buys, cancels, changes and travels, drawn from one seed; the world stops at the end of its last day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from random import Random

from local.simulator.agenda import Agenda
from local.simulator.books import Books
from local.simulator.company import Company, Order, penalty_percent
from local.simulator.deliveries import Emission, emission_of
from local.simulator.demand import day_weight
from local.simulator.journal import MERCADO_PAGO, STRIPE
from local.simulator.moments import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, day_of, day_start_ms
from local.simulator.people import People
from local.simulator.records import Counter, Event, Sale, Ticket, Trip
from local.simulator.till import CASH, IN_PERSON, Tender
from local.simulator.world import ACCOUNTS, Agency, Route, Service, World

FIRST_DAY = date(2026, 1, 1)
LAST_DAY = date(2026, 3, 31)

TIE_SHARE = 0.03
"""Of the sales, how many have two different events of one object with the same `updatedAt`."""
COUNTER_SHARE = 0.55
CANCEL_ALL_SHARE, CANCEL_ONE_SHARE, CHANGE_SHARE, MOVE_SHARE = 0.055, 0.03, 0.03, 0.015
OVER_TIME_SHARE = 0.07
"""Of the counter sales of several tickets, how many issue the last one later."""
NO_SHOW_SHARE = 0.05
DISPUTE_SHARE = 0.004
PAUSE_SHARE = 0.03

_PARTY_SIZES = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4)
_TICKETS_A_SALE = 1.7
_CARD_METHODS = ("debit", "credit", "credit")
_COUNTER_TENDERS = (
    ((Tender(IN_PERSON, CASH),),) * 9
    + ((Tender(IN_PERSON, "debit"),),) * 5
    + ((Tender(IN_PERSON, "credit"),),) * 4
    + ((Tender(IN_PERSON, CASH), Tender(IN_PERSON, "debit")), (Tender(IN_PERSON, CASH), Tender(IN_PERSON, "credit")))
)
_WEB = Counter("websales", None)
_CALL_CENTRE = Counter("callcenter", None)
_FIRST_SALE_MS = 3 * MINUTE_MS
"""No sale in the first minutes of the first day: its payment would be dated to the day before."""
_SALE_BEFORE_DEPARTURE_MS = 10 * MINUTE_MS
_VOID_AFTER_MS = 350


@dataclass(frozen=True, slots=True)
class Season:
    """A season that has happened: its events in order, the company's records as they stand, and its books."""

    seed: int
    first_day: date
    last_day: date
    world: World
    company: Company

    @classmethod
    def generate(cls, seed: int, sales: int, first_day: date = FIRST_DAY, last_day: date = LAST_DAY) -> "Season":
        """Live through a season of so many sales. The same arguments give the same season, to the byte."""
        rng = Random(f"asiento season {seed}")  # noqa: S311  a seed is the point; nothing here is a secret
        days = (last_day - first_day).days + 1
        world = World.build(rng, tickets=int(sales * _TICKETS_A_SALE), days=days)
        company = Company(rng)
        _Course(rng, world, company, first_day, last_day).run(sales)
        return cls(seed, first_day, last_day, world, company)

    @property
    def events(self) -> list[Event]:
        """Return what the providers tell, in the order in which it happened."""
        return self.company.journal.events

    @property
    def books(self) -> Books:
        """Return the company's own books."""
        return self.company.books

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self.company.journal.events)

    def emission(self, index: int) -> Emission:
        """Return the event at a position as the provider sends it."""
        return emission_of(self.company.journal.events[index])

    def emissions(self) -> Iterator[Emission]:
        """Yield every event as its provider sends it, in order, each written when it is asked for."""
        return map(emission_of, self.company.journal.events)


class _Course:
    """One season in progress: draws what happens and enters it in the agenda."""

    def __init__(self, rng: Random, world: World, company: Company, first_day: date, last_day: date) -> None:
        self._rng = rng
        self._world = world
        self._company = company
        self._agenda = Agenda()
        self._people = People(rng, company.ids)
        self._days = [first_day + timedelta(days=offset) for offset in range((last_day - first_day).days + 1)]
        self._start_ms = day_start_ms(first_day)
        self._end_ms = day_start_ms(last_day + timedelta(days=1))
        self._route_weights = list(accumulate(world.route_weights))
        self._counters: dict[str, list[Agency]] = {}
        for agency in world.agencies:
            self._counters.setdefault(agency.account.id, []).append(agency)

    def run(self, sales: int) -> None:
        """Enter shifts, payouts and sales; then let everything happen until the end of the last day."""
        for day in self._days:
            self._enter_shifts(day_start_ms(day))
            if day.weekday() == 0:
                for account in ACCOUNTS:
                    self._agenda.enter(day_start_ms(day) + 10 * HOUR_MS, self._company.stripe.pay_out, account)
        weights = list(accumulate(day_weight(day) for day in self._days))
        for day in self._rng.choices(self._days, cum_weights=weights, k=sales):
            moment = self._rng.triangular(0, DAY_MS, 15 * HOUR_MS) // 1
            at_ms = max(day_start_ms(day) + int(moment), self._start_ms + _FIRST_SALE_MS)
            self._agenda.enter(min(at_ms, self._end_ms - 1), self._sell)
        self._agenda.run(self._end_ms)

    # Shifts

    def _enter_shifts(self, midnight_ms: int) -> None:
        for agency in self._world.agencies:
            shifts = [(6, 14), (14, 22), (22, 30)] if agency.works_nights else [(7, 14), (14, 21)]
            for opens, closes in shifts:
                late_ms = self._rng.randrange(20 * SECOND_MS)
                self._agenda.enter(midnight_ms + opens * HOUR_MS + late_ms, self._company.open_shift, agency)
                self._agenda.enter(midnight_ms + closes * HOUR_MS - late_ms - 1, self._company.close_shift, agency)

    # Sales

    def _sell(self, at_ms: int) -> None:
        route = self._rng.choices(self._world.routes, cum_weights=self._route_weights)[0]
        counter = self._counter_for(route)
        if (
            counter.shift is not None
            and self._rng.random() < TIE_SHARE
            and self._sell_at_the_door(at_ms, route, counter)
        ):
            return
        order = self._order(at_ms, self._trip(at_ms, route, self._rng.choice(_PARTY_SIZES)), counter)
        if counter.shift is not None and len(order.passengers) > 1 and self._rng.random() < OVER_TIME_SHARE:
            sale = self._sell_over_time(at_ms, order)
        else:
            sale = self._company.sell(at_ms, order)
        if counter.shift is None and self._rng.random() < TIE_SHARE and self._void_at_once(at_ms, sale):
            return
        self._plan(at_ms, sale, order.trip)

    def _sell_over_time(self, at_ms: int, order: Order) -> Sale:
        """Sell all seats but the last, which follows under the same transaction within the hour."""
        sale = self._company.sell(at_ms, order._replace(passengers=order.passengers[:-1]))
        later = order._replace(passengers=order.passengers[-1:])
        self._agenda.enter(at_ms + self._rng.randrange(MINUTE_MS, HOUR_MS), self._issue_more, sale.id, later)
        return sale

    def _issue_more(self, at_ms: int, sale_id: str, order: Order) -> None:
        is_too_late = order.trip.departs_at_ms - at_ms < _SALE_BEFORE_DEPARTURE_MS
        if is_too_late or not self._company.free_seats(order.trip):
            return
        sale = self._company.issue_more(at_ms, sale_id, order)
        self._travel(at_ms, order.trip, sale.ticket_ids[-1:])

    def _sell_at_the_door(self, at_ms: int, route: Route, counter: Counter) -> bool:
        """Sell and scan in one go beside the coach: ticket.created and ticket.scan.created have one `updatedAt`."""
        soonest = min(
            (self._departure(at_ms, service) for service in self._world.services[route.id] if service.has_scanner),
            default=(self._end_ms, None),
            key=lambda departure: departure[0],
        )
        departs_at_ms, service = soonest
        if service is None or departs_at_ms - at_ms > 6 * HOUR_MS:
            return False
        trip = self._company.trip(at_ms, service, day_start_ms(day_of(departs_at_ms)))
        if not self._company.free_seats(trip):
            return False
        sale = self._company.sell(at_ms, self._order(at_ms, (trip, 1), counter))
        self._company.scan(at_ms, sale.ticket_ids[0])
        self._company.books.counts["ties"] += 1
        return True

    def _void_at_once(self, at_ms: int, sale: Sale) -> bool:
        """Take a mistaken web sale back within the second: at Stripe, charge and refund have one `created`."""
        within_the_second_ms = SECOND_MS - at_ms % SECOND_MS
        if within_the_second_ms <= _VOID_AFTER_MS or sale.payments[0].processor != STRIPE:
            return False
        self._company.cancel(at_ms + _VOID_AFTER_MS, sale.ticket_ids, _WEB, 0)
        self._company.books.counts["ties"] += 1
        return True

    def _counter_for(self, route: Route) -> Counter:
        if self._rng.random() > COUNTER_SHARE:
            return _WEB
        agency = self._rng.choice(self._counters[route.account.id])
        return self._at(agency, otherwise=_WEB)

    def _at(self, agency: Agency | None, *, otherwise: Counter) -> Counter:
        shift = self._company.open_shifts.get(agency.id) if agency else None
        if shift is None:
            return otherwise
        return Counter("backoffice" if shift.agency.is_own else "agency-backoffice", shift)

    def _order(self, at_ms: int, wanted: tuple[Trip, int], counter: Counter) -> Order:
        trip, seats = wanted
        buyer = self._people.buyer(at_ms) if counter is _WEB else None
        passengers = self._people.passengers(at_ms, seats, buyer)
        return Order(trip, self._fare(trip), passengers, buyer, counter, self._tenders(counter))

    def _tenders(self, counter: Counter) -> tuple[Tender, ...]:
        if counter.shift is not None:
            return self._rng.choice(_COUNTER_TENDERS)
        return (Tender(self._rng.choice((STRIPE, MERCADO_PAGO)), self._rng.choice(_CARD_METHODS)),)

    @staticmethod
    def _fare(trip: Trip) -> int:
        """Return the fare of a trip in centavos: dearer on the days when everybody travels."""
        busy_percent = min(day_weight(day_of(trip.departs_at_ms)) // 300, 100)
        base_minor = trip.service.route.base_fare_minor
        return base_minor * (100 + busy_percent) // 100

    # Trips

    def _trip(self, at_ms: int, route: Route, seats: int) -> tuple[Trip, int]:
        """Return a trip with room for the party; people who find a coach full look at another day."""
        services = self._world.services[route.id]
        for days_ahead in range(400):
            ahead = self._days_ahead(at_ms) + days_ahead
            service = self._rng.choice(services)
            trip = self._trip_on(at_ms, service, ahead)
            if trip is not None and self._company.free_seats(trip) >= seats:
                return trip, seats
        raise ValueError(f"no seat on {route.origin.name}-{route.destination.name}; the timetable is too small")

    def _days_ahead(self, at_ms: int) -> int:
        """Return how far ahead somebody books: of two days that would do, the one on which everybody wants to go."""
        today = day_of(at_ms)
        two_days = [min(int(self._rng.expovariate(0.12)), 45) for _ in range(2)]
        return max(two_days, key=lambda ahead: day_weight(today + timedelta(days=ahead)))

    def _trip_on(self, at_ms: int, service: Service, days_ahead: int) -> Trip | None:
        start_ms = day_start_ms(day_of(at_ms)) + days_ahead * DAY_MS
        if start_ms + service.departs_minute * MINUTE_MS - at_ms < _SALE_BEFORE_DEPARTURE_MS:
            return None
        is_new = (service.id, start_ms) not in self._company.trips
        trip = self._company.trip(at_ms, service, start_ms)
        if is_new and self._rng.random() < PAUSE_SHARE:
            self._plan_pause(at_ms, trip)
        return trip

    def _plan_pause(self, at_ms: int, trip: Trip) -> None:
        paused_at_ms = self._rng.randrange(at_ms + MINUTE_MS, trip.departs_at_ms)
        resumed_at_ms = paused_at_ms + self._rng.randrange(5 * MINUTE_MS, 3 * HOUR_MS)
        self._agenda.enter(paused_at_ms, self._company.set_trip_status, trip, "paused")
        self._agenda.enter(resumed_at_ms, self._company.set_trip_status, trip, "published")

    @staticmethod
    def _departure(at_ms: int, service: Service) -> tuple[int, Service]:
        departs_at_ms = day_start_ms(day_of(at_ms)) + service.departs_minute * MINUTE_MS
        return departs_at_ms + (DAY_MS if departs_at_ms <= at_ms + MINUTE_MS else 0), service

    # What becomes of a sale

    def _plan(self, at_ms: int, sale: Sale, trip: Trip) -> None:
        """Decide what will become of a sale that was just made, and enter it; whoever does nothing else travels."""
        self._travel(at_ms, trip, sale.ticket_ids)
        self._plan_dispute(at_ms, sale)
        last_ms = trip.departs_at_ms - HOUR_MS - MINUTE_MS
        if at_ms + 2 * HOUR_MS >= last_ms:
            return
        when_ms = self._rng.randrange(at_ms + 2 * HOUR_MS, last_ms)
        fate = self._rng.random()
        for share, act, ticket_ids in (
            (CANCEL_ALL_SHARE, self._cancel, None),
            (CANCEL_ONE_SHARE, self._cancel, sale.ticket_ids[:1]),
            (CHANGE_SHARE, self._change, sale.ticket_ids[-1:]),
            (MOVE_SHARE, self._move, sale.ticket_ids),
        ):
            if fate < share:
                self._agenda.enter(when_ms, act, sale.id, ticket_ids)
                return
            fate -= share

    def _plan_dispute(self, at_ms: int, sale: Sale) -> None:
        for payment in sale.payments:
            if payment.processor == STRIPE and self._rng.random() < DISPUTE_SHARE:
                after_ms = self._rng.randrange(3 * DAY_MS, 20 * DAY_MS)
                self._agenda.enter(at_ms + after_ms, self._dispute, payment.reference)

    def _dispute(self, at_ms: int, charge_id: str) -> None:
        if not self._company.stripe.charges[charge_id].refunds:
            self._company.stripe.dispute(at_ms, charge_id)

    def _cancel(self, at_ms: int, sale_id: str, ticket_ids: tuple[str, ...] | None) -> None:
        sale = self._company.sales[sale_id]
        tickets = self._still_open(at_ms, ticket_ids or sale.ticket_ids)
        if not tickets:
            return
        open_ids = [ticket.id for ticket in tickets]
        if self._rng.random() < TIE_SHARE:
            self._company.touch(at_ms, open_ids)
            self._company.books.counts["ties"] += 1
        counter = sale.counter if sale.counter is _WEB else self._at(sale.counter.agency, otherwise=_CALL_CENTRE)
        left_ms = min(ticket.trip.departs_at_ms for ticket in tickets) - at_ms
        self._company.cancel(at_ms, open_ids, counter, penalty_percent(left_ms))

    def _change(self, at_ms: int, sale_id: str, ticket_ids: tuple[str, ...] | None) -> None:
        sale = self._company.sales[sale_id]
        for ticket in self._still_open(at_ms, ticket_ids or sale.ticket_ids):
            trip, _ = self._trip(at_ms, ticket.trip.service.route, 1)
            counter = sale.counter if sale.counter is _WEB else self._at(sale.counter.agency, otherwise=_CALL_CENTRE)
            order = Order(trip, self._fare(trip), (), None, counter, self._tenders(counter))
            change = self._company.change(at_ms, ticket.id, order)
            self._plan(at_ms, change, trip)

    def _move(self, at_ms: int, sale_id: str, ticket_ids: tuple[str, ...] | None) -> None:
        tickets = self._still_open(at_ms, ticket_ids or self._company.sales[sale_id].ticket_ids)
        if not tickets:
            return
        trip, _ = self._trip(at_ms, tickets[0].trip.service.route, len(tickets))
        moved = tuple(ticket.id for ticket in tickets)
        self._company.move(at_ms, moved, trip)
        self._travel(at_ms, trip, moved)

    def _still_open(self, at_ms: int, ticket_ids: tuple[str, ...]) -> list[Ticket]:
        """Return those of the tickets that can still be given back: paid, and more than an hour before departure."""
        tickets = [self._company.tickets[ticket_id] for ticket_id in ticket_ids]
        return [
            ticket for ticket in tickets if ticket.status == "paid" and ticket.trip.departs_at_ms - at_ms >= HOUR_MS
        ]

    # Boarding

    def _travel(self, at_ms: int, trip: Trip, ticket_ids: tuple[str, ...]) -> None:
        if not trip.service.has_scanner:
            return
        for ticket_id in ticket_ids:
            if self._rng.random() < NO_SHOW_SHARE:
                late_ms = self._rng.randrange(10 * MINUTE_MS, 40 * MINUTE_MS)
                self._agenda.enter(trip.departs_at_ms + late_ms, self._stay_away, trip, ticket_id)
            else:
                early_ms = self._rng.randrange(2 * MINUTE_MS, 30 * MINUTE_MS)
                boards_at_ms = max(trip.departs_at_ms - early_ms, at_ms + MINUTE_MS)
                self._agenda.enter(boards_at_ms, self._board, trip, ticket_id)

    def _board(self, at_ms: int, trip: Trip, ticket_id: str) -> None:
        if self._travels(trip, ticket_id):
            self._company.scan(at_ms, ticket_id)

    def _stay_away(self, at_ms: int, trip: Trip, ticket_id: str) -> None:
        if self._travels(trip, ticket_id):
            self._company.no_show(at_ms, ticket_id)

    def _travels(self, trip: Trip, ticket_id: str) -> bool:
        """Return whether a ticket still stands for this trip."""
        ticket = self._company.tickets[ticket_id]
        return ticket.status == "paid" and ticket.trip is trip
