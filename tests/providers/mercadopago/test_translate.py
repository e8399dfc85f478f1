"""Asiento reads Mercado Pago: a notification makes it fetch, the fetched payment states the money."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.domain.deliveries import Channel, Delivery
from shared.domain.entities import FIELDS
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Reading
from shared.providers.mercadopago.translate import read
from tests.providers.deliveries import RECEIVED_AT, exact_json, fetched, webhook

SALE_ID = "65f0c2a1b2c3d4e5f6a7b8c9"
HEADERS = {"x-signature": "ts=1742505638683,v1=" + "0" * 64, "x-request-id": "r-1"}
TARGET = "/mercadopago?data.id=999&type=payment"
Document = dict[str, Any]


def notification(**changes: Any) -> Document:
    """Return a notification about payment 999."""
    return {
        "id": 12345,
        "live_mode": True,
        "type": "payment",
        "action": "payment.updated",
        "date_created": "2024-08-06T11:02:51.000-04:00",
        "user_id": 44444,
        "data": {"id": "999"},
        **changes,
    }


def notified(body: Document, headers: Mapping[str, str] = HEADERS, target: str = TARGET) -> Reading:
    """Read one notification."""
    return read(webhook("mercadopago", body, headers, target))


def payment(**changes: Any) -> Document:
    """Return an approved payment of 1234.56."""
    return {
        "id": 999,
        "status": "approved",
        "transaction_amount": Decimal("1234.56"),
        "transaction_amount_refunded": 0,
        "currency_id": "ARS",
        "payment_type_id": "credit_card",
        "external_reference": SALE_ID,
        "live_mode": True,
        "payer": {"email": "ana@example.org"},
        "metadata": {"account_id": "account-1"},
        "fee_details": [
            {"type": "mercadopago_fee", "amount": Decimal("77.65"), "fee_payer": "collector"},
            {"type": "financing_fee", "amount": 10, "fee_payer": "payer"},
        ],
        "refunds": [],
        "date_created": "2024-08-06T11:02:51.000-04:00",
        "date_approved": "2024-08-06T11:02:53.000-04:00",
        "date_last_updated": "2024-08-06T11:03:00.000-04:00",
        **changes,
    }


def held(delivery: Delivery) -> Quarantine:
    """Return why a delivery is held."""
    with pytest.raises(UnreadableError) as unreadable:
        read(delivery)
    return unreadable.value.reason


def test_a_notification_only_makes_us_fetch() -> None:
    """Asiento believes nothing of a notification's body: it fetches the payment that the signed URL names."""
    reading = notified(notification(amount=1_000_000))
    assert reading.facts == ()
    assert [want.key for want in reading.wants] == [EntityKey(EntityKind.PAYMENT, "mercadopago", "999")]
    assert reading.event_key == "mercadopago:999:r-1:1742505638683:payment"
    assert reading.occurred_at_ms == 1_742_505_638_683


def test_a_chargeback_is_fetched_too() -> None:
    """Asiento fetches the chargeback that a notification points at."""
    reading = notified(notification(type="topic_chargebacks_wh"))
    assert [want.key.kind for want in reading.wants] == [EntityKind.SETTLEMENT_LINE]


def test_a_changed_body_cannot_poison_the_true_event() -> None:
    """Asiento keys a notification on what is signed: no change of the unsigned body contradicts or replaces it."""
    true = notified(notification())
    for changes in ({"id": 99}, {"action": "x"}, {"user_id": 1}, {"date_created": None}):
        forged = notified(notification(**changes))
        assert (forged.event_key, forged.content_digest, forged.wants) == (
            true.event_key,
            true.content_digest,
            true.wants,
        )
    other_type = notified(notification(type="plan"))
    assert other_type.event_key != true.event_key
    assert other_type.wants == ()


def test_holds_a_body_about_another_payment() -> None:
    """Asiento holds a notification whose body names another payment than its signed URL."""
    delivery = webhook("mercadopago", notification(data={"id": "1000"}), HEADERS, TARGET)
    assert held(delivery) is Quarantine.IDENTITY_BROKEN


def test_ids_of_either_case_are_one() -> None:
    """Asiento takes an order id in the URL and in the body for the same, whatever the case of each."""
    reading = notified(notification(data={"id": "abc1"}), target="/mercadopago?data.id=ABC1")
    assert reading.wants


@pytest.mark.parametrize(
    ("body", "target", "headers", "reason"),
    [
        (notification(), "/mercadopago", HEADERS, Quarantine.MISSING_FIELD),
        (notification(), "/mercadopago?data.id=1&data.id=2", HEADERS, Quarantine.IDENTITY_BROKEN),
        (notification(), TARGET, {}, Quarantine.IDENTITY_BROKEN),
        (notification(live_mode=False), TARGET, HEADERS, Quarantine.TEST_MODE),
        (notification(type="wallet_connect"), TARGET, HEADERS, Quarantine.UNKNOWN_EVENT_TYPE),
        (notification(type="A/B"), TARGET, HEADERS, Quarantine.WRONG_TYPE),
        ({"type": "payment"}, TARGET, HEADERS, Quarantine.MISSING_FIELD),
    ],
)
def test_holds_notifications_that_say_nothing_certain(
    body: Document, target: str, headers: Mapping[str, str], reason: Quarantine
) -> None:
    """Asiento names why a notification is held."""
    assert held(webhook("mercadopago", body, headers, target)) is reason


def test_reads_a_payment() -> None:
    """Asiento reads a fetched payment to the centavo; only the fees that the company pays are its costs."""
    reading = read(fetched("mercadopago", "/v1/payments/999", payment()))
    (fact,) = reading.facts
    assert fact.key == EntityKey(EntityKind.PAYMENT, "mercadopago", "999")
    assert fact.version == (1_722_956_580_000, 2)
    assert fact.values == {
        "sale": f"sale:betterez:{SALE_ID}",
        "amount_minor": 123456,
        "fee_minor": 7765,
        "currency": "ARS",
        "business_unit": "account-1",
        "method": "card",
        "processor": "mercadopago",
        "status": "success",
        "paid_at_ms": 1_722_956_573_000,
    }
    assert reading.event_key.startswith("mercadopago:fetch:payment:999:1722956580000:")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("approved", "success"),
        ("pending", "pending"),
        ("in_process", "pending"),
        ("authorized", "pending"),
        ("in_mediation", "success"),
        ("rejected", "failed"),
        ("cancelled", "failed"),
        ("refunded", "refunded"),
        ("charged_back", "charged_back"),
    ],
)
def test_knows_every_payment_status(theirs: str, ours: str) -> None:
    """Asiento reads the documented statuses of a payment."""
    (fact,) = read(fetched("mercadopago", "/v1/payments/999", payment(status=theirs))).facts
    assert fact.values["status"] == ours


def test_reads_the_refunds_inside_a_payment() -> None:
    """Asiento reads each refund of a payment as an entity of its own, in the payment's currency."""
    refund = {
        "id": 5,
        "payment_id": 999,
        "amount": Decimal("34.50"),
        "status": "approved",
        "date_created": "2024-08-06T11:02:59.000-04:00",
    }
    body = payment(refunds=[refund, {**refund, "id": 6}], transaction_amount_refunded=69)
    paid, *refunds = read(fetched("mercadopago", "/v1/payments/999", body)).facts
    assert "refunded_minor" not in paid.values  # what went back is said by refunds
    assert [fact.key.entity_id for fact in refunds] == ["5", "6"]
    assert refunds[0].values == {
        "payment": "payment:mercadopago:999",
        "amount_minor": 3450,
        "currency": "ARS",
        "business_unit": "account-1",
        "status": "success",
        "refunded_at_ms": 1_722_956_579_000,
    }


def test_does_not_take_any_reference_for_a_sale() -> None:
    """Asiento links a payment to a sale only by what looks like a transaction id, and keeps no other reference."""
    (fact,) = read(fetched("mercadopago", "/v1/payments/999", payment(external_reference="ana@example.org"))).facts
    assert "sale" not in fact.values
    assert "ana@example.org" not in fact.values.values()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"transaction_amount": Decimal("1234.567")}, Quarantine.EXCESS_PRECISION),
        ({"transaction_amount": "1234.56"}, Quarantine.WRONG_TYPE),
        ({"currency_id": None}, Quarantine.MISSING_FIELD),
        ({"currency_id": "XAU"}, Quarantine.UNKNOWN_CURRENCY),
        ({"status": "perhaps"}, Quarantine.UNKNOWN_STATUS),
        ({"live_mode": False}, Quarantine.TEST_MODE),
        ({"id": 1000}, Quarantine.IDENTITY_BROKEN),
        ({"refunds": [{"id": 5, "payment_id": 1, "amount": 1}]}, Quarantine.IDENTITY_BROKEN),
        ({"date_last_updated": "2024-08-06T11:03:00"}, Quarantine.WRONG_TYPE),
    ],
)
def test_holds_what_is_not_as_the_contract_says(changes: Mapping[str, Any], reason: Quarantine) -> None:
    """Asiento names why a payment that breaks its contract is held."""
    assert held(fetched("mercadopago", "/v1/payments/999", payment(**changes))) is reason


def test_holds_what_it_did_not_ask_for() -> None:
    """Asiento holds decisions that a person may not take here and answers of other collections."""
    body = exact_json(payment())
    decision = Delivery("d", "mercadopago", Channel.MANUAL, RECEIVED_AT, "/mercadopago", {}, body)
    assert held(decision) is Quarantine.UNSUPPORTED_ENCODING
    assert held(fetched("mercadopago", "/v1/orders/999", body)) is Quarantine.UNKNOWN_EVENT_TYPE


def test_states_no_fees_that_are_not_told() -> None:
    """Asiento leaves the fee of a payment open where the answer does not tell it."""
    (fact,) = read(fetched("mercadopago", "/v1/payments/999", payment(fee_details=None))).facts
    assert "fee_minor" not in fact.values


def test_keeps_every_digit_of_an_amount() -> None:
    """Asiento reads an amount of fifteen digits exactly."""
    body = payment(transaction_amount=Decimal("1234567890123.01"))
    (fact,) = read(fetched("mercadopago", "/v1/payments/999", body)).facts
    assert fact.values["amount_minor"] == 123_456_789_012_301


def mocks(folder: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the SDKs' own API answers with their exact numbers, failing where some have gone."""
    paths = sorted((folder / "mercadopago").glob("sdk_mocks_*/*.json"))
    assert len(paths) == 88
    for path in paths:
        yield path, json.loads(path.read_text(), parse_float=Decimal)


def entries(answer: Any) -> list[Document]:
    """Return what an answer holds: one thing, a list or a page of them."""
    if isinstance(answer, list):
        return answer
    found: list[Document] = answer.get("results", [answer])
    return found


def test_reads_every_payment_of_the_sdks(outside_data: Path) -> None:
    """Asiento reads every payment and chargeback among the 88 API answers of the official SDKs, money exact."""
    read_things = {"payment": 0, "chargeback": 0, "refund": 0}
    for path, answer in mocks(outside_data):
        name = path.stem.lower()
        if name.startswith("payment__") and "refund" not in name and "error" not in name:
            for entry in entries(answer):
                read_things["refund"] += _assert_payment_is_exact(entry)
                read_things["payment"] += 1
        elif name.startswith("chargeback__"):
            for entry in entries(answer):
                _assert_chargeback_is_exact(entry)
                read_things["chargeback"] += 1
        elif name.startswith("refund__") or "payment_refund" in name:
            for entry in entries(answer):
                _assert_refund_is_exact(entry)
                read_things["refund"] += 1
    assert read_things == {"payment": 29, "chargeback": 6, "refund": 12}


def _minor(amount: Decimal | int) -> int:
    return int(Decimal(amount) * 100)


def _assert_payment_is_exact(entry: Document) -> int:
    live = {**entry, "live_mode": True}
    currency_decimals = {"BRL": 2, "ARS": 2, "COP": 2}
    facts = read(fetched("mercadopago", f"/v1/payments/{entry['id']}", live)).facts
    paid = facts[0].values
    if "transaction_amount" in entry:
        assert currency_decimals[entry["currency_id"]] == 2
        assert paid["amount_minor"] == _minor(entry["transaction_amount"])
    assert all(type(value) is FIELDS[EntityKind.PAYMENT][name].type for name, value in paid.items())
    refunds = entry.get("refunds") or []
    assert [fact.values["amount_minor"] for fact in facts[1:]] == [_minor(refund["amount"]) for refund in refunds]
    return len(refunds)


def _assert_chargeback_is_exact(entry: Document) -> None:
    (line,) = read(fetched("mercadopago", f"/v1/chargebacks/{entry['id']}", entry)).facts
    assert line.values["gross_minor"] == -_minor(entry["amount"])
    assert line.values["payment"] == f"payment:mercadopago:{entry['payment_id']}"


def _assert_refund_is_exact(entry: Document) -> None:
    """A refund alone tells no currency, so it is read inside its payment."""
    body = payment(id=entry["payment_id"], currency_id="BRL", refunds=[entry])
    _, refund = read(fetched("mercadopago", f"/v1/payments/{entry['payment_id']}", body)).facts
    assert refund.values["amount_minor"] == _minor(entry["amount"])
    assert refund.values["status"] == "success"
