"""Asiento sees what is wrong with the seats of a trip, and only that."""

from random import Random
from typing import Any

import pytest

from shared.domain.facts import EntityKey, EntityKind
from shared.domain.manifests import Seat, SeatFinding, SeatFindingKind, Trip, seat_findings, ticket_without_seat
from shared.domain.money import Money
from shared.domain.reconciliation import Claim, DifferenceType

MANIFEST = EntityKey(EntityKind.MANIFEST, "betterez", "m-1")
TRIP = Trip(MANIFEST, "2026-01-05", "route-1", "service-1", capacity=45)


def key(number: int) -> EntityKey:
    """Return the ticket of that number."""
    return EntityKey(EntityKind.TICKET, "betterez", f"t{number:02d}")


def seat(number: int, name: str = "", status: str = "open", fare: int | None = 1_000, **ride: int | str) -> Seat:
    """Return a passenger on a seat of its own number, from end to end, for 10.00."""
    claim = Claim(key(number), 5, fare, "ARS", status)
    ends = {"origin": "A", "destination": "D", "departs_at_ms": 0, "arrives_at_ms": None, **ride}
    return Seat(claim, name or str(number), **ends)  # type: ignore[arg-type]  # the test names only what it is about


def found(*listed: Seat, trip: Trip = TRIP, tickets: tuple[Seat, ...] | None = None) -> list[SeatFinding]:
    """Return what is wrong; the ledger holds just what is listed unless it is said otherwise."""
    ours = listed if tickets is None else tickets
    return list(seat_findings(trip, listed, {each.key: each for each in ours}))


def test_nothing_is_wrong_with_an_orderly_trip() -> None:
    """Asiento finds nothing where everybody has a live ticket and a seat of his own, given-back tickets left aside."""
    assert found(seat(1), seat(2), seat(3, "1", "refunded"), seat(4, "2", "exchanged")) == []


def test_one_seat_for_two() -> None:
    """Asiento finds a seat that was sold twice: both tickets, and what one of the two may have to be given back."""
    (finding,) = found(seat(1, "7", fare=1_000), seat(2, "7", fare=3_000), seat(3))
    assert finding.kind is SeatFindingKind.DOUBLE_SOLD
    assert (finding.subject, finding.tickets) == (f"{MANIFEST} seat 7", (key(1), key(2)))
    assert finding.at_risk == Money("ARS", 3_000)


@pytest.mark.parametrize(
    ("second", "is_double"),
    [
        ({"origin": "B", "destination": "C", "departs_at_ms": 10}, False),
        ({"origin": "C", "destination": "D", "departs_at_ms": 10}, False),
        ({"origin": "C", "destination": "D", "departs_at_ms": 9}, True),
        ({"origin": "C", "destination": "D", "departs_at_ms": None}, True),
        ({"origin": "A", "destination": "B", "departs_at_ms": 0}, True),
    ],
    ids=["where he gets off", "later", "earlier", "not told", "from the start"],
)
def test_a_seat_may_be_sold_again_where_it_is_left(second: dict[str, Any], *, is_double: bool) -> None:
    """Asiento lets a seat be sold again from where, or after, its passenger gets off; what is not told counts as the whole."""
    first = seat(1, "7", origin="A", destination="B", departs_at_ms=0, arrives_at_ms=10)
    assert bool(found(first, seat(2, "7", **second))) is is_double


def test_somebody_without_a_live_ticket() -> None:
    """Asiento finds who is listed and unknown to the ledger, or holds a ticket that was given back there; not the reverse."""
    refunded = seat(2, "2", "refunded")
    findings = found(seat(1), seat(2), seat(3), seat(4, "4", "refunded"), tickets=(seat(1), refunded, seat(4)))
    assert [(each.kind, each.subject) for each in findings] == [
        (SeatFindingKind.NO_TICKET, str(key(2))),
        (SeatFindingKind.NO_TICKET, str(key(3))),
    ]
    assert [each.mismatch.type for each in findings if each.mismatch] == [DifferenceType.NO_LIVE_TICKET] * 2
    assert [each.at_risk for each in findings] == [Money("ARS", 1_000)] * 2


def test_a_stranger_on_a_sold_seat_is_one_finding() -> None:
    """Asiento tells of a stranger once, and does not call the seat of the rightful passenger sold twice because of him."""
    (finding,) = found(seat(1, "7"), seat(2, "7"), tickets=(seat(1, "7"),))
    assert finding.kind is SeatFindingKind.NO_TICKET


def test_a_ticket_without_a_seat() -> None:
    """Asiento finds who is listed without a seat on a trip that numbers them, and lets all sit where they like on another."""
    nowhere = Seat(Claim(key(2), 5, 1_000, "ARS", "open"), "", "A", "D", 0, None)
    (finding,) = found(seat(1), nowhere)
    assert (finding.kind, finding.subject) == (SeatFindingKind.NO_SEAT, str(key(2)))
    assert found(nowhere, nowhere._replace(claim=nowhere.claim._replace(key=key(3)))) == []


def test_a_ticket_that_no_manifest_lists() -> None:
    """Asiento names a live ticket that its trip leaves out, with its fare at risk."""
    finding = ticket_without_seat(TRIP, seat(1), None)
    assert finding.kind is SeatFindingKind.NO_SEAT
    assert finding.mismatch is not None
    assert (finding.mismatch.type, finding.mismatch.provider) == (DifferenceType.NO_SEAT, None)
    assert finding.at_risk == Money("ARS", 1_000)


def test_more_passengers_than_seats() -> None:
    """Asiento finds how many are too many, and puts the dearest fares of that many at risk."""
    small = TRIP._replace(capacity=2)
    (finding,) = found(seat(1, fare=500), seat(2, fare=900), seat(3, fare=700), trip=small)
    assert (finding.kind, finding.subject, finding.passengers) == (SeatFindingKind.OVER_CAPACITY, str(MANIFEST), 3)
    assert finding.at_risk == Money("ARS", 900)
    assert found(seat(1), seat(2), trip=small) == []
    assert found(*map(seat, range(1, 60)), trip=TRIP._replace(capacity=None)) == []


def test_seats_that_are_left_make_room() -> None:
    """Asiento counts who rides at one time: three legs of one passenger each fill one seat."""
    legs = [
        seat(
            place,
            origin=chr(64 + place),
            destination=chr(65 + place),
            departs_at_ms=place * 10,
            arrives_at_ms=place * 10 + 10,
        )
        for place in (1, 2, 3)
    ]
    assert found(*legs, trip=TRIP._replace(capacity=1)) == []
    (finding,) = found(*legs, seat(9, departs_at_ms=10, arrives_at_ms=40), trip=TRIP._replace(capacity=1))
    assert finding.passengers == 2


def test_fares_of_two_currencies_have_no_sum() -> None:
    """Asiento names no money at risk where fares are unknown or of two currencies."""
    foreign = seat(2, "7")._replace(claim=Claim(key(2), 5, 1_000, "USD", "open"))
    for other in (foreign, seat(2, "7", fare=None)):
        (finding,) = found(seat(1, "7"), other)
        assert finding.at_risk is None


@pytest.mark.parametrize("seed", range(20))
def test_order_of_the_list_means_nothing(seed: int) -> None:
    """Asiento finds the same whatever the order in which a manifest lists its passengers."""
    print(f"seed {seed}")  # noqa: T201  shown with a failure
    random = Random(seed)  # noqa: S311  a seeded test, no secret
    listed = [
        seat(
            number,
            str(random.randrange(1, 8)),
            random.choice(["open", "boarded", "no_show", "refunded"]),
            random.randrange(1, 9),
        )
        for number in range(12)
    ]
    trip = TRIP._replace(capacity=6)
    straight = found(*listed, trip=trip)
    random.shuffle(listed)
    assert found(*listed, trip=trip) == straight
    assert straight, "the drawn trips are disorderly"


def test_rides_of_which_no_end_is_told_are_whole_trips() -> None:
    """Asiento takes two passengers on one seat for one too many where nobody says from where to where they ride."""
    first, second = (seat(number, "7", origin="", destination="") for number in (1, 2))
    (finding,) = found(first, second)
    assert finding.kind is SeatFindingKind.DOUBLE_SOLD


def test_seats_are_told_in_their_order() -> None:
    """Asiento names the seats of a trip in one order, whoever holds them."""
    listed = (seat(1, "9"), seat(2, "9"), seat(3, "2"), seat(4, "2"))
    assert [finding.seat for finding in found(*listed)] == ["2", "9"]


def test_a_trip_is_as_full_as_at_its_fullest() -> None:
    """Asiento counts a trip where most are on board, though it sets out nearly empty."""
    alone = seat(1, origin="A", destination="B", departs_at_ms=0, arrives_at_ms=10)
    together = [seat(number, origin="B", destination="D", departs_at_ms=10, arrives_at_ms=40) for number in (2, 3)]
    (finding,) = found(alone, *together, trip=TRIP._replace(capacity=1))
    assert (finding.passengers, finding.tickets) == (2, (key(2), key(3)))


def test_who_gets_on_nobody_knows_when_is_on_board() -> None:
    """Asiento counts passengers of whom no time is told as on board all the way."""
    (finding,) = found(*(seat(number, departs_at_ms=None) for number in (1, 2)), trip=TRIP._replace(capacity=1))  # type: ignore[arg-type]  # not told
    assert finding.passengers == 2


def test_one_passenger_is_too_many_for_no_seat() -> None:
    """Asiento puts the one fare at risk of a trip whose vehicle seats nobody."""
    (finding,) = found(seat(1, fare=700), trip=TRIP._replace(capacity=0))
    assert (finding.passengers, finding.at_risk) == (1, Money("ARS", 700))


def test_who_rides_in_a_circle_is_on_board() -> None:
    """Asiento counts a passenger who gets off where he got on."""
    (finding,) = found(seat(1, origin="A", destination="A"), trip=TRIP._replace(capacity=0))
    assert finding.passengers == 1
