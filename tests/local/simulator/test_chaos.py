"""A plan knows exactly what it sends, what it does not, and what is wrong with it."""

import json
from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest

from local.simulator import Chaos, Emission, Kind, Plan, Season
from local.simulator.forgeries import CORRUPTIONS, FORGERIES, corrupt
from local.simulator.records import Refund, SaleDocument

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SECRETS = {"betterez": "private-key", "stripe": "whsec_key", "mercadopago": "key"}
ROUGH = Chaos(
    seed=9,
    duplicate_share=0.05,
    delay_share=0.01,
    loss_share=0.02,
    undelivered_share=0.5,
    forged_share=0.02,
    corrupted_share=0.01,
    reorder_window=300,
)


@pytest.fixture(scope="module")
def plan(season: Season) -> Plan:
    """Return a rough plan of the season."""
    return Plan(season, ROUGH)


def test_without_chaos_everything_is_sent_once_in_order(season: Season) -> None:
    """Asiento's simulator sends a clean run exactly as things happened."""
    sends = list(Plan(season, Chaos()).sends())

    assert [send.emission for send in sends] == list(season.emissions())
    assert {send.kind for send in sends} == {Kind.GENUINE}


def test_counts_are_what_is_sent(season: Season, plan: Plan) -> None:
    """Asiento's simulator counts beforehand what it then sends, and each share is met exactly."""
    sends = list(plan.sends())
    kinds = Counter(send.kind for send in sends)
    unique = {(send.emission.provider, send.emission.event_id) for send in sends if send.kind is Kind.GENUINE}
    counts = plan.counts

    assert counts["events"] == len(season)
    assert counts["sent"] == len(sends) == len(plan)
    assert counts["unique"] == len(unique) == kinds[Kind.GENUINE]
    assert counts["duplicated"] == kinds[Kind.DUPLICATE] >= round(counts["unique"] * 0.05)
    assert counts["lost"] == len(season) - counts["unique"] == round(len(season) * 0.02)
    assert counts["forged"] == kinds[Kind.FORGED] == round(len(season) * 0.02)
    assert counts["corrupted"] == kinds[Kind.CORRUPTED] == round(len(season) * 0.01)
    assert counts["oversized"] == sum(send.flaw == "oversized" for send in sends) > 0
    assert counts["reordered"] > 0


def test_what_is_lost_is_not_sent(plan: Plan) -> None:
    """Asiento's simulator sends no attempt of a lost event, and lists some of the lost ones as undeliverable."""
    sent = {send.emission.event_id for send in plan.sends()}
    lost = {emission.event_id for emission in plan.lost()}
    undelivered = {emission.event_id for emission in plan.undelivered()}

    assert not lost & sent
    assert undelivered < lost
    assert len(undelivered) == plan.counts["undelivered"] > 0


def test_a_plan_is_a_function_of_its_seed() -> None:
    """Asiento's simulator plans the same chaos from the same seed, and another from another."""
    one, again, other = (
        _told(Plan(_Numbers(), Chaos(seed, 0.1, is_shuffled=True, forged_share=0.01))) for seed in (1, 1, 2)
    )

    assert one == again
    assert one != other


def test_reordering_stays_in_its_window() -> None:
    """Asiento's simulator displaces an event by no more than the window."""
    order = [int(send.emission.event_id) for send in Plan(_Numbers(), Chaos(seed=4, reorder_window=50)).sends()]

    assert order != sorted(order)
    assert max(abs(place - sent) for sent, place in enumerate(order)) <= 50


def test_chaos_makes_cancellations_come_first(season: Season) -> None:
    """Asiento's simulator, shuffled, tells of refunds before the sale that they undo; the window alone does so too."""
    assert _refunds_before_their_sale(season, Chaos(seed=2, is_shuffled=True)) > 10
    assert _refunds_before_their_sale(season, Chaos(seed=2, reorder_window=2_000)) > 0


def test_duplicates_repeat_what_came_before(plan: Plan) -> None:
    """Asiento's simulator numbers attempts by arrival: a duplicate always follows the genuine one, unchanged."""
    arrived: dict[str, bytes] = {}
    for send in plan.sends():
        if send.kind is Kind.GENUINE:
            assert send.emission.event_id not in arrived
            assert send.attempt == 1
            arrived[send.emission.event_id] = send.emission.body
        elif send.kind is Kind.DUPLICATE:
            assert send.attempt > 1
            assert arrived[send.emission.event_id] == send.emission.body


def test_forgeries_are_of_every_kind_and_about_nothing_real(season: Season, plan: Plan) -> None:
    """Asiento's simulator forges in every way for every provider, about sales and payments that were never made."""
    real = {emission.event_id for emission in season.emissions()}
    forged = [send for send in plan.sends() if send.kind is Kind.FORGED]

    assert {send.flaw for send in forged} == set(FORGERIES)
    assert {send.emission.provider for send in forged} == {"betterez", "stripe", "mercadopago"}
    assert not real & {send.emission.event_id for send in forged}


def test_a_forgery_differs_from_what_is_signed_honestly(plan: Plan) -> None:
    """Asiento's simulator never forges a request that its provider would have signed just so at that instant."""
    for send in plan.sends():
        if send.kind is Kind.FORGED:
            honest = send._replace(kind=Kind.GENUINE, flaw="").request(SECRETS, NOW)
            assert send.request(SECRETS, NOW) != honest, (send.emission.provider, send.flaw)


def test_corruptions_are_of_every_kind(plan: Plan) -> None:
    """Asiento's simulator sends every corruption, each about an event of its own."""
    flawed = [send for send in plan.sends() if send.flaw]

    assert {send.flaw for send in flawed if send.kind is Kind.CORRUPTED} == set(CORRUPTIONS)
    assert len({send.emission.event_id for send in flawed}) == len(flawed)


@pytest.mark.parametrize("flaw", CORRUPTIONS)
def test_a_corruption_corrupts(flaw: str) -> None:
    """Asiento's simulator breaks what the name of a corruption says."""
    body = corrupt(flaw, Random(1), NOW).body  # noqa: S311  a seed is the point

    if flaw in ("truncated", "not_utf8", "deep_json"):
        with pytest.raises((ValueError, RecursionError)):
            json.loads(body)
    else:
        signs = {
            "nan": b":NaN",
            "huge_number": b"0" * 4_000,
            "unknown_event_type": b"seatmap.repainted",
            "unknown_currency": b'"XQZ"',
            "unknown_status": b'"half-paid"',
            "too_many_decimals": b"99999.001",
            "between_centavos": b"9999900001",
            "test_mode": b'"livemode":false',
            "oversized": b"x" * 1_000_000,
        }
        assert signs[flaw] in body


def _told(plan: Plan) -> list[tuple[str, int, bytes]]:
    return [(send.kind.value, send.attempt, send.emission.body) for send in plan.sends()]


def _refunds_before_their_sale(season: Season, chaos: Chaos) -> int:
    arrival = {send.emission.event_id: place for place, send in enumerate(Plan(_Numbers(len(season)), chaos).sends())}
    sold: dict[str, int] = {}
    refunded: list[tuple[str, int]] = []
    for number, event in enumerate(season.events):
        place = arrival[str(number)]
        if event.type == "transaction.completed" and isinstance(event.subject, SaleDocument):
            sold[event.subject.sale.id] = place
        elif isinstance(event.subject, Refund):
            refunded.append((event.subject.original_id, place))
    return sum(place < sold[sale_id] for sale_id, place in refunded)


class _Numbers:
    """A feed whose events are only numbered: what a plan does to an order does not depend on what it orders."""

    def __init__(self, events: int = 10_000) -> None:
        self._events = events

    def __len__(self) -> int:
        return self._events

    def emission(self, index: int) -> Emission:
        return Emission("betterez", "numbered", str(index), "", b"{}", NOW)
