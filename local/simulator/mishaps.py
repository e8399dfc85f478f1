"""What is wrong in the platform's own records, on purpose: seats sold twice, passengers nobody sold a ticket to, cents off.

The events tell of none of it: it stands in what the API answers. Which trips, tickets and shifts are hit is drawn from one
seed, each at most once, so that what must be found is known exactly.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from local.simulator.company import Company
from local.simulator.ids import Ids
from local.simulator.records import Ticket
from local.simulator.world import CAPACITY

_GIVEN_BACK = ("cancelled", "changed")
_CROWDED_BY = 1


@dataclass(slots=True)
class Mishaps:
    """What the API answers otherwise than it was. Nothing at all by default."""

    seats: dict[str, int] = field(default_factory=dict)
    """By ticket id the seat that its manifest gives it, which is another's."""
    strangers: dict[str, Ticket] = field(default_factory=dict)
    """By manifest id a passenger whose ticket no transaction holds."""
    left_out: set[str] = field(default_factory=set)
    """Ids of paid tickets that no manifest lists."""
    capacities: dict[str, int] = field(default_factory=dict)
    """By manifest id the seats of a vehicle that is too small."""
    cents_off: dict[str, int] = field(default_factory=dict)
    """By shift id what its summary has too much of in payments, in centavos."""

    @classmethod
    def plan(cls, company: Company, seed: int, *, of_each: int = 1) -> "Mishaps":
        """Draw so many of each kind. Raises ValueError where the season is too small for them."""
        rng = Random(f"asiento mishaps {seed}")  # noqa: S311  a seed is the point; nothing here is a secret
        mishaps = cls()
        trips = sorted(_travellers(company.tickets.values()).items())
        busy = [tickets for _, tickets in trips if len(tickets) > 1]
        chosen = rng.sample(busy, 4 * of_each)
        for double, crowded, strange, leaving in zip(*[iter(chosen)] * 4, strict=True):
            mishaps.seats[double[0].id] = double[1].seat
            mishaps.capacities[crowded[0].trip.manifest_id] = len(crowded) - _CROWDED_BY
            mishaps.strangers[strange[0].trip.manifest_id] = _stranger(Ids(rng), strange)
            mishaps.left_out.add(leaving[0].id)
        closed = sorted(shift.id for shift in company.shifts.values() if shift.closed_at_ms is not None)
        mishaps.cents_off = dict.fromkeys(rng.sample(closed, of_each), 1)
        return mishaps

    def clear(self) -> None:
        """Put everything in order."""
        for kind in (self.seats, self.strangers, self.left_out, self.capacities, self.cents_off):
            kind.clear()

    def seat_of(self, ticket: Ticket) -> Ticket:
        """Return a ticket as its manifest lists it."""
        return ticket._replace(seat=self.seats.get(ticket.id, ticket.seat))

    def listed(self, manifest_id: str, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Return who is listed on a manifest instead of those who should be."""
        stranger = self.strangers.get(manifest_id)
        rightful = [self.seat_of(ticket) for ticket in tickets if ticket.id not in self.left_out]
        return rightful if stranger is None else [*rightful, stranger]

    def capacity(self, manifest_id: str) -> int:
        """Return the seats of the vehicle that runs a trip."""
        return self.capacities.get(manifest_id, CAPACITY)


def _travellers(tickets: Iterable[Ticket]) -> dict[str, list[Ticket]]:
    """Return the tickets that were not given back, by manifest id."""
    trips: dict[str, list[Ticket]] = {}
    for ticket in tickets:
        if ticket.status not in _GIVEN_BACK:
            trips.setdefault(ticket.trip.manifest_id, []).append(ticket)
    return trips


def _stranger(ids: Ids, aboard: list[Ticket]) -> Ticket:
    """Return a passenger on a free seat beside these, of a transaction that there is not."""
    taken = {ticket.seat for ticket in aboard}
    free = next(seat for seat in range(1, CAPACITY + 1) if seat not in taken)
    at_ms = aboard[0].created_at_ms
    return aboard[0]._replace(
        id=ids.record(at_ms),
        sale_id=ids.record(at_ms),
        number=ids.human(6),
        seat=free,
        status="paid",
        refund_id="",
        changed_from=None,
    )
