"""Double entry: every event is booked, every month's movements add up, and nothing is accounted for by nobody."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from shared.bi.certification import Grain, catalog
from shared.bi.models import Model
from shared.domain.decisions import Choice
from shared.domain.deliveries import OPERATOR, Channel, Delivery
from shared.domain.entities import FIELDS
from shared.domain.facts import EntityKind
from shared.domain.times import to_ms
from shared.pipeline import rebuild_bi
from shared.pipeline.rebuild_bi import RebuildResult
from shared.providers.betterez import payloads as betterez
from shared.providers.mercadopago import payloads as mercadopago
from shared.providers.mercadopago import report_forms
from shared.providers.statement.payloads import LineType
from shared.providers.stripe import payloads as stripe
from shared.providers.toolkit import registry
from tests.bi.small_season import (
    A,
    B,
    Json,
    SmallSeason,
    SmallWorld,
    at,
    encode,
    hex_id,
    moment,
    payment,
    refund,
    scaled,
    ticket,
    transaction,
)
from tests.pipeline.test_rebuild_bi import compared

JAN_A, JAN_B, FEB_A = Grain("2026-01", "ARS", A), Grain("2026-01", "ARS", B), Grain("2026-02", "ARS", A)


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


def sell(
    season: SmallSeason,
    name: str,
    made: str,
    paid_minor: int,
    tickets: list[Json],
    *,
    status: str = "paid",
    **fees: int,
) -> None:
    """Sell tickets of unit A for cash; nothing is paid where `paid_minor` is 0."""
    payments = [payment(str(Decimal(paid_minor) / 100), made)] if paid_minor else []
    data = transaction(name, A, "sale", made, paid_minor, payments, tickets=tickets)
    data["transaction"]["status"] = status
    data["feesDetails"] = [{"total": scaled(minor)} for minor in fees.values()]
    season.platform(f"sold-{name}", "transaction.completed", made, data)


def give_back(
    season: SmallSeason,
    sold: Json,
    when: str,
    penalty_minor: int = 0,
    *,
    kind: str = "cancellation",
    status: str = "success",
) -> None:
    """Give a ticket of unit A back and tell of all of it."""
    name, fare = sold["ticketNumber"], sold["total"] // 1_000
    sale = next(each for each in ("S5", "S6", "S7", "S8") if hex_id(each) == sold["trxId"])
    back = refund(f"R{name}", name, f"C{name}", sale, A, when, kind, fare, penalty_minor)
    back["status"] = status
    if status != "success":
        back["payment"] = []
    gone = "changed" if kind == "change" else "cancelled"
    told = {**sold, "status": gone, "refundId": hex_id(f"R{name}"), "updatedAt": moment(when)}
    season.platform(f"{name}-gone", "ticket.updated", when, told)
    holder = transaction(f"C{name}", A, kind, when, 0, [], original=sale, refunds=[back])
    season.platform(f"{name}-holder", "transaction.completed", when, holder)


def every_way(season: SmallSeason) -> None:
    """Let every way in which a ticket, a payment or a refund may end happen once, on top of the season's table."""
    sold = "2026-01-12 10:00"
    tickets = [
        ticket("T7", "S5", A, 100_000, sold, "2026-01-13 08:00", status="void"),
        ticket("T8", "S5", A, 200_000, sold, "2026-01-14 08:00", status="expired"),
        ticket("T9", "S5", A, 300_000, sold, "2026-01-15 08:00", status="cancelled"),
        ticket(
            "T10",
            "S5",
            A,
            400_000,
            sold,
            "2026-01-16 08:00",
            status="redeemed",
            taxes=[{"calculated": scaled(38_000)}],
            commission=scaled(48_000),
        ),
        late := ticket("T11", "S5", A, 500_000, sold, "2026-01-17 08:00"),
    ]
    sell(season, "S5", sold, 1_505_000, tickets, service=5_000)
    give_back(season, late, "2026-02-03 09:00", 100_000)
    owed = ticket("T12", "S6", A, 600_000, sold, "2026-01-25 08:00")
    sell(season, "S6", sold, 600_000, [owed])
    give_back(season, owed, "2026-01-20 09:00", status="pending")
    taken_back = ticket("T13", "S7", A, 700_000, sold, "2026-01-26 08:00", status="void")
    sell(season, "S7", sold, 700_000, [taken_back], status="reversed")
    unpaid = ticket("T14", "S8", A, 800_000, sold, "2026-01-27 08:00", status="expired")
    sell(season, "S8", sold, 0, [unpaid], status="payment expired")


NOT_MOVEMENTS = {*Grain._fields, "build_id", "processor", "begun", "begun_minor", "ended", "ended_minor"}


def balances(world: SmallWorld, grain: Grain) -> dict[str, int]:
    """Return the closing balances of a month that are not zero; a debit is positive."""
    sql = (
        "SELECT account, closing_minor FROM viz.trial_balance WHERE month = @month AND currency = @currency "
        "AND business_unit = @business_unit AND closing_minor != 0"
    )
    rows = world.warehouse.query(sql, grain._asdict())
    return {str(row["account"]): int(str(row["closing_minor"])) for row in rows}


def movements(world: SmallWorld, model: str, grain: Grain) -> dict[str, object]:
    """Return the movements of a month that are not zero."""
    rows = world.warehouse.query(
        f"SELECT * FROM {model} WHERE month = @month AND business_unit = @business_unit",  # noqa: S608  one of our models
        grain._asdict(),
    )
    (row,) = rows
    return {name: value for name, value in row.items() if value and name not in NOT_MOVEMENTS}


def refusals(result: RebuildResult) -> dict[Grain, list[str]]:
    """Return which checks refused which months."""
    return {each.grain: [difference.check for difference in each.differences] for each in result.refused}


# What a bookkeeper gets by hand


def test_books_every_way_in_which_a_ticket_may_end(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's trial balance is the one that a bookkeeper draws up by hand, whatever became of tickets and payments."""
    every_way(season)
    world.keep_and_derive(season.deliveries)
    assert not world.rebuild("build-1").has_failed
    january = {
        "clearing:inperson": 1_500_000 - 450_000 + 1_505_000 + 600_000 + 700_000 - 700_000,
        "clearing:stripe": 1_034_567,
        "customer_deposits": -100_000,  # of the voided ticket: nothing says that it went back
        "unearned_fares": -800_000,  # T2 travels in February
        "refunds_payable": -600_000,
        "commission_payable": -48_000,
        "taxes_payable": -38_000,
        "fare_income": -(1_234_567 + 400_000 + 500_000),
        "forfeited_fares": -(200_000 + 300_000),
        "cancellation_income": -50_000,
        "service_fee_income": -5_000,
        "fare_taxes": 38_000,
        "agency_commission": 48_000,
    }
    assert balances(world, JAN_A) == january
    assert sum(january.values()) == 0
    assert balances(world, FEB_A) == {
        **{account: balance for account, balance in january.items() if account != "unearned_fares"},
        "clearing:inperson": january["clearing:inperson"] + 700_000 - 400_000,
        "fare_income": january["fare_income"] - 800_000 - 700_000 + 500_000,
        "cancellation_income": -150_000,
    }


def test_moves_unearned_fares_and_tickets_by_named_movements(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento says what moved unearned fares and how many tickets, and both come to what the tickets themselves say."""
    every_way(season)
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    assert movements(world, "mart.movement_unearned_fares", JAN_A) == {
        "issued_minor": 2_534_567 + 1_500_000 + 600_000 + 700_000 + 800_000,
        "refunded_minor": 500_000 + 600_000,
        "travelled_minor": 1_234_567 + 400_000 + 500_000,
        "expired_minor": 200_000,
        "forfeited_minor": 300_000,
        "voided_minor": 100_000 + 700_000 + 800_000,
        "closing_minor": 800_000,
    }
    assert movements(world, "mart.movement_unearned_fares", FEB_A) == {
        "opening_minor": 800_000,
        "issued_minor": 700_000,
        "issued_in_exchange_minor": 700_000,
        "exchanged_minor": 700_000,
        "travelled_minor": 800_000,
        "no_show_minor": 700_000,
    }
    assert movements(world, "mart.movement_tickets", JAN_A) == {
        "issued": 3 + 8,
        "refunded": 2,
        "travelled": 3,
        "expired": 1,
        "forfeited": 1,
        "voided": 3,
        "closing": 1,
    }


def test_keeps_a_month_as_it_was_when_a_ticket_goes_back_after_its_trip(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento takes a refund after departure off the month of the refund; the month of the trip stays as it was certified."""
    late = ticket("T11", "S5", A, 500_000, "2026-01-12 10:00", "2026-01-17 08:00")
    sell(season, "S5", "2026-01-12 10:00", 500_000, [late])
    before = list(season.deliveries)
    world.keep_and_derive(before)
    first = world.rebuild("build-1")
    january = balances(world, JAN_A)
    give_back(season, late, "2026-02-03 09:00", 100_000)
    world.keep_and_derive(season.deliveries[len(before) :])
    second = world.rebuild("build-2")
    assert not second.has_failed
    assert balances(world, JAN_A) == january
    figures = {each.grain: each.figures for each in first.certified}
    assert {each.grain: each.figures for each in second.certified}[JAN_A] == figures[JAN_A]
    assert balances(world, FEB_A)["fare_income"] == january["fare_income"] - 800_000 - 700_000 + 500_000


def test_builds_the_same_movements_later(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento says the same of January on 2 February and on 2 March: months are dated by what happened, not by the build."""
    every_way(season)
    until_february = [each for each in season.deliveries if each.received_at < at("2026-02-01 00:10")]
    world.keep_and_derive(until_february)
    rebuild_bi.rebuild(world.rebuilding, build_id="build-1", as_of=datetime(2026, 2, 2, 12, tzinfo=UTC))
    told = [movements(world, f"mart.movement_{each}", JAN_A) for each in ("unearned_fares", "tickets")]
    stood = balances(world, JAN_A)
    world.keep_and_derive([each for each in season.deliveries if each not in until_february])
    world.rebuild("build-2")
    world.warehouse.execute("DELETE FROM mart.movement_unearned_fares WHERE build_id = 'build-1'", {}, job_id="forget")
    world.warehouse.execute("DELETE FROM mart.movement_tickets WHERE build_id = 'build-1'", {}, job_id="forget-too")
    assert [movements(world, f"mart.movement_{each}", JAN_A) for each in ("unearned_fares", "tickets")] == told
    assert balances(world, JAN_A) == stood


# Money at processors


def test_clears_what_a_processor_settles_and_pays_out(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento takes fee and payout off what the processor holds: what it settled whole leaves nothing behind."""
    season.tell_of_seats_and_settlements()
    world.keep_and_derive(season.deliveries)
    assert not world.rebuild("build-1").has_failed
    told = balances(world, JAN_A)
    assert "clearing:stripe" not in told
    assert (told["bank"], told["processor_fees"]) == (1_000_000, 34_567)


def wallet_fee(season: SmallSeason) -> None:
    """Have Mercado Pago tell the fee of its payment, 100.50."""
    document: Json = {
        "id": 88,
        "status": "approved",
        "transaction_amount": Decimal("3000.50"),
        "currency_id": "ARS",
        "live_mode": True,
        "external_reference": hex_id("S3"),
        "fee_details": [{"amount": Decimal("100.50"), "fee_payer": "collector"}],
        "date_created": "2026-01-31T22:30:00.000-04:00",
        "date_approved": "2026-01-31T22:30:00.000-04:00",
        "date_last_updated": "2026-01-31T22:35:00.000-04:00",
    }
    season.fetch("mercadopago", "GET /v1/payments/88", document, "2026-01-31 23:36")


RELEASE_HEADER = (
    "DATE;SOURCE_ID;RECORD_TYPE;DESCRIPTION;NET_CREDIT_AMOUNT;NET_DEBIT_AMOUNT;GROSS_AMOUNT;MP_FEE_AMOUNT;TAXES_AMOUNT"
)


def report(season: SmallSeason, *rows: str, header: str = RELEASE_HEADER, name: str = "release.csv") -> None:
    """Take in a report of Mercado Pago."""
    received_at = at("2026-02-20 10:00") + timedelta(minutes=len(season.deliveries))
    body = "\n".join((header, *rows)).encode()
    season.keep(Delivery(f"delivery-9{name}", "mercadopago", Channel.FILE, received_at, name, {}, body))


def test_books_a_fee_once_whoever_tells_it(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento books the fee that a payment tells, replaces it by what the balance tells, and counts one report of two."""
    wallet_fee(season)
    report(
        season,
        "2026-02-05T10:00:00.000-04:00;88;release;payment;2890.50;0.00;3000.50;-100.50;-9.50",
        "2026-02-06T10:00:00.000-04:00;;release;payout;0.00;2000.00;-2000.00;0.00;0.00",
        "2026-02-07T10:00:00.000-04:00;;release;correction;0.00;3.00;-3.00;0.00;0.00",
    )
    report(
        season,
        "2026-02-04T10:00:00.000-04:00;88;SETTLEMENT;3000.50;-110.00;2890.50",
        header="TRANSACTION_DATE;SOURCE_ID;TRANSACTION_TYPE;TRANSACTION_AMOUNT;FEE_AMOUNT;SETTLEMENT_NET_AMOUNT",
        name="settlement.csv",
    )
    world.keep_and_derive(season.deliveries)
    assert not world.rebuild("build-1").has_failed
    assert balances(world, JAN_B)["processor_fees"] == 10_050
    february = Grain("2026-02", "ARS", B)
    assert balances(world, february)["processor_fees"] == 11_000
    assert balances(world, february)["clearing:mercadopago"] == 300_050 - 11_000
    unassigned = world.warehouse.query(
        "SELECT account, closing_minor FROM mart.trial_balance WHERE business_unit = 'unassigned' AND month = '2026-02'",
        {},
    )
    assert {row["account"]: row["closing_minor"] for row in unassigned} == {
        "bank": 200_000,
        "suspense": 300,
        "clearing:mercadopago": -200_300,
    }


def test_refuses_the_month_of_a_payment_settled_otherwise(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the month in which a processor settles a cent less than was taken, and names the payment."""
    report(season, "2026-02-05T10:00:00.000-04:00;88;release;payment;3000.49;0.00;3000.49;0.00;0.00")
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert refusals(result) == {Grain("2026-02", "ARS", B): ["mart.movement_settlement.settles_what_was_captured"]}
    assert "took 300050 and mercadopago settles 300049 by its report release" in result.refused[0].differences[0].text


def test_writes_off_what_a_person_gives_up(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento books what a person writes off on the day and in the business unit of it, and nothing for what is accepted."""
    world.providers[OPERATOR] = registry.load(OPERATOR)
    for choice, subject in (
        ("write_off", f"ticket:betterez:{hex_id('T5')} amount_differs"),
        ("accept", "delivery-0001"),
    ):
        body = {
            "type": "decision.made",
            "exception_id": hex_id(choice) + hex_id(subject) + "0" * 16,
            "exception_kind": "difference",
            "subject": subject,
            "decision": choice,
            "reason": "not worth a letter",
            "decided_by": "mlopez",
            "decided_at_ms": to_ms(at("2026-02-11 10:00")),
            "evidence_digest": "d" * 64,
            "at_risk": {"amount_minor": 250, "currency": "ARS"},
        }
        told = Delivery(
            f"delivery-8{choice}", OPERATOR, Channel.MANUAL, at("2026-02-11 10:00"), "decide", {}, encode(body)
        )
        season.keep(told)
    world.keep_and_derive(season.deliveries)
    assert not world.rebuild("build-1").has_failed
    told_off = {account: balances(world, FEB_A).get(account) for account in ("write_offs", "suspense")}
    assert told_off == {"write_offs": 250, "suspense": -250}


# Nothing is accounted for by nobody


def test_has_a_rule_for_every_word_that_a_provider_may_say(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento's books account for every state that any provider's words can put an entity into."""
    world.keep_and_derive(season.deliveries[:1])
    world.rebuild("build-1")
    rows = world.warehouse.query("SELECT kind, field, state FROM mart.movement_rule", {})
    ruled: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        ruled.setdefault((str(row["kind"]), str(row["field"])), set()).add(str(row["state"]))
    lines = {
        *report_forms.DESCRIPTION_LINE_TYPES.values(),
        *report_forms.RECORD_LINE_TYPES.values(),
        *report_forms.TRANSACTION_LINE_TYPES.values(),
        *get_args(LineType),
        *("movement", "payout", "dispute", "other", "statement"),
    }
    said = {
        ("sale", "sale_type"): {*betterez.SALE_TYPES.values()},
        ("sale", "status"): {*betterez.SALE_STATUSES.values()},
        ("ticket", "status"): {*betterez.TICKET_STATUSES.values()},
        ("payment", "status"): {
            *betterez.PAYMENT_STATUSES.values(),
            *stripe.CHARGE_STATUSES.values(),
            *mercadopago.PAYMENT_STATUSES.values(),
        },
        ("refund", "status"): {
            *betterez.REFUND_STATUSES.values(),
            *stripe.REFUND_STATUSES.values(),
            *mercadopago.REFUND_STATUSES.values(),
        },
        ("refund", "refund_type"): {"cash", "exchange"},
        ("settlement_line", "line_type"): lines,
        ("decision", "decision"): {choice.value for choice in Choice},
    }
    assert said.items() <= ruled.items()
    assert ruled.keys() == said.keys()
    assert all(field in FIELDS[EntityKind(kind)] for kind, field in ruled)


def altered(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> None:
    """Put other SQL into a model; what is replaced must be there."""

    def change(model: Model) -> Model:
        if model.name != name:
            return model
        assert old in model.sql
        return replace(model, sql=model.sql.replace(old, new))

    models = tuple(change(model) for model in catalog())
    monkeypatch.setattr(rebuild_bi, "catalog", lambda: models)


def test_refuses_the_months_of_a_state_without_a_rule(
    season: SmallSeason, world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento refuses exactly the months of entities in a state that nobody accounts for, and names the state."""
    altered(monkeypatch, "mart.movement_rule", "'ticket', 'status', 'no_show'", "'ticket', 'status', 'asleep'")
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert refusals(result) == {FEB_A: ["mart.movement_rule.covers_every_state"]}
    assert "more have status no_show, for which the books have no rule" in result.refused[0].differences[0].text


NEW_TYPE = """  UNION ALL
  SELECT 'seat_upgraded', ticket, 'fare_minor', issued_day, currency, business_unit, CAST(NULL AS STRING), 100
  FROM tickets
  WHERE changed_from IS NOT NULL
  UNION ALL
  SELECT 'written_off'"""


def test_refuses_the_months_of_a_movement_that_the_identities_do_not_know(
    season: SmallSeason, world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento refuses the months of a new type of entry that balances and that no identity accounts for."""
    rule = "  STRUCT('seat_upgraded', 'customer_deposits', FALSE, 1),\n  STRUCT('seat_upgraded', 'unearned_fares', FALSE, -1),\n"
    models = {
        "mart.journal_entry": lambda sql: sql.replace("  UNION ALL\n  SELECT 'written_off'", NEW_TYPE),
        "mart.posting_rule": lambda sql: sql.replace("  STRUCT('paid_out'", rule + "  STRUCT('paid_out'", 1),
    }
    changed = tuple(
        replace(model, sql=models[model.name](model.sql)) if model.name in models else model for model in catalog()
    )
    monkeypatch.setattr(rebuild_bi, "catalog", lambda: changed)
    world.keep_and_derive(season.deliveries)
    assert refusals(world.rebuild("build-1")) == {
        FEB_A: [
            "mart.movement_unearned_fares.knows_every_movement",
            "mart.movement_unearned_fares.closing_is_the_balance",
            "mart.movement_tickets.knows_every_movement",
        ]
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "refused"),
    [
        (
            "mart.posting_rule",
            "  STRUCT('no_show_kept', 'unearned_fares', FALSE, 1),\n",
            "",
            {
                FEB_A: {
                    "mart.posting.every_entry_is_posted",
                    "mart.posting.sums_to_zero",
                    "mart.trial_balance.debits_are_credits",
                    "mart.movement_unearned_fares.opening_and_movements_are_closing",
                    "mart.movement_unearned_fares.closing_is_the_balance",
                    "mart.movement_tickets.sold_is_what_became_of_them",
                }
            },
        ),
        (
            "mart.journal_entry",
            "refunded_day, currency, business_unit, CAST(NULL AS STRING), item_minor\n",
            "refunded_day, currency, business_unit, CAST(NULL AS STRING),\n    item_minor - IF(refund_type = 'cash', 1, 0)\n",
            {
                JAN_A: {
                    "mart.movement_unearned_fares.opening_and_movements_are_closing",
                    "mart.movement_unearned_fares.closing_is_the_balance",
                }
            },
        ),
        (
            "mart.movement_cohort",
            "WHERE build_id = @build_id",
            "WHERE build_id = @build_id AND status != 'exchanged'",
            {
                FEB_A: {
                    "mart.movement_unearned_fares.opening_and_movements_are_closing",
                    "mart.movement_tickets.sold_is_what_became_of_them",
                }
            },
        ),
        (
            "mart.journal_entry",
            "  SELECT 'payment_captured'",
            "  SELECT 'payment_reversed'",
            {
                grain: {
                    "mart.movement_clearing.opening_and_movements_are_closing",
                    "mart.movement_clearing.closing_is_the_balance",
                }
                for grain in (JAN_A, JAN_B, FEB_A)
            },
        ),
    ],
    ids=["a-leg-less", "a-cent-less", "a-ticket-less", "the-wrong-way"],
)
def test_refuses_what_does_not_add_up(  # noqa: PLR0917  the case's columns and the fixtures
    name: str,
    old: str,
    new: str,
    refused: dict[Grain, set[str]],
    season: SmallSeason,
    world: SmallWorld,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asiento refuses exactly the months in which a rule, an entry or a count is wrong, by the names of what is off."""
    altered(monkeypatch, name, old, new)
    world.keep_and_derive(season.deliveries)
    found = refusals(world.rebuild("build-1"))
    assert {grain: set(checks) for grain, checks in found.items()} == refused


SOLD, DEPARTS = "2026-01-12 10:00", "2026-01-17 08:00"
WHOLE = "mart.movement_cohort.is_given_back_by_one_refund"


def refunded(season: SmallSeason, item_minor: int, **changes: object) -> None:
    """Sell T11 for 5,000.00 and tell of a refund; `changes` is what the ticket says of itself afterwards."""
    sold = ticket("T11", "S5", A, 500_000, SOLD, DEPARTS)
    sell(season, "S5", SOLD, 500_000, [sold])
    back = refund("R11", "T11", "C11", "S5", A, "2026-01-15 09:00", "cancellation", item_minor, 0)
    holder = transaction("C11", A, "cancellation", "2026-01-15 09:00", 0, [], original="S5", refunds=[back])
    season.platform("c11", "transaction.completed", "2026-01-15 09:00", holder)
    if changes:
        told = {**sold, **changes, "updatedAt": moment("2026-01-15 09:00")}
        season.platform("t11-again", "ticket.updated", "2026-01-15 09:00", told)


def refunded_twice(season: SmallSeason) -> None:
    """Tell of two refunds of one ticket."""
    refunded(season, 500_000, status="cancelled")
    again = refund("R12", "T11", "C11", "S5", A, "2026-01-16 09:00", "cancellation", 500_000, 0)
    season.platform("r12", "refund.created", "2026-01-16 09:00", again)


def exchanged_for_nothing(season: SmallSeason) -> None:
    """Tell that a ticket was changed, and of nothing that it was changed by."""
    sell(season, "S5", SOLD, 500_000, [ticket("T11", "S5", A, 500_000, SOLD, DEPARTS, status="changed")])


def awaited_refund(season: SmallSeason) -> None:
    """Tell of a cancelled ticket whose refund never comes."""
    gone = ticket("T11", "S5", A, 500_000, SOLD, DEPARTS, status="cancelled", refundId=hex_id("R11"))
    sell(season, "S5", SOLD, 500_000, [gone])


def standing_ticket(season: SmallSeason) -> None:
    """Tell of a ticket that stands in a sale that was taken back."""
    sell(season, "S5", SOLD, 500_000, [ticket("T11", "S5", A, 500_000, SOLD, DEPARTS)], status="reversed")


def cancellation_fee(season: SmallSeason) -> None:
    """Tell of a cancellation with a fee of its own."""
    holder = transaction("C11", A, "cancellation", "2026-01-15 09:00", 0, [], original="S1")
    holder["feesDetails"] = [{"total": scaled(700)}]
    season.platform("c11", "transaction.completed", "2026-01-15 09:00", holder)


@pytest.mark.parametrize(
    ("tell", "check", "says"),
    [
        (lambda season: refunded(season, 500_000), WHOLE, "which is open"),
        (lambda season: refunded(season, 400_000, status="cancelled"), WHOLE, "gives back 400000 of"),
        (refunded_twice, WHOLE, "is given back by 2 refunds"),
        (exchanged_for_nothing, WHOLE, "is exchanged and no refund tells of it"),
        (awaited_refund, WHOLE, "is refunded and no refund tells of it"),
        (standing_ticket, "mart.movement_cohort.stands_in_a_standing_sale", "is open and its sale is reversed"),
        (cancellation_fee, "mart.journal_entry.has_no_fee_of_a_cancellation", "a cancellation with fees of 700"),
    ],
    ids=["of-a-standing-ticket", "of-a-part", "twice", "for-nothing", "awaited", "reversed", "fee"],
)
def test_names_what_contradicts_itself(
    tell: Callable[[SmallSeason], None], check: str, says: str, season: SmallSeason, world: SmallWorld
) -> None:
    """Asiento refuses the month, and only it, in which tickets, refunds and sales contradict each other, and says how."""
    tell(season)
    world.keep_and_derive(season.deliveries)
    found = [each for judgement in world.rebuild("build-1").refused for each in judgement.differences]
    assert {each.month for each in found} == {"2026-01"}
    assert [each for each in found if each.check == check and says in each.text]


def test_refuses_a_movement_that_says_nothing(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses the month of a movement of a balance that names neither payment nor refund nor purpose."""
    movement = {
        "id": "txn_9",
        "object": "balance_transaction",
        "amount": -900,
        "fee": 0,
        "net": -900,
        "currency": "ars",
    }
    told = {**movement, "type": "adjustment", "status": "available", "created": 1_767_790_800}
    season.fetch("stripe", "GET /v1/balance_transactions/txn_9", told, "2026-01-07 11:00")
    world.keep_and_derive(season.deliveries)
    assert {check for checks in refusals(world.rebuild("build-1")).values() for check in checks} == {
        "mart.movement_settlement.says_what_it_moved"
    }


def refund_settled_without_words(season: SmallSeason, world: SmallWorld) -> None:
    """Take in an export with the movement of a refund, and read it as if it had no word for what it is."""
    world.misread("stripe", lambda values: {name: value for name, value in values.items() if name != "description"})
    body = (
        b"id,type,source,amount,fee,net,currency,status,created,payout_id\n"
        b"txn_8,refund,re_8,-900,0,-900,ars,available,2026-02-12 10:00:00,\n"
    )
    season.keep(Delivery("delivery-9export", "stripe", Channel.FILE, at("2026-02-20 10:00"), "balance.csv", {}, body))


def test_lets_pass_what_only_looks_wrong(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento certifies in spite of a charge that nothing links, a refund that failed first, and a movement without words.

    Only the platform must name a business unit; one refund of the two gave the ticket back; the movement names its refund.
    """
    season.charge("ch_9", 900, "2026-02-12 10:00")
    refunded(season, 500_000, status="cancelled")
    failed = refund("R12", "T11", "C11", "S5", A, "2026-01-14 09:00", "cancellation", 500_000, 0)
    season.platform("r12", "refund.created", "2026-01-14 09:00", {**failed, "status": "error", "payment": []})
    refund_settled_without_words(season, world)
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    assert refusals(result) == {}
    assert Grain("2026-02", "ARS", "unassigned") in [each.grain for each in result.certified]
    (line,) = world.warehouse.query("SELECT line_type, payment, refund, description FROM staging.settlement_line", {})
    assert line == {"line_type": "movement", "payment": None, "refund": "refund:stripe:re_8", "description": None}


def test_refuses_every_month_for_a_refund_without_a_day(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses every month of the unit that a refund is of while it does not know the day, and names the refund."""
    world.misread(
        "betterez", lambda values: {name: value for name, value in values.items() if name != "refunded_at_ms"}
    )
    world.keep_and_derive(season.deliveries)
    result = world.rebuild("build-1")
    unplaced = {
        (each.grain, difference.text.partition(" lacks")[0])
        for each in result.refused
        for difference in each.differences
        if difference.check == "mart.fact_refund.can_be_placed"
    }
    given_back = [f"refund:betterez:{hex_id(name)}" for name in ("R3", "R5")]
    assert unplaced == {(grain, name) for grain in (JAN_A, FEB_A) for name in given_back}


def test_takes_no_other_comparison_for_an_answer(season: SmallSeason, world: SmallWorld) -> None:
    """Asiento refuses a month for what it cannot read until that month was compared with the provider that sent it.

    Another month of the same provider and the same month of another provider answer nothing.
    """
    season.post("betterez", "", b'{"id": "event-cut", "created": 17', "2026-02-11 10:00")
    world.keep_and_derive(season.deliveries)
    compared(world, "betterez", EntityKind.TICKET, last=date(2026, 1, 31))
    compared(world, "mercadopago", EntityKind.PAYMENT)
    unanswered = ["control.unsettled.nothing_unread_is_unanswered"]
    assert refusals(world.rebuild("build-1")) == {FEB_A: unanswered, Grain("2026-02", "ARS", B): unanswered}


def test_refuses_every_month_for_a_rule_that_is_not_of_the_chart(
    season: SmallSeason, world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento refuses all months while a rule posts to an account that its chart does not have, used or not."""
    altered(monkeypatch, "mart.posting_rule", "('no_show_kept', 'unearned_fares'", "('no_show_kept', 'unearned_fairs'")
    world.keep_and_derive(season.deliveries)
    found = refusals(world.rebuild("build-1"))
    assert found.keys() >= {JAN_A, JAN_B, FEB_A}
    assert all("mart.posting_rule.uses_the_chart" in names for names in found.values())
