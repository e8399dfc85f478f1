"""What a delivery of Mercado Pago says, as facts (docs/providers/mercadopago.md).

A notification is believed only as far as it is signed: it makes us fetch. The fetched payment states the facts.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, RefusedError, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value, Want
from shared.domain.money import from_major
from shared.domain.times import to_ms
from shared.providers.mercadopago import capabilities, payloads
from shared.providers.mercadopago.report import read_report
from shared.providers.mercadopago.signature import Signed, signed_part
from shared.providers.toolkit.json_body import content_digest, parse_object
from shared.providers.toolkit.lifecycle import fact_at
from shared.providers.toolkit.payload_models import Amount, read_as
from shared.providers.toolkit.readings import (
    fetched_reading,
    fetched_thing,
    refuse_channel,
    refuse_event_type,
    require_same_id,
)
from shared.providers.toolkit.values import in_our_words, link, platform_sale, stated


def read(delivery: Delivery) -> Reading:
    """Return what a delivery says; raise UnreadableError where that is not certain."""
    if delivery.channel is Channel.WEBHOOK:
        return _read_notification(delivery)
    if delivery.channel is Channel.FETCH:
        return _read_fetched(delivery)
    if delivery.channel is Channel.FILE:
        return read_report(delivery)
    return refuse_channel(delivery.channel)


def _read_notification(delivery: Delivery) -> Reading:
    signed = _signed(delivery)
    notification = read_as(payloads.Notification, parse_object(delivery.body))
    if str(notification.data.id).lower() != signed.thing_id.lower():
        raise UnreadableError(Quarantine.IDENTITY_BROKEN, "data.id of the body is not the signed data.id of the URL")
    if notification.live_mode is False:
        raise UnreadableError(Quarantine.TEST_MODE, f"notification about {signed.thing_id} was made in test mode")
    # The event is made of what is signed, and of the type, which decides what is done. A changed body can thus neither
    # contradict the true notification nor take its place: it is another event, or it is held.
    identity = (signed.thing_id, signed.request_id, signed.time, notification.type)
    return Reading(
        event_key=":".join((capabilities.NAME, *identity)),
        event_type=notification.type,
        occurred_at_ms=signed.signed_at_ms,
        content_digest=content_digest({"identity": identity}),
        facts=(),
        wants=_wants(notification.type, signed.thing_id),
    )


def _signed(delivery: Delivery) -> Signed:
    try:
        signed = signed_part(delivery)
    except RefusedError as broken:
        raise UnreadableError(Quarantine.IDENTITY_BROKEN, broken.detail) from broken
    if not signed.thing_id:
        raise UnreadableError(Quarantine.MISSING_FIELD, "the URL has no data.id, so nothing signed says what happened")
    return signed


def _wants(notification_type: str, thing_id: str) -> tuple[Want, ...]:
    kind = capabilities.POINTS_AT.get(notification_type)
    if kind is not None:
        key = EntityKey(kind, capabilities.NAME, thing_id)
        return (Want(key, f"a {notification_type} notification points at it; its body is not signed"),)
    if notification_type in capabilities.WITHOUT_MONEY:
        return ()
    return refuse_event_type(notification_type)


def _read_fetched(delivery: Delivery) -> Reading:
    collection, asked_id = fetched_thing(delivery.target)
    received_ms = to_ms(delivery.received_at)
    body = parse_object(delivery.body)
    if collection not in _FETCHED:
        return refuse_event_type(f"fetch of {collection}")
    facts = _FETCHED[collection](body, received_ms)
    require_same_id(asked_id.lower(), facts[0].key.entity_id.lower())
    return fetched_reading(delivery, facts[0].key, facts[0].version.at_ms, body, facts)


def payment_facts(content: Any, at_ms: int) -> list[Fact]:
    """Return what a payment says: itself, then its refunds. Its own time of change is the version of all of them."""
    payment = read_as(payloads.Payment, content)
    if payment.live_mode is False:
        raise UnreadableError(Quarantine.TEST_MODE, f"payment {payment.id} was made in test mode")
    at_ms = payment.date_last_updated or at_ms
    currency = payment.currency_id
    business_unit = (payment.metadata or {}).get("account_id")
    values = stated(
        sale=platform_sale(payment.external_reference),
        amount_minor=_minor(payment.transaction_amount, currency),
        fee_minor=_fees(payment.fee_details, currency),
        currency=currency,
        business_unit=business_unit if isinstance(business_unit, str) else None,
        method=payloads.METHODS.get(payment.payment_type_id, "other") if payment.payment_type_id else None,
        processor=capabilities.NAME,
        status=in_our_words(payloads.PAYMENT_STATUSES, payment.status, "payment.status"),
        paid_at_ms=payment.date_approved or payment.date_created,
    )
    payment_fact = _fact(EntityKind.PAYMENT, str(payment.id), at_ms, values)
    return [payment_fact, *(_refund_fact(refund, payment_fact, at_ms) for refund in payment.refunds or ())]


def _fees(fees: list[payloads.Fee] | None, currency: str | None) -> int | None:
    """Return the sum of the fees that the company pays; what the payer pays is no cost of ours."""
    if fees is None:
        return None
    return sum(_minor(fee.amount, currency) or 0 for fee in fees if fee.fee_payer != "payer")


def _refund_fact(refund: payloads.Refund, payment: Fact, at_ms: int) -> Fact:
    if refund.payment_id is not None:
        require_same_id(payment.key.entity_id, str(refund.payment_id))
    currency, business_unit = payment.values.get("currency"), payment.values.get("business_unit")
    values = stated(
        payment=str(payment.key),
        amount_minor=_minor(refund.amount, str(currency) if currency else None),
        currency=currency,
        business_unit=business_unit,
        status=in_our_words(payloads.REFUND_STATUSES, refund.status, "refund.status") if refund.status else None,
        refunded_at_ms=refund.date_created,
    )
    return _fact(EntityKind.REFUND, str(refund.id), at_ms, values)


def chargeback_facts(content: Any, at_ms: int) -> list[Fact]:
    """Return what a chargeback says: negative, for the money is taken back."""
    chargeback = read_as(payloads.Chargeback, content)
    currency = chargeback.currency_id
    values = stated(
        line_type="dispute",
        payment=link(
            EntityKind.PAYMENT, capabilities.NAME, str(chargeback.payment_id) if chargeback.payment_id else None
        ),
        gross_minor=-from_major(chargeback.amount, currency).amount_minor,
        currency=currency,
        status=in_our_words(payloads.CHARGEBACK_STATUSES, chargeback.status, "chargeback.status"),
        settled_at_ms=chargeback.date_created,
    )
    at_ms = chargeback.last_modified or chargeback.date_created or at_ms
    return [_fact(EntityKind.SETTLEMENT_LINE, str(chargeback.id), at_ms, values)]


def _minor(amount: Amount | None, currency: str | None) -> int | None:
    if amount is None:
        return None
    if currency is None:
        raise UnreadableError(Quarantine.MISSING_FIELD, "an amount without currency_id")
    return from_major(amount, currency).amount_minor


def _fact(kind: EntityKind, entity_id: str, at_ms: int, values: Mapping[str, Value]) -> Fact:
    return fact_at(at_ms, EntityKey(kind, capabilities.NAME, entity_id), values)


_FETCHED: Mapping[str, Callable[[Any, int], list[Fact]]] = {
    "payments": payment_facts,
    "chargebacks": chargeback_facts,
}
