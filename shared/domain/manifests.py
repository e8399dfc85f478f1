"""Manifests: who is listed to travel on a trip, held against the live tickets that the ledger has for it.

manifest of a trip ── seats ──┐             a seat given to two who ride at one time
                              ├─ compared ─▶ somebody listed without a live ticket
ledger: tickets of the day ───┘             a live ticket without a seat
                                            more passengers at one time than the vehicle has seats
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from shared.domain.facts import EntityKey
from shared.domain.money import Money
from shared.domain.reconciliation import Claim, DifferenceType, Mismatch, money_if_known

HOLDS_SEAT = frozenset({"open", "boarded", "no_show"})
"""Statuses of a ticket that was not given back: its seat is its own, whether its passenger came or not."""


class Seat(NamedTuple):
    """One passenger's place as one side tells it, without the passenger. Where the ride ends is None if it is not told."""

    claim: Claim
    """What is said of the ticket."""
    seat: str
    """Empty where none is given."""
    origin: str
    destination: str
    departs_at_ms: int | None
    arrives_at_ms: int | None

    @property
    def key(self) -> EntityKey:
        """Return the ticket."""
        return self.claim.key

    @property
    def is_held(self) -> bool:
        """Return whether the ticket was not given back, as this side tells it."""
        return self.claim.status in HOLDS_SEAT

    @property
    def fare(self) -> Money | None:
        """Return what the passenger paid for it, if it is known."""
        return money_if_known(self.claim.currency, self.claim.amount_minor)

    def rides_with(self, other: "Seat") -> bool:
        """Return whether two passengers are on board at one time.

        One who gets off where, or no later than, the other gets on is not. What is not told of a ride is taken for the whole
        of the trip.
        """
        return not (_ends_before(self, other) or _ends_before(other, self))


def _ends_before(first: Seat, second: Seat) -> bool:
    if first.destination and first.destination == second.origin:
        return True
    if first.arrives_at_ms is None or second.departs_at_ms is None:
        return False
    return first.arrives_at_ms <= second.departs_at_ms


class Trip(NamedTuple):
    """One trip: its manifest, what names it, and how many its vehicle seats, if that is known."""

    manifest: EntityKey | None
    """None where the provider lists no manifest for it."""
    travel_day: str
    route_id: str
    service_id: str
    capacity: int | None


class SeatFindingKind(StrEnum):
    """What can be wrong with the seats of a trip."""

    DOUBLE_SOLD = "double_sold_seat"
    NO_TICKET = "passenger_without_ticket"
    NO_SEAT = "ticket_without_seat"
    OVER_CAPACITY = "over_capacity"


@dataclass(frozen=True, slots=True)
class SeatFinding:
    """One thing that is wrong with the seats of one trip."""

    kind: SeatFindingKind
    trip: Trip
    tickets: tuple[EntityKey, ...]
    """Those concerned, by key; of too many passengers those who make it too many at the worst time."""
    seat: str = ""
    passengers: int = 0
    """How many ride at the worst time, where that is what is wrong."""
    at_risk: Money | None = None
    mismatch: Mismatch | None = None
    """Where both sides tell otherwise of one ticket: what each says. Fetching may mend it."""

    @property
    def subject(self) -> str:
        """Return what is wrong in one line: the ticket, the trip, or one seat of it."""
        if self.mismatch is not None:
            return str(self.mismatch.key)
        return f"{self.trip.manifest} seat {self.seat}" if self.seat else str(self.trip.manifest)


def seat_findings(trip: Trip, listed: Sequence[Seat], tickets: Mapping[EntityKey, Seat]) -> Iterator[SeatFinding]:
    """Yield what is wrong with the seats of one trip, as its manifest lists them.

    `tickets` holds what the ledger knows of everybody who is listed. Whoever has no live ticket there is a finding of its
    own and takes no part in the others. Listed tickets whose status is not told are left out: they cannot be judged.
    """
    held = sorted((seat for seat in listed if seat.is_held), key=lambda seat: seat.key)
    known = [seat for seat in held if seat.key in tickets and tickets[seat.key].is_held]
    for seat in held:
        if seat not in known:
            ours = tickets.get(seat.key)
            mismatch = Mismatch(DifferenceType.NO_LIVE_TICKET, seat.claim, ours.claim if ours else None)
            yield SeatFinding(
                SeatFindingKind.NO_TICKET, trip, (seat.key,), seat.seat, at_risk=seat.fare, mismatch=mismatch
            )
    yield from _without_seats(trip, known)
    yield from _double_sold(trip, known)
    yield from _over_capacity(trip, known)


def ticket_without_seat(trip: Trip, ticket: Seat, listed: Claim | None) -> SeatFinding:
    """Return the finding of a live ticket of the ledger to which its trip gives no seat; `listed` is what it says of it."""
    mismatch = Mismatch(DifferenceType.NO_SEAT, listed, ticket.claim)
    return SeatFinding(SeatFindingKind.NO_SEAT, trip, (ticket.key,), at_risk=ticket.fare, mismatch=mismatch)


def _without_seats(trip: Trip, held: Sequence[Seat]) -> Iterator[SeatFinding]:
    """Yield who is listed without a seat on a trip that numbers its seats; where none is numbered, all sit where they like."""
    if any(seat.seat for seat in held):
        yield from (ticket_without_seat(trip, seat, seat.claim) for seat in held if not seat.seat)


def _double_sold(trip: Trip, held: Sequence[Seat]) -> Iterator[SeatFinding]:
    by_seat: dict[str, list[Seat]] = {}
    for seat in held:
        if seat.seat:
            by_seat.setdefault(seat.seat, []).append(seat)
    for name, claimants in sorted(by_seat.items()):
        clashing = [
            seat for seat in claimants if any(seat.rides_with(other) for other in claimants if other is not seat)
        ]
        if clashing:
            keys = tuple(seat.key for seat in clashing)
            yield SeatFinding(
                SeatFindingKind.DOUBLE_SOLD, trip, keys, name, at_risk=_dearest(clashing, len(clashing) - 1)
            )


def _over_capacity(trip: Trip, held: Sequence[Seat]) -> Iterator[SeatFinding]:
    if trip.capacity is None:
        return
    aboard = max((_aboard_with(seat, held) for seat in held), key=len, default=[])
    excess = len(aboard) - trip.capacity
    if excess > 0:
        keys = tuple(seat.key for seat in aboard)
        yield SeatFinding(
            SeatFindingKind.OVER_CAPACITY, trip, keys, passengers=len(aboard), at_risk=_dearest(aboard, excess)
        )


def _aboard_with(boarding: Seat, held: Iterable[Seat]) -> list[Seat]:
    """Return who is on board when one passenger gets on: the trip is fullest at one of these moments."""
    return [seat for seat in held if seat is boarding or (_has_boarded(seat, boarding) and seat.rides_with(boarding))]


def _has_boarded(seat: Seat, boarding: Seat) -> bool:
    if seat.departs_at_ms is None or boarding.departs_at_ms is None:
        return True
    return seat.departs_at_ms <= boarding.departs_at_ms


def _dearest(seats: Iterable[Seat], count: int) -> Money | None:
    """Return what the dearest of these fares come to: what may have to be given back. None if they cannot be added."""
    fares = [seat.fare for seat in seats]
    known = [fare for fare in fares if fare is not None]
    if len(known) != len(fares) or len({fare.currency for fare in known}) != 1:
        return None
    amounts = sorted((fare.amount_minor for fare in known), reverse=True)
    return Money(known[0].currency, sum(amounts[:count]))
