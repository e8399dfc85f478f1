"""What a delivery of Betterez says, as facts. docs/providers/betterez.md is the contract that is followed here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value, Want
from shared.domain.money import decimals_of, from_major, from_scaled
from shared.domain.times import to_ms
from shared.providers.betterez import capabilities, payloads
from shared.providers.toolkit.compression import unpack
from shared.providers.toolkit.json_body import content_digest, parse_object, parse_value
from shared.providers.toolkit.lifecycle import fact_at
from shared.providers.toolkit.payload_models import Amount, read_as, require_id
from shared.providers.toolkit.readings import (
    fetched_reading,
    fetched_thing,
    refuse_channel,
    refuse_event_type,
    require_same_id,
)
from shared.providers.toolkit.values import in_our_words, link, stated

_UNMODELLED_ITEMS = (
    "flex_passes",
    "parcels",
    "sold_items",
    "redeemable_items",
    "gift_certificates",
    "manual_tickets",
    "loans",
)


@dataclass(frozen=True, slots=True)
class Source:
    """What a statement falls back on where it does not say: the instant, the currency, the business unit."""

    at_ms: int
    currency: str | None = None
    business_unit: str | None = None


Content = tuple[list[Fact], list[Want]]


def read(delivery: Delivery) -> Reading:
    """Return what a delivery says; raise UnreadableError where that is not certain."""
    if delivery.channel is Channel.WEBHOOK:
        return _read_event(delivery)
    if delivery.channel is Channel.FETCH:
        return _read_fetched(delivery)
    return refuse_channel(delivery.channel)


def _read_event(delivery: Delivery) -> Reading:
    return _event_reading(parse_object(delivery.body))


def _event_reading(body: dict[str, Any], *, repeats_webhook: bool = False) -> Reading:
    envelope = read_as(payloads.Envelope, body)
    if not envelope.livemode:
        raise UnreadableError(Quarantine.TEST_MODE, f"event {envelope.id} was made in test mode")
    body.pop("attemptId", None)
    created_ms = envelope.created * 1000
    facts, wants = _event_content(envelope, Source(created_ms))
    return Reading(
        event_key=f"{capabilities.NAME}:{envelope.id}",
        event_type=envelope.event,
        occurred_at_ms=created_ms,
        content_digest=content_digest(body),
        facts=tuple(facts),
        wants=tuple(wants),
        repeats_webhook=repeats_webhook,
    )


def _event_content(envelope: payloads.Envelope, source: Source) -> Content:
    event = envelope.event
    reader = _READERS.get(event)
    if reader is not None:
        facts, wants = reader(_unpacked(envelope), source)
        _require_reversed(event, facts)
        return facts, wants
    model = event.partition(".")[0]
    if event in capabilities.WITHOUT_MONEY or model in capabilities.WITHOUT_MONEY_MODELS:
        return [], []
    if event in capabilities.MONEY_NOT_MODELLED_EVENTS or model in capabilities.MONEY_NOT_MODELLED:
        return refuse_event_type(event, "it carries money that is not modelled yet; model it and replay")
    return refuse_event_type(event)


def _unpacked(envelope: payloads.Envelope) -> Any:
    if envelope.enc is None:
        return envelope.data
    if not isinstance(envelope.data, str):
        raise UnreadableError(Quarantine.UNSUPPORTED_ENCODING, "enc is given, but data is not text")
    return parse_value(unpack(envelope.enc, envelope.data))


def _require_reversed(event: str, facts: Iterable[Fact]) -> None:
    if event == "transaction.reversed":
        for fact in facts:
            if fact.key.kind is EntityKind.SALE and fact.values.get("status") != "reversed":
                raise UnreadableError(
                    Quarantine.IDENTITY_BROKEN, f"{event} of a transaction whose status is not reversed"
                )


def _read_fetched(delivery: Delivery) -> Reading:
    collection, asked_id = fetched_thing(delivery.target)
    received_ms = to_ms(delivery.received_at)
    body = parse_object(delivery.body)
    if collection == "undelivered":
        return _read_undelivered(asked_id, body)
    if collection not in _FETCHED:
        refuse_event_type(f"fetch of {collection}")
    kind, reader = _FETCHED[collection]
    facts, _ = reader(body, Source(received_ms))
    fact = next((fact for fact in facts if fact.key.kind is kind), None)
    if fact is None:
        raise UnreadableError(Quarantine.MISSING_FIELD, f"the fetched {kind.value} says no more than its id")
    require_same_id(asked_id, fact.key.entity_id)
    return fetched_reading(delivery, fact.key, fact.version.at_ms, body, facts)


def _read_undelivered(asked_id: str, entry: dict[str, Any]) -> Reading:
    """Read the event inside an entry of the list of undelivered webhooks, as its webhook would have been read."""
    require_same_id(asked_id, require_id(entry.get("_id"), "undelivered._id"))
    payload = entry.get("payload")
    if not isinstance(payload, dict):
        raise UnreadableError(Quarantine.MISSING_FIELD, "an undelivered webhook without its payload")
    return _event_reading(payload, repeats_webhook=True)


# Transactions


def _transaction(data: Any, source: Source) -> Content:
    if isinstance(data, dict) and "transaction" not in data and "_id" in data:
        data = {"transaction": data}
    content = read_as(payloads.TransactionContent, data)
    transaction = content.transaction
    if transaction.total is None and transaction.status is None:
        return [], [
            Want(_key(EntityKind.SALE, transaction.id), "the event names the transaction and says nothing of it")
        ]
    for items in _UNMODELLED_ITEMS:
        if getattr(content, items):
            refuse_event_type(
                f"transaction with {items}", "they carry money that is not modelled yet; model them and replay"
            )
    within = within_transaction(transaction, source)
    facts = [sale_fact(transaction, content.fees_details, within)]
    facts += [ticket_fact(ticket, within) for ticket in content.tickets or ()]
    facts += _payments(transaction, facts[0].values.get("sale_type"), within)
    facts += [_refund_fact(refund, within) for refund in content.refunds or ()]
    return facts, []


def within_transaction(transaction: payloads.Transaction, source: Source) -> Source:
    """Return what the parts of a transaction fall back on."""
    return Source(
        transaction.updated_at or transaction.created_at or source.at_ms,
        _currency_of(transaction),
        transaction.account_id,
    )


def sale_fact(transaction: payloads.Transaction, fees: Sequence[payloads.Fee] | None, within: Source) -> Fact:
    """Return what a transaction says of itself, without its parts; `within` as it is for those parts."""
    status = _status(payloads.SALE_STATUSES, transaction.status, "transaction.status")
    values = stated(
        sale_number=transaction.transaction_id,
        sale_type=_status(payloads.SALE_TYPES, transaction.type, "transaction.type"),
        status=status,
        total_minor=_scaled(transaction.total, within.currency),
        fees_minor=_sum_scaled((fee.total for fee in fees), within.currency) if fees is not None else None,
        currency=within.currency,
        business_unit=transaction.account_id,
        channel=transaction.channel,
        agency_id=transaction.agency_id,
        shift=link(EntityKind.SHIFT, capabilities.NAME, transaction.shift_id),
        original_sale=link(EntityKind.SALE, capabilities.NAME, transaction.associated_trx_id),
        sold_at_ms=transaction.created_at,
    )
    return _fact(EntityKind.SALE, transaction.id, within.at_ms, values)


def _payments(transaction: payloads.Transaction, sale_type: Value | None, within: Source) -> list[Fact]:
    """Return the payments of a transaction. They carry no time of change of their own: the transaction's stands."""
    if transaction.payments and sale_type == "cancellation":
        raise UnreadableError(
            Quarantine.IDENTITY_BROKEN,
            f"cancellation {transaction.id} has payments; money goes back through its refunds",
        )
    facts = [_payment(payment, at, transaction, within) for at, payment in enumerate(transaction.payments or ())]
    if len({fact.key for fact in facts}) != len(facts):
        raise UnreadableError(
            Quarantine.IDENTITY_BROKEN, f"two payments of transaction {transaction.id} have one reference"
        )
    return facts


def _payment(payment: payloads.Payment, position: int, transaction: payloads.Transaction, within: Source) -> Fact:
    reference = _text(payment.reference_number)
    currency = _required(payment.currency_code or within.currency, "payments.currencyCode")
    method = payment.type.lower() if payment.type else ""
    values = stated(
        sale=link(EntityKind.SALE, capabilities.NAME, transaction.id),
        processor_payment=link(EntityKind.PAYMENT, payment.provider, reference)
        if payment.provider in payloads.PROCESSORS
        else None,
        reference=reference,
        amount_minor=from_major(payment.amount, currency).amount_minor,
        currency=currency,
        business_unit=within.business_unit,
        method=payloads.PAYMENT_METHODS.get(method, "other"),
        processor=payment.provider,
        status=in_our_words(payloads.PAYMENT_STATUSES, payment.status, "payments.status"),
        paid_at_ms=payment.created_at or transaction.created_at,
    )
    return _fact(EntityKind.PAYMENT, f"{transaction.id}:{reference or position}", within.at_ms, values)


# Tickets


def _ticket(data: Any, source: Source) -> Content:
    ticket = read_as(payloads.Ticket, data)
    if ticket.total is None and ticket.status is None:
        return [], [Want(_key(EntityKind.TICKET, ticket.id), "the event names the ticket and says nothing of it")]
    return [ticket_fact(ticket, source)], []


def ticket_fact(ticket: payloads.Ticket, within: Source) -> Fact:
    """Return what one ticket says."""
    currency = _currency_of(ticket) or within.currency
    status = _status(payloads.TICKET_STATUSES, ticket.status, "ticket.status")
    boardings = [
        redemption.redeemed_at for redemption in ticket.redemptions or () if redemption.redeemed_at is not None
    ]
    values = stated(
        ticket_number=ticket.ticket_number,
        sale=link(EntityKind.SALE, capabilities.NAME, ticket.trx_id),
        status=status,
        fare_minor=_scaled(ticket.total, currency),
        taxes_minor=_sum_scaled((tax.calculated for tax in ticket.taxes), currency)
        if ticket.taxes is not None
        else None,
        commission_minor=_scaled(ticket.commission, currency),
        currency=currency,
        business_unit=ticket.account_id or within.business_unit,
        channel=ticket.channel,
        agency_id=ticket.agency_id,
        issued_at_ms=ticket.created_at,
        departs_at_ms=ticket.departure_timestamp,
        travel_day=ticket.travel_date or ticket.manifest_date,
        route_id=ticket.route_id,
        service_id=ticket.schedule_id,
        origin=ticket.origin,
        destination=ticket.destination,
        seat=_text(ticket.seat),
        boarded_at_ms=min(boardings, default=None),
        changed_from=link(EntityKind.TICKET, capabilities.NAME, ticket.changed_from_ticket_id),
        refund=link(EntityKind.REFUND, capabilities.NAME, ticket.refund_id),
    )
    return _fact(EntityKind.TICKET, ticket.id, ticket.updated_at or ticket.created_at or within.at_ms, values)


# Refunds


def _refund(data: Any, source: Source) -> Content:
    return [_refund_fact(read_as(payloads.Refund, data), source)], []


def _refund_fact(refund: payloads.Refund, within: Source) -> Fact:
    currency = _required(_currency_of(refund) or within.currency, "refund.currency")
    item, penalty, back = (
        from_scaled(amount, payloads.ITEM_SCALE, currency).amount_minor
        for amount in (refund.amount, refund.penalty, refund.amount_to_refund)
    )
    if item - penalty != back:
        raise UnreadableError(
            Quarantine.IDENTITY_BROKEN, f"refund {refund.id}: amount less penalty is not amountToRefund"
        )
    refund_type = "exchange" if refund.type is not None and refund.type.lower() == "change" else "cash"
    status = _status(payloads.REFUND_STATUSES, refund.status, "refund.status")
    _require_paid_back(refund, back if refund_type == "cash" else 0, currency, status)
    values = stated(
        sale=link(EntityKind.SALE, capabilities.NAME, refund.trx_id),
        original_sale=link(EntityKind.SALE, capabilities.NAME, refund.associated_trx_id),
        ticket=link(EntityKind.TICKET, capabilities.NAME, refund.ticket_id),
        refund_type=refund_type,
        item_minor=item,
        penalty_minor=penalty,
        amount_minor=back,
        currency=currency,
        business_unit=refund.account_id or within.business_unit,
        status=status,
        refunded_at_ms=refund.created_at or refund.updated_at or within.at_ms,
    )
    return _fact(EntityKind.REFUND, refund.id, refund.updated_at or refund.created_at or within.at_ms, values)


def _require_paid_back(refund: payloads.Refund, owed_minor: int, currency: str, status: str | None) -> None:
    """Hold a refund whose payments do not add up to what went back; one that has not succeeded may have none yet."""
    if not refund.payment and status != "success":
        return
    paid_minor = sum(abs(from_major(paid.amount, currency).amount_minor) for paid in refund.payment or ())
    if paid_minor != owed_minor:
        raise UnreadableError(
            Quarantine.IDENTITY_BROKEN, f"refund {refund.id}: its payments do not add up to the cash that goes back"
        )


# Manifests and shifts


def _manifest_status(data: Any, source: Source) -> Content:
    manifest = read_as(payloads.ManifestStatus, data)
    fact = _manifest_fact(manifest.manifest_id, manifest, source.at_ms)
    return [fact], [Want(fact.key, "the event tells the status of the trip, and not its capacity")]


def _manifest(data: Any, source: Source) -> Content:
    """Return what a manifest says of its trip. Who travels on it is no statement about tickets: sales say what was sold."""
    manifest = read_as(payloads.Manifest, data)
    return [_manifest_fact(manifest.id, manifest, manifest.updated_at or source.at_ms, manifest.capacity)], []


def _manifest_fact(
    manifest_id: str,
    manifest: payloads.Manifest | payloads.ManifestStatus,
    at_ms: int,
    capacity: int | None = None,
) -> Fact:
    status = _status(payloads.MANIFEST_STATUSES, manifest.status, "manifest.status")
    values = stated(
        route_id=manifest.route_id,
        service_id=manifest.schedule_id,
        travel_day=manifest.manifest_date,
        status=status,
        capacity=capacity,
        business_unit=manifest.account_id,
    )
    return _fact(EntityKind.MANIFEST, manifest_id, at_ms, values)


def _shift(data: Any, source: Source) -> Content:
    shift = read_as(payloads.Shift, data)
    values = stated(
        shift_number=shift.shift_number,
        location=shift.location.name if shift.location else None,
        agency_id=shift.agency_id,
        business_unit=shift.account_id,
        is_closed=shift.closed,
        opened_at_ms=shift.created_at,
        closed_at_ms=shift.closed_at,
    )
    return [_fact(EntityKind.SHIFT, shift.id, shift.updated_at or shift.created_at or source.at_ms, values)], []


# What all of them need


def _key(kind: EntityKind, entity_id: str) -> EntityKey:
    return EntityKey(kind, capabilities.NAME, entity_id)


def _fact(kind: EntityKind, entity_id: str, at_ms: int, values: Mapping[str, Value]) -> Fact:
    return fact_at(at_ms, _key(kind, entity_id), values)


def _currency_of(item: payloads.Transaction | payloads.Ticket | payloads.Refund) -> str | None:
    """Return the currency that an item states, else that of the place where it was sold; a known one or none."""
    currency = item.currency or (item.shift_location.primary_currency_code if item.shift_location else None)
    if currency:
        decimals_of(currency)
    return currency or None


def _status(table: Mapping[str, str], word: str | None, field: str) -> str | None:
    return None if word is None else in_our_words(table, word, field)


def _scaled(amount: Amount | None, currency: str | None) -> int | None:
    if amount is None:
        return None
    return from_scaled(amount, payloads.ITEM_SCALE, _required(currency, "currency")).amount_minor


def _sum_scaled(amounts: Iterable[Amount], currency: str | None) -> int:
    return sum(_scaled(amount, currency) or 0 for amount in amounts)


T = TypeVar("T")


def _required(value: T | None, field: str) -> T:
    if value is None:
        raise UnreadableError(Quarantine.MISSING_FIELD, f"an amount without {field}")
    return value


def _text(value: str | int | None) -> str | None:
    return None if value is None or value == "" else str(value)


_Reader = Callable[[Any, Source], Content]

_READERS: Mapping[str, _Reader] = {
    **dict.fromkeys(capabilities.SALE_EVENTS, _transaction),
    **dict.fromkeys(capabilities.TICKET_EVENTS, _ticket),
    **dict.fromkeys(capabilities.REFUND_EVENTS, _refund),
    **dict.fromkeys(capabilities.MANIFEST_EVENTS, _manifest_status),
    **dict.fromkeys(capabilities.SHIFT_EVENTS, _shift),
}

_FETCHED: Mapping[str, tuple[EntityKind, _Reader]] = {
    "transactions": (EntityKind.SALE, _transaction),
    "tickets": (EntityKind.TICKET, _ticket),
    "manifests": (EntityKind.MANIFEST, _manifest),
    "shifts": (EntityKind.SHIFT, _shift),
}
