"""What a delivery of DummyPay says, as facts."""

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading
from shared.domain.money import from_minor
from shared.providers.dummypay import payloads
from shared.providers.dummypay.capabilities import CAPABILITIES, NAME
from shared.providers.toolkit.json_body import content_digest, parse_object
from shared.providers.toolkit.lifecycle import fact_at
from shared.providers.toolkit.payload_models import read_as, require_id
from shared.providers.toolkit.readings import refuse_channel, refuse_event_type
from shared.providers.toolkit.values import TICKETING_PLATFORM, link, stated


def read(delivery: Delivery) -> Reading:
    """Return what a delivery says; raise UnreadableError where that is not certain."""
    if delivery.channel is not Channel.WEBHOOK:
        return refuse_channel(delivery.channel)
    event_id = require_id(delivery.headers.get("webhook-id"), "webhook-id")
    body = parse_object(delivery.body)
    if body.get("type") not in CAPABILITIES.event_types:
        return refuse_event_type(str(body.get("type")))
    event = read_as(payloads.Event, body)
    fact = _payment_fact(event.data)
    return Reading(
        event_key=f"{NAME}:{event_id}",
        event_type=event.type,
        occurred_at_ms=fact.version.at_ms,
        content_digest=content_digest(body),
        facts=(fact,),
    )


def _payment_fact(payment: payloads.Payment) -> Fact:
    if payment.paid_at is None:
        raise UnreadableError(Quarantine.MISSING_FIELD, f"payment {payment.id} without paid_at")
    money = from_minor(payment.amount_minor, payment.currency)
    values = stated(
        sale=link(EntityKind.SALE, TICKETING_PLATFORM, payment.sale_id),
        amount_minor=money.amount_minor,
        currency=money.currency,
        processor=NAME,
        status="success",
        paid_at_ms=payment.paid_at,
    )
    return fact_at(payment.paid_at, EntityKey(EntityKind.PAYMENT, NAME, payment.id), values)
