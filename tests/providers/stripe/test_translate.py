"""Asiento reads Stripe: charges, refunds, payouts, disputes and movements, all in minor units."""

import csv
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.domain.deliveries import Channel, Delivery
from shared.domain.entities import FIELDS
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Reading
from shared.providers.stripe import payloads
from shared.providers.stripe.capabilities import CAPABILITIES
from shared.providers.stripe.translate import read
from shared.providers.toolkit.payload_models import read_as
from tests.providers.deliveries import RECEIVED_AT, exact_json, fetched, webhook

SALE_ID = "65f0c2a1b2c3d4e5f6a7b8c9"
CREATED_S = 1_722_956_571
Document = dict[str, Any]

COLLECTIONS = {
    "charge": "charges",
    "refund": "refunds",
    "payout": "payouts",
    "dispute": "disputes",
    "balance_transaction": "balance_transactions",
}


def charge(**changes: Any) -> Document:
    """Return a captured charge of 20.00."""
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 2000,
        "amount_captured": 2000,
        "amount_refunded": 0,
        "captured": True,
        "refunded": False,
        "currency": "ars",
        "created": CREATED_S,
        "status": "succeeded",
        "livemode": True,
        "billing_details": {"name": "Ana Peralta", "email": "ana@example.org"},
        "metadata": {"trx_id": SALE_ID, "account_id": "account-1"},
        "payment_method_details": {"type": "card"},
        **changes,
    }


def event(event_type: str, thing: Mapping[str, Any], **changes: Any) -> Reading:
    """Read one webhook."""
    body = {
        "id": "evt_1",
        "object": "event",
        "type": event_type,
        "created": CREATED_S + 9,
        "livemode": True,
        "pending_webhooks": 1,
        "data": {"object": thing},
        **changes,
    }
    return read(webhook("stripe", body))


def held(event_type: str, thing: Mapping[str, Any], **changes: Any) -> Quarantine:
    """Return why a webhook is held."""
    with pytest.raises(UnreadableError) as unreadable:
        event(event_type, thing, **changes)
    return unreadable.value.reason


def test_reads_a_charge() -> None:
    """Asiento reads a charge as a payment that is evidence for a sale of the platform."""
    reading = event("charge.succeeded", charge())
    (payment,) = reading.facts
    assert reading.event_key == "stripe:evt_1"
    assert payment.key == EntityKey(EntityKind.PAYMENT, "stripe", "ch_1")
    assert payment.version == ((CREATED_S + 9) * 1000, 2)
    assert payment.values == {
        "sale": f"sale:betterez:{SALE_ID}",
        "amount_minor": 2000,
        "currency": "ARS",
        "business_unit": "account-1",
        "method": "card",
        "processor": "stripe",
        "status": "success",
        "paid_at_ms": CREATED_S * 1000,
    }


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "success"),
        ({"captured": False, "amount_captured": 0}, "pending"),
        ({"captured": False, "amount_captured": 0, "refunded": True, "amount_refunded": 2000}, "failed"),
        ({"status": "pending"}, "pending"),
        ({"status": "failed", "captured": False, "amount_captured": 0}, "failed"),
        ({"refunded": True, "amount_refunded": 2000}, "refunded"),
        ({"amount_refunded": 500}, "success"),
    ],
)
def test_knows_what_became_of_a_charge(changes: Mapping[str, Any], status: str) -> None:
    """Asiento counts only captured money, and a charge as refunded only when all of it went back."""
    (payment,) = event("charge.updated", charge(**changes)).facts
    assert payment.values["status"] == status


def test_later_in_life_is_later_in_the_same_second() -> None:
    """Asiento puts the refund of a charge after the charge where both are told in one second."""
    (paid,) = event("charge.succeeded", charge()).facts
    (refunded,) = event("charge.refunded", charge(refunded=True, amount_refunded=2000)).facts
    assert paid.version.at_ms == refunded.version.at_ms
    assert paid.version < refunded.version


def test_holds_a_capture_in_part() -> None:
    """Asiento does not take an authorised amount for the part of it that was captured."""
    assert held("charge.captured", charge(amount_captured=1500)) is Quarantine.IDENTITY_BROKEN


def test_reads_the_refunds_inside_a_charge() -> None:
    """Asiento reads refunds that older API versions tell inside their charge."""
    refund = {
        "id": "re_1",
        "amount": 500,
        "currency": "ars",
        "created": CREATED_S,
        "status": "succeeded",
        "charge": "ch_1",
    }
    payment, back = event("charge.refunded", charge(amount_refunded=500, refunds={"data": [refund]})).facts
    assert "refunded_minor" not in payment.values  # what went back is said by refunds
    assert back.values == {
        "payment": "payment:stripe:ch_1",
        "amount_minor": 500,
        "currency": "ARS",
        "status": "success",
        "refunded_at_ms": CREATED_S * 1000,
    }


@pytest.mark.parametrize("event_type", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("succeeded", "success"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_reads_a_refund(event_type: str, theirs: str, ours: str) -> None:
    """Asiento reads a refund under each event that tells one; that it is cash is for the platform to say."""
    thing = {
        "id": "re_1",
        "amount": 500,
        "currency": "ars",
        "created": CREATED_S,
        "status": theirs,
        "charge": "ch_1",
        "metadata": {"trx_id": SALE_ID},
    }
    (refund,) = event(event_type, thing).facts
    assert refund.key == EntityKey(EntityKind.REFUND, "stripe", "re_1")
    assert refund.values["status"] == ours
    assert refund.values["sale"] == f"sale:betterez:{SALE_ID}"
    assert "refund_type" not in refund.values


def test_reads_a_payout_and_a_dispute() -> None:
    """Asiento reads what reaches the bank as positive and what is taken back as negative."""
    payout = {
        "id": "po_1",
        "amount": 1100,
        "currency": "ars",
        "arrival_date": CREATED_S + 86_400,
        "created": CREATED_S,
        "status": "paid",
        "livemode": True,
        "metadata": {"account_id": "account-1"},
    }
    dispute = {
        "id": "dp_1",
        "amount": 2000,
        "charge": "ch_1",
        "currency": "ars",
        "created": CREATED_S,
        "status": "lost",
        "livemode": True,
        "metadata": {},
    }
    (paid_out,) = event("payout.paid", payout).facts
    (taken_back,) = event("charge.dispute.closed", dispute).facts
    assert paid_out.values == {
        "line_type": "payout",
        "net_minor": 1100,
        "currency": "ARS",
        "business_unit": "account-1",
        "status": "paid",
        "settled_at_ms": (CREATED_S + 86_400) * 1000,
    }
    assert taken_back.values == {
        "line_type": "dispute",
        "payment": "payment:stripe:ch_1",
        "gross_minor": -2000,
        "currency": "ARS",
        "status": "lost",
        "settled_at_ms": CREATED_S * 1000,
    }


def test_a_fetched_charge_says_what_a_pushed_one_says() -> None:
    """Asiento learns neither more nor less from a fetched charge than from its webhook, so a loss leaves no trace."""
    (pushed,) = event("charge.succeeded", charge()).facts
    (pulled,) = read(fetched("stripe", "/v1/charges/ch_1", charge())).facts
    assert (pulled.key, pulled.values) == (pushed.key, pushed.values)


def test_a_fetched_state_stands_at_its_arrival() -> None:
    """Asiento orders fetched Stripe objects by their arrival, for they tell no version: a state may come back."""
    first = read(fetched("stripe", "/v1/charges/ch_1", charge()))
    later = read(fetched("stripe", "/v1/charges/ch_1", charge(), RECEIVED_AT + timedelta(seconds=1)))
    assert first.facts[0].version < later.facts[0].version
    assert first.event_key != later.event_key
    assert first.content_digest == later.content_digest


def test_a_second_attempt_is_the_same_event() -> None:
    """Asiento sees one event where only the number of endpoints that still wait for it differs."""
    first = event("charge.succeeded", charge())
    again = event("charge.succeeded", charge(), pending_webhooks=0)
    assert first.content_digest == again.content_digest


def test_does_not_take_any_reference_for_a_sale() -> None:
    """Asiento links a charge to a sale only by what looks like a transaction id."""
    (payment,) = event("charge.succeeded", charge(metadata={"trx_id": "order 12"})).facts
    assert "sale" not in payment.values


@pytest.mark.parametrize("event_type", ["payment_intent.succeeded", "customer.created", "checkout.session.completed"])
def test_applies_events_without_money(event_type: str) -> None:
    """Asiento knows the events whose money is told by a charge."""
    assert event(event_type, {"id": "x"}).facts == ()


@pytest.mark.parametrize("event_type", ["transfer.created", "issuing_authorization.created", "topup.succeeded", "x"])
def test_holds_events_that_it_does_not_know(event_type: str) -> None:
    """Asiento holds events of a kind that it has no place for."""
    assert held(event_type, {"id": "x"}) is Quarantine.UNKNOWN_EVENT_TYPE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": Decimal("20.5")}, Quarantine.WRONG_TYPE),
        ({"amount": True}, Quarantine.WRONG_TYPE),
        ({"currency": "xau"}, Quarantine.UNKNOWN_CURRENCY),
        ({"status": "perhaps"}, Quarantine.UNKNOWN_STATUS),
        ({"livemode": False}, Quarantine.TEST_MODE),
        ({"amount": 10**16, "amount_captured": 10**16}, Quarantine.AMOUNT_OUT_OF_RANGE),
        ({"id": "ch/1"}, Quarantine.WRONG_TYPE),
    ],
)
def test_holds_what_is_not_as_the_contract_says(changes: Mapping[str, Any], reason: Quarantine) -> None:
    """Asiento names why a charge that breaks its contract is held."""
    assert held("charge.succeeded", charge(**changes)) is reason


@pytest.mark.parametrize(
    ("channel", "target", "reason"),
    [
        (Channel.MANUAL, "/stripe", Quarantine.UNSUPPORTED_ENCODING),
        (Channel.FETCH, "GET /v1/transfers/tr_1", Quarantine.UNKNOWN_EVENT_TYPE),
        (Channel.FETCH, "GET /v1/charges/ch_2", Quarantine.IDENTITY_BROKEN),
    ],
)
def test_holds_what_it_did_not_ask_for(channel: Channel, target: str, reason: Quarantine) -> None:
    """Asiento holds what comes by a channel of others, answers of other collections, and an answer about another charge."""
    delivery = Delivery("d", "stripe", channel, RECEIVED_AT, target, {}, exact_json(charge()))
    with pytest.raises(UnreadableError) as unreadable:
        read(delivery)
    assert unreadable.value.reason is reason


def test_keeps_test_mode_out() -> None:
    """Asiento holds events of test mode."""
    assert held("charge.succeeded", charge(), livemode=False) is Quarantine.TEST_MODE


def test_holds_a_movement_that_does_not_add_up() -> None:
    """Asiento holds a movement whose amount less fee is not its net."""
    movement = {
        "id": "txn_1",
        "amount": 100,
        "fee": 3,
        "net": 98,
        "currency": "usd",
        "created": 1,
        "status": "available",
        "type": "charge",
    }
    with pytest.raises(UnreadableError) as unreadable:
        read(fetched("stripe", "/v1/balance_transactions/txn_1", movement))
    assert unreadable.value.reason is Quarantine.IDENTITY_BROKEN


def resources(folder: Path) -> dict[str, Document]:
    """Return Stripe's own fixtures, failing where some have gone."""
    found: dict[str, Document] = json.loads((folder / "stripe" / "fixtures3.json").read_text())["resources"]
    assert len(found) == 176
    return found


def test_reads_every_resource_of_stripe_that_is_money(outside_data: Path) -> None:
    """Asiento reads every charge, refund, payout, dispute and movement of Stripe's own fixtures, each to its amount."""
    amounts = {"charge": 100, "refund": 100, "payout": 1100, "dispute": -1000, "balance_transaction": 100}
    read_kinds = set()
    for resource in resources(outside_data).values():
        kind = resource.get("object")
        if kind not in COLLECTIONS:
            continue
        live = {**resource, "livemode": True} if "livemode" in resource else resource
        (fact,) = read(fetched("stripe", f"/v1/{COLLECTIONS[kind]}/{resource['id']}", live)).facts
        stated = [fact.values[name] for name in ("amount_minor", "gross_minor", "net_minor") if name in fact.values]
        assert stated[0] == amounts[kind]
        assert all(type(value) is FIELDS[fact.key.kind][name].type for name, value in fact.values.items())
        read_kinds.add(kind)
    assert read_kinds == set(COLLECTIONS)


def test_parses_every_event_around_every_resource(outside_data: Path) -> None:
    """Asiento reads the fixtures' event, and understands or holds that event around each of the 176 resources."""
    found = resources(outside_data)
    envelope = {**found["event"], "livemode": True}
    assert read_as(payloads.Event, envelope).type == "plan.created"
    assert read(webhook("stripe", envelope)).facts == ()
    for resource in found.values():
        for event_type in CAPABILITIES.event_types:
            body = {**envelope, "type": event_type, "data": {"object": resource}}
            try:
                assert read(webhook("stripe", body)).facts
            except UnreadableError as unreadable:
                assert unreadable.reason in Quarantine  # noqa: PT017  which of them depends on the resource


def test_real_movements_add_up(outside_data: Path) -> None:
    """Asiento finds amount less fee equal to net on all nine movements of a real export."""
    path = outside_data / "stripe" / "fivetran_stripe_seeds" / "balance_transaction_data.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        movement = {
            "id": row["id"],
            "amount": int(row["amount"]),
            "fee": int(row["fee"]),
            "net": int(row["net"]),
            "currency": row["currency"],
            "created": CREATED_S,
            "status": row["status"],
            "type": row["type"],
        }
        (line,) = read(fetched("stripe", f"/v1/balance_transactions/{row['id']}", movement)).facts
        assert line.values["net_minor"] == int(row["net"])
    assert len(rows) == 9
