"""Rebuilding: only months that agree to the cent are shown, and what is wrong names itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.bi.certification import Figure, Grain, Judgement, catalog
from shared.bi.models import Model
from shared.domain.deliveries import Delivery
from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.reconciliation import (
    Claim,
    DifferenceType,
    Mismatch,
    ReconciliationRun,
    RunStatus,
)
from shared.domain.times import Window
from shared.pipeline import rebuild_bi
from shared.pipeline.rebuild_bi import RebuildResult, build_hash
from tests.bi.small_season import (
    AS_OF,
    A,
    B,
    SmallSeason,
    SmallWorld,
    at,
    encode,
    hex_id,
    moment,
    payment,
    scaled,
    ticket,
    transaction,
)

JAN_A, JAN_B = Grain("2026-01", "ARS", A), Grain("2026-01", "ARS", B)
FEB_A, FEB_B = Grain("2026-02", "ARS", A), Grain("2026-02", "ARS", B)
ALL = [JAN_A, JAN_B, FEB_A, FEB_B]

BY_HAND = {
    JAN_A: {
        "tickets_issued": (3, 2_534_567),
        "fares_earned": (1, 1_234_567),
        "refunds_cash_item": (1, 500_000),
        "refunds_cash_penalty": (1, 50_000),
        "refunds_cash_amount": (1, 450_000),
        "payments_captured": (3, 2_534_567),
        "captured_by_stripe": (1, 1_034_567),
    },
    JAN_B: {
        "tickets_issued": (1, 300_050),
        "payments_captured": (1, 300_050),
        "captured_by_mercadopago": (1, 300_050),
    },
    FEB_A: {
        "tickets_issued": (2, 1_400_000),
        "fares_earned": (2, 1_500_000),
        "refunds_exchange_item": (1, 700_000),
        "refunds_exchange_penalty": (1, 0),
        "refunds_exchange_amount": (1, 700_000),
        "payments_captured": (1, 700_000),
    },
    FEB_B: {"fares_earned": (1, 300_050)},
}
"""Worked out from the table of tests/bi/small_season.py: count and centavos."""


@pytest.fixture
def season() -> SmallSeason:
    """Everything that happened, told and signed."""
    return SmallSeason()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    """Empty stores."""
    world = SmallWorld(tmp_path)
    yield world
    world.close()


def grains(judgements: Sequence[Judgement]) -> list[Grain]:
    """Return what was judged."""
    return [judgement.grain for judgement in judgements]


def differences(result: RebuildResult) -> list[str]:
    """Return what stands in the way of the refused months: check and sentence."""
    return [f"{each.check}: {each.text}" for judgement in result.refused for each in judgement.differences]


def both_ways(counts: Mapping[str, tuple[int, int]]) -> list[Figure]:
    """Return figures on which both paths agree."""
    return sorted(Figure(name, *count, *count) for name, count in counts.items())


# What is right is shown


def test_certifies_the_figures_worked_out_by_hand(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento certifies, for each closed month and business unit, exactly the figures that a person works out."""
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert not result.has_failed
    assert {judgement.grain: list(judgement.figures) for judgement in result.certified} == {
        grain: both_ways(counts) for grain, counts in BY_HAND.items()
    }
    assert result.certified[0].figure("refunds_exchange_item") == Figure("refunds_exchange_item", 0, 0, 0, 0)


def test_shows_revenue_and_cash_by_day(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows what was earned by day of departure and route, and what was paid and given back by day."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    revenue = world.warehouse.query("SELECT * FROM viz.revenue_by_day_route ORDER BY business_day", {})
    assert [(row["business_day"], row["business_unit"], row["tickets"], row["earned_minor"]) for row in revenue] == [
        (date(2026, 1, 10), A, 1, 1_234_567),
        (date(2026, 2, 1), B, 1, 300_050),
        (date(2026, 2, 2), A, 1, 800_000),
        (date(2026, 2, 20), A, 1, 700_000),
    ]
    cash = world.warehouse.query("SELECT * FROM viz.cash_by_day ORDER BY business_day, processor", {})
    assert [(row["business_day"], row["processor"], row["captured_minor"], row["refunded_minor"]) for row in cash] == [
        (date(2026, 1, 5), "inperson", 1_000_000, 0),
        (date(2026, 1, 5), "stripe", 1_034_567, 0),
        (date(2026, 1, 6), "inperson", 500_000, 0),
        (date(2026, 1, 8), "inperson", 0, 450_000),
        (date(2026, 1, 31), "mercadopago", 300_050, 0),
        (date(2026, 2, 3), "inperson", 700_000, 0),
    ]


def test_books_every_event_twice(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento books each event as debit and credit; the balances are those that a bookkeeper gets by hand."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    balances = world.warehouse.query(
        "SELECT account, CAST(SUM(amount_minor) AS INT64) AS balance FROM mart.posting GROUP BY account ORDER BY account",
        {},
    )
    assert {row["account"]: row["balance"] for row in balances} == {
        "clearing:inperson": 1_000_000 + 500_000 - 450_000 + 700_000,
        "clearing:mercadopago": 300_050,
        "clearing:stripe": 1_034_567,
        "customer_deposits": 0,
        "unearned_fares": 0,
        "refunds_payable": 0,
        "fare_income": -(1_234_567 + 800_000 + 300_050 + 700_000),
        "cancellation_income": -50_000,
    }


def test_does_not_judge_a_month_that_is_not_over(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento certifies no month before it is over in Buenos Aires, even where it is over in UTC."""
    world.keep_and_derive(season.deliveries)
    last_hour = datetime(2026, 3, 1, 2, 59, tzinfo=UTC)
    result = rebuild_bi.rebuild(world.rebuilding, build_id="build-1", as_of=last_hour)
    assert grains(result.certified) == [JAN_A, JAN_B]


def test_gives_the_same_layer_twice(season: SmallSeason, world: SmallWorld, tmp_path: Path) -> None:
    """Asiento rebuilds the same layer from the same ledger, and from the same deliveries in any order."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    first = build_hash(world.warehouse, "build-1")
    shown = world.shown()
    world.rebuild("build-2")
    assert build_hash(world.warehouse, "build-2") == first
    assert world.shown() == shown

    (tmp_path / "other").mkdir()
    other = SmallWorld(tmp_path / "other")
    other.keep_and_derive([*reversed(season.deliveries)])
    other.rebuild("build-9")
    assert build_hash(other.warehouse, "build-9") == first
    other.close()


def test_gives_the_same_layer_in_little_memory(season: SmallSeason, world: SmallWorld, tmp_path: Path) -> None:
    """Asiento rebuilds the same layer where its warehouse may hold almost nothing."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    with closing(DuckDbWarehouse(tmp_path / "tight.duckdb", memory_limit="128MiB")) as tight:
        result = rebuild_bi.rebuild(replace(world.rebuilding, warehouse=tight), build_id="build-1", as_of=AS_OF)
        assert result.certified
        assert build_hash(tight, "build-1") == build_hash(world.warehouse, "build-1")


def test_forgets_builds_that_nothing_shows(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento keeps the rows of the builds that are shown and of the last one, and no others."""
    world.keep_and_derive(season.deliveries)
    for build_id in ("build-1", "build-2", "build-3"):
        world.rebuild(build_id)
    builds = world.warehouse.query("SELECT DISTINCT build_id FROM mart.fact_ticket", {})
    assert [row["build_id"] for row in builds] == ["build-3"]


def test_keeps_a_certificate_of_every_judgement(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento adds a certificate for each judgement, with the figures, the checks and the inputs that it stands on."""
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    world.rebuild("build-2")
    rows = list(
        world.warehouse.query("SELECT * FROM certificates.certificate ORDER BY build_id, month, business_unit", {})
    )
    assert [row["build_id"] for row in rows] == ["build-1"] * 4 + ["build-2"] * 4
    assert len({row["certificate_id"] for row in rows}) == 8
    first = rows[0]
    assert (first["month"], first["passed"], first["code_version"]) == ("2026-01", True, "code-of-the-test")
    assert (first["raw_count"], first["raw_digest"]) == (len(season.deliveries), result.raw_digest)
    assert first["ledger_state_hash"] == result.ledger_state_hash
    assert '"tickets_issued":[3,2534567,3,2534567]' in str(first["figures"])
    assert '"control.comparison.both_paths_agree":[]' in str(first["checks"])


# What is wrong is absent, alone, and names itself


def one_cent_more(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read T1's fare one centavo too high, as a defect of a provider's code would."""
    return {**values, "fare_minor": 1_234_568} if values.get("fare_minor") == 1_234_567 else values


def off_by_one(figure: str, ledger_minor: int, items: int) -> str:
    """Return what is said where the ledger has one centavo more than the bodies, in as many items."""
    return (
        f"control.comparison.both_paths_agree: {figure}: the ledger has {ledger_minor} in {items} items, the kept bodies have "
        f"{ledger_minor - 1} in {items} items; the ledger is off by 1"
    )


def test_refuses_a_month_that_is_a_cent_off_in_the_ledger(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the month, and only it, in which the ledger path is one cent off the bodies."""
    world.misread("betterez", one_cent_more)
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert grains(result.refused) == [JAN_A]
    assert grains(result.certified) == [JAN_B, FEB_A, FEB_B]
    assert differences(result) == [
        off_by_one("fares_earned", 1_234_568, 1),
        off_by_one("tickets_issued", 2_534_568, 3),
    ]
    assert not [row for row in world.shown() if "date(2026, 1," in row and A in row]
    assert [row for row in world.shown() if "date(2026, 2," in row and A in row]


class AlteredRaw:
    """A raw store whose bytes are not those that were derived."""

    def __init__(self, world: SmallWorld, alter: Callable[[Delivery], Delivery | None]) -> None:
        """Take the true store, and what becomes of each delivery."""
        self._world = world
        self._alter = alter

    def deliveries(self, window: Window) -> Iterator[Delivery]:
        """Yield altered deliveries; those for which `alter` returns None are gone."""
        for delivery in self._world.raw.deliveries(window):
            altered = self._alter(delivery)
            if altered is not None:
                yield altered


def test_refuses_a_month_that_is_a_cent_off_in_the_bodies(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the month, and only it, whose kept bodies are not what the ledger was made of."""
    world.keep_and_derive(season.deliveries)

    def alter(delivery: Delivery) -> Delivery:
        return replace(delivery, body=delivery.body.replace(b'"amount": 10345.67', b'"amount": 10345.66'))

    result = world.rebuild("build-1", raw=AlteredRaw(world, alter))
    assert grains(result.refused) == [JAN_A]
    assert differences(result) == [off_by_one("payments_captured", 2_534_567, 3)]


def test_refuses_a_month_whose_delivery_is_gone(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the month of a delivery that the ledger knows and the raw store does not."""
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1", raw=AlteredRaw(world, lambda each: None if b"evt_ch_1" in each.body else each))
    assert grains(result.refused) == [JAN_A]
    assert (
        "captured_by_stripe: the ledger has 1034567 in 1 items, the kept bodies have 0 in 0 items"
        in differences(result)[0]
    )


def test_refuses_the_month_of_a_sale_that_never_came(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses a month in which a ticket's sale is not known: its payment is missing from both paths alike."""
    never_sent = next(delivery for delivery in season.deliveries if b"event-s2" in delivery.body)
    world.keep_and_derive([delivery for delivery in season.deliveries if delivery is not never_sent])
    result = world.rebuild("build-1")
    assert grains(result.refused) == [JAN_A]
    told = differences(result)
    lost = EntityKey(EntityKind.SALE, "betterez", hex_id("S2"))
    assert any(each.startswith("mart.fact_ticket.sale_has_come") and f"belongs to {lost}" in each for each in told)
    assert any(each.startswith("mart.fact_refund.sale_has_come") and f"is of {lost}" in each for each in told)


def test_refuses_the_months_of_a_delivery_without_outcome(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the months that a kept delivery names while nothing has become of it."""
    straggler = next(delivery for delivery in season.deliveries if b"event-t6-missed" in delivery.body)
    world.raw.create_all(season.deliveries)
    world.derive([delivery for delivery in season.deliveries if delivery is not straggler])
    result = world.rebuild("build-1")
    assert grains(result.refused) == [FEB_A]
    assert any(
        f"delivery {straggler.delivery_id} and 0 more of betterez are without an outcome" in each
        for each in differences(result)
    )


def test_refuses_every_month_that_may_be_concerned_by_what_was_never_looked_at(
    season: SmallSeason, world: SmallWorld
) -> None:
    """Asiento refuses the month before and every later one for a delivery that names no time and has no outcome."""
    world.keep_and_derive(season.deliveries)
    world.raw.create_all(
        [season.post("mercadopago", "payment", b'{"data": {"id": "9"}}', "2026-02-11 10:00", "data.id=9&type=payment")]
    )
    compared(world, "mercadopago", EntityKind.PAYMENT)
    result = world.rebuild("build-1")
    assert grains(result.refused) == ALL
    assert {each.check for judgement in result.refused for each in judgement.differences} == {
        "control.unsettled.nothing_unread_is_unanswered"
    }


def test_refuses_the_months_of_a_ticket_in_conflict(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the months of a ticket whose fare was said to be two amounts, and names both ticket and event."""
    changed = ticket(
        "T4", "S3", B, 300_051, "2026-01-31 23:30", "2026-02-01 00:30", updatedAt=moment("2026-02-01 00:10")
    )
    season.platform("t4-again", "ticket.updated", "2026-02-01 00:10", changed)
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert grains(result.refused) == [JAN_B, FEB_B]
    assert f"mart.fact_ticket.has_no_conflict: ticket:betterez:{hex_id('T4')} is in conflict" in differences(result)


def altered(name: str, change: Callable[[Model], Model]) -> tuple[Model, ...]:
    """Return the catalog with one model changed."""
    return tuple(change(model) if model.name == name else model for model in catalog())


def test_refuses_the_months_of_a_rule_that_does_not_balance(
    season: SmallSeason, world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento refuses the months in which an unbalanced rule was used, and no others."""
    credit = "STRUCT('refund_paid', 'clearing', TRUE, -1)"
    broken = altered(
        "mart.posting_rule", lambda rule: replace(rule, sql=rule.sql.replace(credit, credit.replace("-1", "-2")))
    )
    monkeypatch.setattr(rebuild_bi, "catalog", lambda: broken)
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert grains(result.refused) == [JAN_A]
    told = differences(result)
    assert told[0] == (
        f"mart.posting.sums_to_zero: refund_paid|refund:betterez:{hex_id('R3')} and 0 more entries of refund_paid are off "
        "zero by -450000 minor units"
    )
    assert [each.partition(":")[0] for each in told[1:]] == [
        "mart.trial_balance.debits_are_credits",
        "mart.movement_clearing.opening_and_movements_are_closing",
        "mart.movement_clearing.closing_is_the_balance",
    ]


def test_refuses_an_event_of_an_unknown_type_even_when_all_was_compared(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the month of an event whose type it does not know: no listing needs to show what it is about."""
    season.platform("seats", "seatmap.repainted", "2026-02-10 10:00", {"accountId": B})
    world.keep_and_derive(season.deliveries)
    compared(world, "betterez", EntityKind.TICKET)
    result = world.rebuild("build-1")
    assert grains(result.refused) == [FEB_B]
    assert "quarantined unknown_event_type" in differences(result)[0]


UNHEARD_OF = Grain("2026-02", "XQZ", A)
"""Where the control path finds the sale in a currency that nobody knows."""


def unclassified(season: SmallSeason) -> Delivery:
    """Have the platform tell of a sale in a currency that nobody knows."""
    items = [ticket("T9", "S4", A, 100_000, "2026-02-11 10:00", "2026-02-12 08:00", currency="XQZ")]
    told = transaction(
        "S9", A, "sale", "2026-02-11 10:00", 100_000, [payment("1000", "2026-02-11 10:00")], tickets=items
    )
    told["transaction"]["currency"] = "XQZ"
    return season.platform("s9", "transaction.completed", "2026-02-11 10:00", told)


def test_refuses_what_it_cannot_classify_until_the_provider_was_asked(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the month of a held event until the provider's own listing, asked for later, shows no difference."""
    unclassified(season)
    world.keep_and_derive(season.deliveries)
    refused = world.rebuild("build-1")
    assert grains(refused.refused) == [FEB_A, UNHEARD_OF]
    assert any("quarantined unknown_currency" in each for each in differences(refused))
    compared(world, "betterez", EntityKind.TICKET)
    answered = world.rebuild("build-2")
    assert grains(answered.certified) == ALL
    assert [
        row["reason"]
        for row in world.warehouse.query("SELECT reason FROM control.set_aside WHERE build_id = 'build-2'", {})
    ] == ["unknown_currency"]


@pytest.mark.parametrize(
    "body",
    [b'{"id": "event-cut", "created": 17', b"\xff\xfe", b'{"created": NaN}', b"[" * 5_000],
    ids=["cut", "not-utf8", "nan", "deep"],
)
def test_refuses_what_it_cannot_read_until_the_provider_was_asked(
    body: bytes, season: SmallSeason, world: SmallWorld
) -> None:
    """Asiento refuses the months that unreadable bytes may concern until they are compared with the provider's listing."""
    season.post("betterez", "", body, "2026-02-11 10:00")
    world.keep_and_derive(season.deliveries)
    assert grains(world.rebuild("build-1").refused) == ALL
    compared(world, "betterez", EntityKind.TICKET)
    assert grains(world.rebuild("build-2").certified) == ALL


def test_takes_no_old_comparison_for_an_answer(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento does not believe that a comparison made before a delivery came has answered it."""
    unclassified(season)
    world.keep_and_derive(season.deliveries)
    compared(world, "betterez", EntityKind.TICKET, when=at("2026-02-11 09:00"))
    assert grains(world.rebuild("build-1").refused) == [FEB_A, UNHEARD_OF]


def test_takes_no_comparison_of_a_part_for_an_answer(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento does not believe that a comparison which leaves out a day or a kind has answered a delivery."""
    unclassified(season)
    world.keep_and_derive(season.deliveries)
    compared(world, "betterez", EntityKind.TICKET, last=date(2026, 2, 27))
    assert grains(world.rebuild("build-1").refused) == [FEB_A, UNHEARD_OF]
    compared(world, "betterez", EntityKind.TICKET)
    compared(world, "betterez", EntityKind.SALE, last=date(2026, 2, 27))
    assert grains(world.rebuild("build-2").refused) == [FEB_A, UNHEARD_OF]


def test_refuses_a_month_with_an_open_difference(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses a month in which the provider lists what the ledger lacks: both paths would lack it alike."""
    world.keep_and_derive(season.deliveries)
    key = EntityKey(EntityKind.TICKET, "betterez", hex_id("T7"))
    missing = Mismatch(DifferenceType.MISSING_IN_LEDGER, Claim(key, 0, 100_000, "ARS", "open"), None)
    compared(world, "betterez", EntityKind.TICKET, first=date(2026, 2, 1), found=[missing])
    result = world.rebuild("build-1")
    assert grains(result.refused) == [FEB_A, FEB_B]
    assert "1 differences of ticket with betterez are open" in differences(result)[0]


def test_leaves_events_of_test_mode_alone(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento certifies a month in spite of an event of test mode: it is known to be no business of the company."""
    told = ticket("T8", "S4", A, 900_000, "2026-01-11 10:00", "2026-01-12 08:00")
    season.platform("t8", "ticket.created", "2026-01-11 10:00", told, livemode=False)
    world.keep_and_derive(season.deliveries)
    assert grains(world.rebuild("build-1").certified) == ALL


def test_refuses_what_is_wrong_where_there_is_nothing_to_certify(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento fails for an event that it cannot classify in a closed month and unit that have no figures at all."""
    season.platform("seats", "seatmap.repainted", "2025-11-10 10:00", {"accountId": "another-unit"})
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert grains(result.certified) == ALL
    assert grains(result.refused) == [Grain("2025-11", "unknown", "another-unit")]


# What was shown stays until something better is certified


def test_leaves_what_is_published_when_a_month_is_refused(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento goes on showing the last certified figures of a month that a later build refuses, to the byte."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    shown = world.shown()
    season.platform("seats", "seatmap.repainted", "2026-01-10 10:00", {})
    world.keep_and_derive(season.deliveries[-1:])
    result = world.rebuild("build-2")
    assert grains(result.refused) == [JAN_A, JAN_B]
    assert world.shown() == shown
    published = world.warehouse.query(
        "SELECT build_id, month FROM certificates.published ORDER BY month, business_unit", {}
    )
    assert [(row["month"], row["build_id"]) for row in published] == [
        ("2026-01", "build-1"),
        ("2026-01", "build-1"),
        ("2026-02", "build-2"),
        ("2026-02", "build-2"),
    ]


@pytest.mark.parametrize("broken", ["mart.fact_ticket", "mart.posting", "control.figure", "control.comparison"])
def test_changes_nothing_that_is_published_when_a_build_fails(
    broken: str, season: SmallSeason, world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento leaves every published byte as it was when a build fails in the middle, whatever the place."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    shown, digest = world.shown(), build_hash(world.warehouse, "build-1")
    models = altered(broken, lambda model: replace(model, sql=model.sql.replace("SELECT", "SELECT no_such_column,", 1)))
    monkeypatch.setattr(rebuild_bi, "catalog", lambda: models)
    later = ticket("T7", "S4", A, 900_000, "2026-02-11 10:00", "2026-02-12 08:00")
    world.keep_and_derive([season.platform("t7", "ticket.created", "2026-02-11 10:00", later)])
    with pytest.raises(TerminalError, match=broken.replace(".", "-")):
        world.rebuild("build-2")
    monkeypatch.undo()
    assert world.shown() == shown
    assert build_hash(world.warehouse, "build-1") == digest
    assert grains(world.rebuild("build-3").certified) == ALL


@pytest.mark.parametrize("step", range(len(rebuild_bi.STEPS) - 2))
def test_publishes_nothing_before_its_last_steps(
    step: int, season: SmallSeason, world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento shows nothing new if a build stops after any of the steps before publication."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    shown = world.shown()
    later = ticket("T7", "S4", A, 900_000, "2026-02-11 10:00", "2026-02-12 08:00")
    world.keep_and_derive([season.platform("t7", "ticket.created", "2026-02-11 10:00", later)])

    def stop(_build: object) -> None:
        raise TerminalError("stopped by the test")

    monkeypatch.setattr(rebuild_bi, "STEPS", (*rebuild_bi.STEPS[: step + 1], stop))
    with pytest.raises(TerminalError, match="stopped by the test"):
        world.rebuild("build-2")
    assert world.shown() == shown


def test_builds_no_build_twice(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses an id under which rows were written before: they would be counted twice."""
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    shown = world.shown()
    with pytest.raises(TerminalError, match="build build-1 was begun before; every build needs an id of its own"):
        world.rebuild("build-1")
    assert world.shown() == shown


def test_judges_what_is_published_and_has_gone(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento shows a published month empty, not stale, once both paths agree that nothing is left of it."""
    alone = ticket("T7", "S4", "unit-c", 900_000, "2026-02-11 10:00", "2026-02-12 08:00")
    world.keep_and_derive([*season.deliveries, season.platform("t7", "ticket.created", "2026-02-11 10:00", alone)])
    world.rebuild("build-1")
    assert any("unit-c" in row for row in world.shown())
    moved = {
        **alone,
        "createdAt": moment("2026-03-01 10:00"),
        "departureTimestamp": moment("2026-03-20 08:00")["value"],
    }
    moved["updatedAt"] = moment("2026-03-01 10:00")
    world.keep_and_derive([season.platform("t7-moved", "ticket.moved", "2026-03-01 10:00", moved)])
    result = world.rebuild("build-2")
    assert Grain("2026-02", "ARS", "unit-c") in grains(result.certified)
    assert not any("unit-c" in row for row in world.shown())


# The control path reads money by itself, exactly


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("ARS", "61", 6_100),
        ("ARS", "61.0", 6_100),
        ("ARS", "61.10", 6_110),
        ("ARS", "0.07", 7),
        ("ARS", "9999999999.99", 999_999_999_999),
        ("CLP", "61", 61),
        ("CLP", "61.00", 61),
        ("KWD", "61.105", 61_105),
    ],
)
def test_reads_major_units_exactly(
    currency: str, amount: str, minor: int, season: SmallSeason, world: SmallWorld
) -> None:
    """Asiento's control path reads a decimal of major units into the same minor units as the ledger path."""
    paid = {**payment(amount, "2026-02-11 10:00"), "currencyCode": currency}
    told = transaction("S9", A, "sale", "2026-02-11 10:00", 0, [paid])
    world.keep_and_derive([season.platform("s9", "transaction.completed", "2026-02-11 10:00", told)])
    result = world.rebuild("build-1")
    assert [judgement.figure("payments_captured") for judgement in result.certified] == [
        Figure("payments_captured", 1, minor, 1, minor)
    ]


@pytest.mark.parametrize(
    ("total", "reads"),
    [(scaled(12_345) + 1, None), (scaled(12_345), 12_345), (-scaled(5), -5)],
    ids=["between", "whole", "negative"],
)
def test_reads_scaled_units_exactly(total: int, reads: int | None, season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's control path refuses an amount that falls between two minor units, and names the ticket."""
    told = {**ticket("T7", "S4", A, 0, "2026-02-11 10:00", "2026-02-12 08:00"), "total": total}
    sold = transaction("S4", A, "sale", "2026-02-11 10:00", 0, [], tickets=[told])
    world.keep_and_derive([season.platform("s4", "transaction.completed", "2026-02-11 10:00", sold)])
    result = world.rebuild("build-1")
    fares = [row["fare_minor"] for row in world.warehouse.query("SELECT fare_minor FROM control.ticket", {})]
    assert fares == [reads]
    assert result.has_failed == (reads is None)
    if reads is None:
        assert any(f"ticket {hex_id('T7')} has no exact fare" in each for each in differences(result))


def test_lets_the_later_life_win_within_one_instant(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's two paths agree that of a sold and a given back ticket of one instant the latter stands, in any order."""
    told = ticket("T7", "S4", A, 900_000, "2026-02-11 10:00", "2026-02-12 08:00")
    season.platform("t7-gone", "ticket.updated", "2026-02-11 10:00", {**told, "status": "cancelled"})
    season.platform("t7", "ticket.created", "2026-02-11 10:00", told)
    world.keep_and_derive(season.deliveries)
    assert grains(world.rebuild("build-1").certified) == ALL
    rows = world.warehouse.query("SELECT is_live FROM control.ticket WHERE ticket_id = @id", {"id": hex_id("T7")})
    assert [row["is_live"] for row in rows] == [False]


def compared(
    world: SmallWorld,
    provider: str,
    kind: EntityKind,
    *,
    first: date = date(2025, 12, 1),
    last: date = date(2026, 2, 28),
    when: datetime = AS_OF - timedelta(hours=1),
    found: Sequence[Mismatch] = (),
) -> None:
    """Record a finished comparison of whole days with what the provider lists."""
    run = ReconciliationRun(
        run_id=f"run-{provider}-{kind.value}-{last}-{when:%H%M}",
        job="transactions",
        provider=provider,
        kind=kind,
        window=Window.of_days(first, last),
        started_at=when,
        ended_at=when,
        status=RunStatus.SUCCEEDED,
    )
    world.casebook.record_run(run, found)


def test_encodes_amounts_as_they_stand() -> None:
    """Asiento's tests write decimals as they stand, so that trailing zeros reach the control path."""
    assert encode(payment("61.10", "2026-02-11 10:00")).count(b'"amount": 61.10,') == 1
