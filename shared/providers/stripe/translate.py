"""What a delivery of Stripe says, as facts (docs/providers/stripe.md)."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value
from shared.domain.money import from_minor
from shared.domain.times import to_ms
from shared.providers.stripe import capabilities, payloads
from shared.providers.stripe.report import read_report
from shared.providers.toolkit.json_body import content_digest, parse_object
from shared.providers.toolkit.lifecycle import fact_at
from shared.providers.toolkit.payload_models import Id, read_as
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
        return _read_event(delivery)
    if delivery.channel is Channel.FETCH:
        return _read_fetched(delivery)
    if delivery.channel is Channel.FILE:
        return read_report(delivery)
    return refuse_channel(delivery.channel)


def _read_event(delivery: Delivery) -> Reading:
    body = parse_object(delivery.body)
    event = read_as(payloads.Event, body)
    if not event.livemode:
        raise UnreadableError(Quarantine.TEST_MODE, f"event {event.id} was made in test mode")
    # How many endpoints still wait for the event changes from one attempt to the next.
    body.pop("pending_webhooks", None)
    created_ms = event.created * 1000
    return Reading(
        event_key=f"{capabilities.NAME}:{event.id}",
        event_type=event.type,
        occurred_at_ms=created_ms,
        content_digest=content_digest(body),
        facts=tuple(_event_facts(event, created_ms)),
    )


def _event_facts(event: payloads.Event, at_ms: int) -> list[Fact]:
    reader = _READERS.get(event.type)
    if reader is not None:
        return reader(event.data.object, at_ms)
    if event.type.startswith(capabilities.WITHOUT_MONEY):
        return []
    return refuse_event_type(event.type)


def _read_fetched(delivery: Delivery) -> Reading:
    collection, asked_id = fetched_thing(delivery.target)
    received_ms = to_ms(delivery.received_at)
    body = parse_object(delivery.body)
    if collection not in _FETCHED:
        return refuse_event_type(f"fetch of {collection}")
    facts = _FETCHED[collection](body, received_ms)
    require_same_id(asked_id, facts[0].key.entity_id)
    return fetched_reading(delivery, facts[0].key, received_ms, body, facts)


def charge_facts(content: Any, at_ms: int) -> list[Fact]:
    """Return what a charge says: the payment, then the refunds that it holds."""
    charge = read_as(payloads.Charge, content)
    _refuse_test_mode(charge)
    currency = charge.currency.upper()
    if charge.captured and charge.amount_captured != charge.amount:
        raise UnreadableError(
            Quarantine.IDENTITY_BROKEN, f"charge {charge.id} was captured in part, which is not modelled yet"
        )
    metadata = charge.metadata or {}
    details = charge.payment_method_details
    values = stated(
        sale=platform_sale(metadata.get("trx_id")),
        amount_minor=from_minor(charge.amount, currency).amount_minor,
        currency=currency,
        business_unit=metadata.get("account_id"),
        method=payloads.METHODS.get(details.type, "other") if details else None,
        processor=capabilities.NAME,
        status=_charge_status(charge),
        paid_at_ms=charge.created * 1000,
    )
    refunds = charge.refunds.data if charge.refunds else ()
    return [_fact(EntityKind.PAYMENT, charge.id, at_ms, values), *(_refund_fact(refund, at_ms) for refund in refunds)]


def _charge_status(charge: payloads.Charge) -> str:
    status = in_our_words(payloads.CHARGE_STATUSES, charge.status, "charge.status")
    if status == "success" and not charge.captured:
        # Authorised only: the money was never taken, and a release is told as a refund.
        return "failed" if charge.refunded else "pending"
    return "refunded" if status == "success" and charge.refunded else status


def refund_facts(content: Any, at_ms: int) -> list[Fact]:
    """Return what a refund says."""
    return [_refund_fact(read_as(payloads.Refund, content), at_ms)]


def _refund_fact(refund: payloads.Refund, at_ms: int) -> Fact:
    currency = refund.currency.upper()
    metadata = refund.metadata or {}
    values = stated(
        sale=platform_sale(metadata.get("trx_id")),
        payment=_payment_link(refund.charge),
        amount_minor=from_minor(refund.amount, currency).amount_minor,
        currency=currency,
        business_unit=metadata.get("account_id"),
        status=in_our_words(payloads.REFUND_STATUSES, refund.status, "refund.status") if refund.status else None,
        refunded_at_ms=refund.created * 1000,
    )
    return _fact(EntityKind.REFUND, refund.id, at_ms, values)


def payout_facts(content: Any, at_ms: int) -> list[Fact]:
    """Return what a payout says: the net that reaches the bank; its gross and fee are in its movements."""
    payout = read_as(payloads.Payout, content)
    _refuse_test_mode(payout)
    currency = payout.currency.upper()
    values = stated(
        line_type="payout",
        net_minor=from_minor(payout.amount, currency).amount_minor,
        currency=currency,
        business_unit=(payout.metadata or {}).get("account_id"),
        status=in_our_words(payloads.PAYOUT_STATUSES, payout.status, "payout.status"),
        settled_at_ms=payout.arrival_date * 1000,
    )
    return [_fact(EntityKind.SETTLEMENT_LINE, payout.id, at_ms, values)]


def dispute_facts(content: Any, at_ms: int) -> list[Fact]:
    """Return what a dispute says: negative, for the money is taken back."""
    dispute = read_as(payloads.Dispute, content)
    _refuse_test_mode(dispute)
    currency = dispute.currency.upper()
    values = stated(
        line_type="dispute",
        payment=_payment_link(dispute.charge),
        gross_minor=-from_minor(dispute.amount, currency).amount_minor,
        currency=currency,
        business_unit=(dispute.metadata or {}).get("account_id"),
        status=in_our_words(payloads.DISPUTE_STATUSES, dispute.status, "dispute.status"),
        settled_at_ms=dispute.created * 1000,
    )
    return [_fact(EntityKind.SETTLEMENT_LINE, dispute.id, at_ms, values)]


def movement_facts(content: Any, at_ms: int) -> list[Fact]:
    """Return what a movement of the balance says; it is held unless amount less fee is net."""
    movement = read_as(payloads.BalanceTransaction, content)
    currency = movement.currency.upper()
    gross, fee, net = (
        from_minor(part, currency).amount_minor for part in (movement.amount, movement.fee, movement.net)
    )
    if gross - fee != net:
        raise UnreadableError(Quarantine.IDENTITY_BROKEN, f"movement {movement.id}: amount less fee is not net")
    values = stated(
        line_type="movement",
        payment=_payment_link(movement.source) if movement.source and movement.source.startswith("ch_") else None,
        gross_minor=gross,
        fee_minor=fee,
        net_minor=net,
        currency=currency,
        status=in_our_words(payloads.BALANCE_STATUSES, movement.status, "balance_transaction.status"),
        settled_at_ms=movement.created * 1000,
    )
    return [_fact(EntityKind.SETTLEMENT_LINE, movement.id, at_ms, values)]


def _refuse_test_mode(thing: payloads.Charge | payloads.Payout | payloads.Dispute) -> None:
    if not thing.livemode:
        raise UnreadableError(Quarantine.TEST_MODE, f"{thing.id} was made in test mode")


def _payment_link(charge_id: Id | None) -> str | None:
    return link(EntityKind.PAYMENT, capabilities.NAME, charge_id)


def _fact(kind: EntityKind, entity_id: str, at_ms: int, values: Mapping[str, Value]) -> Fact:
    return fact_at(at_ms, EntityKey(kind, capabilities.NAME, entity_id), values)


Reader = Callable[[Any, int], list[Fact]]

_READERS: Mapping[str, Reader] = {
    **dict.fromkeys(capabilities.CHARGE_EVENTS, charge_facts),
    **dict.fromkeys(capabilities.REFUND_EVENTS, refund_facts),
    **dict.fromkeys(capabilities.PAYOUT_EVENTS, payout_facts),
    **dict.fromkeys(capabilities.DISPUTE_EVENTS, dispute_facts),
}

_FETCHED: Mapping[str, Reader] = {
    "charges": charge_facts,
    "refunds": refund_facts,
    "payouts": payout_facts,
    "disputes": dispute_facts,
    "balance_transactions": movement_facts,
}
