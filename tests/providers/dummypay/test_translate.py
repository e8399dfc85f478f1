"""Asiento reads DummyPay, the worked example."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Version
from shared.providers.dummypay import PROVIDER
from tests.providers.deliveries import RECEIVED_AT, webhook

PAYMENT = {
    "id": "pay_1",
    "sale_id": "65f0c2a1b2c3d4e5f6a7b8c9",
    "amount_minor": 2000,
    "currency": "ARS",
    "paid_at": "2024-08-06T15:02:51Z",
}


def event(headers: Mapping[str, str] | None = None, **changes: Any) -> Delivery:
    """Return a webhook."""
    return webhook(
        "dummypay", {"type": "payment.succeeded", "data": {**PAYMENT, **changes}}, headers or {"webhook-id": "msg_1"}
    )


def held(delivery: Delivery) -> Quarantine:
    """Return why a delivery is held."""
    with pytest.raises(UnreadableError) as unreadable:
        PROVIDER.read(delivery)
    return unreadable.value.reason


def test_reads_a_payment() -> None:
    """Asiento reads a DummyPay payment and knows the event by its webhook-id."""
    reading = PROVIDER.read(event())
    assert (reading.event_key, reading.event_type) == ("dummypay:msg_1", "payment.succeeded")
    assert reading.facts == (
        Fact(
            EntityKey(EntityKind.PAYMENT, "dummypay", "pay_1"),
            Version(1_722_956_571_000, 2),
            {
                "sale": "sale:betterez:65f0c2a1b2c3d4e5f6a7b8c9",
                "amount_minor": 2000,
                "currency": "ARS",
                "processor": "dummypay",
                "status": "success",
                "paid_at_ms": 1_722_956_571_000,
            },
        ),
    )


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (event(amount_minor="2000"), Quarantine.WRONG_TYPE),
        (event(currency="XAU"), Quarantine.UNKNOWN_CURRENCY),
        (event(paid_at=""), Quarantine.MISSING_FIELD),
        (event(paid_at=5), Quarantine.WRONG_TYPE),
        (event({"other": "x"}), Quarantine.MISSING_FIELD),
        (event({"webhook-id": "a/b"}), Quarantine.WRONG_TYPE),
        (webhook("dummypay", {"type": "payment.lost"}, {"webhook-id": "m"}), Quarantine.UNKNOWN_EVENT_TYPE),
        (Delivery("d", "dummypay", Channel.FETCH, RECEIVED_AT, "GET /x", {}, b"{}"), Quarantine.UNSUPPORTED_ENCODING),
    ],
)
def test_holds_what_is_not_certain(delivery: Delivery, reason: Quarantine) -> None:
    """Asiento names why a DummyPay delivery is held."""
    assert held(delivery) is reason
