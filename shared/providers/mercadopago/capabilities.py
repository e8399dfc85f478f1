"""What Mercado Pago, a payment processor, can do."""

from shared.domain.facts import EntityKind
from shared.ports.provider import Capabilities
from shared.providers.toolkit.hmac_schemes import TOLERANCE_S

NAME = "mercadopago"

POINTS_AT = {"payment": EntityKind.PAYMENT, "topic_chargebacks_wh": EntityKind.SETTLEMENT_LINE}
"""Notification types that point at money, and the kind of what they point at."""

WITHOUT_MONEY = frozenset(
    {
        "delivery",
        "merchant_order",
        "mp-connect",
        "plan",
        "point_integration_wh",
        "subscription_plan",
        "subscription_preapproval",
        "subscription_preapproval_plan",
        "topic_claims_integration_wh",
        "topic_merchant_order_wh",
    }
)
"""Notification types about orders, plans and devices: where money moves, a payment is notified as well."""

CAPABILITIES = Capabilities(
    name=NAME,
    title="Mercado Pago (payment processor)",
    signature_scheme="HMAC-SHA256, hex, `v1` of x-signature",
    signed_content="id:<data.id of the URL>;request-id:<x-request-id>;ts:<ts>; (not the body)",
    signature_headers=("x-signature", "x-request-id"),
    tolerance_s=TOLERANCE_S,
    event_identity="data.id of the URL, x-request-id and ts, which are signed, and the type",
    version_source="date_last_updated of the fetched payment",
    has_thin_events=True,
    event_types=tuple(POINTS_AT),
    listings=(EntityKind.PAYMENT,),
    fetchable=(EntityKind.PAYMENT, EntityKind.SETTLEMENT_LINE),
)
