"""The generator is audited: what must happen in a season happens, and what must not does not."""

from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise

import pytest

from local.simulator import Season
from local.simulator.company import penalty_percent
from local.simulator.moments import HOUR_MS, MINUTE_MS, SECOND_MS, day_start_ms
from local.simulator.records import Charge, Refund, Sale, SaleDocument, Ticket
from local.simulator.world import CAPACITY
from tests.local.simulator.conftest import SALES


def test_a_seed_is_a_season() -> None:
    """Asiento's simulator lives the same season again from the same seed, to the byte, and another from another."""
    first, again, other = (Season.generate(seed, 150) for seed in (5, 5, 6))

    bodies = [emission.body for emission in first.emissions()]
    assert bodies == [emission.body for emission in again.emissions()]
    assert first.books == again.books
    assert bodies != [emission.body for emission in other.emissions()]


def test_everything_that_must_happen_happens(season: Season) -> None:
    """Asiento's simulator makes every case that the ledger must get right; a season without one proves nothing."""
    counts = season.books.counts

    assert counts["sales"] == SALES
    for happening in (
        "sales with several payments",
        "sales issued over time",
        "cancellations",
        "partial cancellations",
        "changes",
        "changes with a price difference",
        "moves",
        "boardings",
        "no-shows",
        "ties",
        "disputes",
        "payouts",
    ):
        assert counts[happening] > 0, happening


def test_ties_are_real(season: Season) -> None:
    """Asiento's simulator tells different things of one ticket under one `updatedAt`, and of one charge in one second."""
    tickets: dict[tuple[str, int], set[str]] = defaultdict(set)
    charges: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in season.events:
        if isinstance(event.subject, Ticket):
            tickets[event.subject.id, event.subject.updated_at_ms].add(event.subject.status)
        elif isinstance(event.subject, Charge):
            charges[event.subject.id, event.created_s].add(event.type)

    assert {frozenset(told) for told in tickets.values() if len(told) > 1} == {
        frozenset(("paid", "redeemed")),
        frozenset(("paid", "cancelled")),
    }
    assert any(len(told) > 1 for told in charges.values())


def test_ties_are_decided_by_how_far_along_a_life_is(season: Season) -> None:
    """Asiento's simulator never tells two statuses of one instant of which neither is further along."""
    further = Counter({"paid": 0, "redeemed": 1, "noshow": 1, "cancelled": 2, "changed": 2})
    told: dict[tuple[str, int], int] = {}
    for event in season.events:
        if isinstance(event.subject, Ticket):
            key = event.subject.id, event.subject.updated_at_ms
            assert told.get(key, 0) <= further[event.subject.status]
            told[key] = further[event.subject.status]


def test_versions_never_run_backwards(season: Season) -> None:
    """Asiento's simulator tells of each ticket and transaction in the order of their versions."""
    seen: dict[str, int] = {}
    for event in season.events:
        subject = event.subject
        things = (subject.sale, *subject.tickets) if isinstance(subject, SaleDocument) else (subject,)
        for thing in things:
            if isinstance(thing, (Sale, Ticket)):
                assert seen.get(thing.id, 0) <= thing.updated_at_ms, event
                seen[thing.id] = thing.updated_at_ms


def test_no_seat_is_sold_twice(season: Season) -> None:
    """Asiento's simulator never seats two passengers whose tickets stand on one seat of one trip."""
    company = season.company
    standing = Counter(
        (ticket.trip.manifest_id, ticket.seat)
        for ticket in company.tickets.values()
        if ticket.status not in ("cancelled", "changed")
    )

    assert set(standing.values()) == {1}
    assert {seat for _, seat in standing} <= set(range(1, CAPACITY + 1))


def test_retention_follows_the_rule(season: Season) -> None:
    """Asiento's simulator keeps 10, 20 or 30 % of a ticket given back, and nothing of a sale voided at once."""
    percents = set()
    for refund in season.company.refunds.values():
        left_ms = _departure_when_given_back(season, refund) - refund.at_ms
        voided = refund.penalty_minor == 0
        if refund.type == "cancellation" and not voided:
            expected = penalty_percent(left_ms)
            percents.add(expected)
            assert refund.penalty_minor == refund.item_minor * expected // 100
            assert sum(line.amount_minor for line in refund.paid_back) == refund.amount_minor

    assert percents == {10, 20, 30}


@pytest.mark.parametrize(
    ("left_ms", "percent"),
    [
        (48 * HOUR_MS + 1, 10),
        (48 * HOUR_MS, 20),
        (24 * HOUR_MS, 20),
        (24 * HOUR_MS - 1, 30),
        (HOUR_MS, 30),
    ],
)
def test_retention_at_its_edges(left_ms: int, percent: int) -> None:
    """Asiento's simulator changes the retention exactly 48 and 24 hours before departure."""
    assert penalty_percent(left_ms) == percent


def test_nothing_is_taken_back_in_the_last_hour() -> None:
    """Asiento's simulator refuses to give back a ticket in the last hour before departure."""
    with pytest.raises(ValueError, match="last hour"):
        penalty_percent(HOUR_MS - 1)


def test_a_transaction_pays_what_it_totals(season: Season) -> None:
    """Asiento's simulator takes exactly a transaction's total, and gives back exactly a cancellation's."""
    for sale in season.company.sales.values():
        taken_minor = sum(payment.amount_minor for payment in sale.payments)
        held = [season.company.refunds[refund_id] for refund_id in sale.refund_ids]
        back_minor = sum(refund.amount_minor for refund in held if refund.sale_id == sale.id)
        issued_minor = sum(season.company.tickets[ticket_id].fare_minor for ticket_id in sale.ticket_ids)
        assert sale.total_minor == issued_minor - back_minor
        assert taken_minor == (0 if sale.type == "cancellation" else sale.total_minor)


def test_no_processor_gives_back_more_than_it_took(season: Season) -> None:
    """Asiento's simulator never refunds a charge or wallet payment beyond its amount."""
    company = season.company

    assert all(charge.refunded_minor <= charge.amount_minor for charge in company.stripe.charges.values())
    assert all(payment.refunded_minor <= payment.amount_minor for payment in company.wallet.payments.values())
    assert any(0 < charge.refunded_minor < charge.amount_minor for charge in company.stripe.charges.values())


def test_payouts_pay_the_balance(season: Season) -> None:
    """Asiento's simulator pays out exactly the net of the movements that each payout names."""
    balance = season.company.stripe.balance.values()
    for payout in season.company.stripe.payouts.values():
        paid = [movement for movement in balance if movement.payout_id == payout.id and movement.type != "payout"]
        assert sum(movement.net_minor for movement in paid) == payout.amount_minor


def test_shifts_do_not_overlap(season: Season) -> None:
    """Asiento's simulator opens a counter's next shift after the one before was closed, and sells only in open ones."""
    by_agency = defaultdict(list)
    for shift in season.company.shifts.values():
        by_agency[shift.agency.id].append(shift)
    for shifts in by_agency.values():
        assert all((one.closed_at_ms or 0) < other.opened_at_ms for one, other in pairwise(shifts))
    for sale in season.company.sales.values():
        sold_in = sale.counter.shift
        if sold_in is not None:
            assert sold_in.opened_at_ms <= sale.created_at_ms
            closed_at_ms = season.company.shifts[sold_in.id].closed_at_ms
            assert closed_at_ms is None or sale.created_at_ms <= closed_at_ms


def test_the_world_stops_at_the_end_of_its_last_day() -> None:
    """Asiento's simulator lets nothing happen outside of the season's days."""
    season = Season.generate(3, 400, date(2026, 7, 1), date(2026, 7, 9))

    start_ms, end_ms = day_start_ms(date(2026, 7, 1)), day_start_ms(date(2026, 7, 10))
    assert all(start_ms <= event.at_ms < end_ms for event in season.events)


def test_a_season_far_beyond_the_timetable_finds_seats() -> None:
    """Asiento's simulator lays out more services where more is sold: two busy days take 3,000 sales."""
    season = Season.generate(4, 3_000, date(2026, 1, 2), date(2026, 1, 3))

    assert season.books.counts["sales"] == 3_000


def test_the_platform_trails_what_happened(season: Season) -> None:
    """Asiento's simulator makes the platform's events seconds after what they tell of, never before."""
    for event in season.events:
        if event.provider == "betterez":
            assert 0 < event.created_s * SECOND_MS - event.at_ms + SECOND_MS <= MINUTE_MS


def _departure_when_given_back(season: Season, refund: Refund) -> int:
    return season.company.tickets[refund.ticket_id].trip.departs_at_ms
