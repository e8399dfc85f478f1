"""What Stripe, a payment processor, can do."""

from shared.domain.facts import EntityKind
from shared.ports.provider import Capabilities
from shared.providers.toolkit.hmac_schemes import TOLERANCE_S

NAME = "stripe"

CHARGE_EVENTS = (
    "charge.succeeded",
    "charge.failed",
    "charge.pending",
    "charge.captured",
    "charge.expired",
    "charge.updated",
    "charge.refunded",
)
REFUND_EVENTS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
PAYOUT_EVENTS = (
    "payout.created",
    "payout.updated",
    "payout.paid",
    "payout.failed",
    "payout.canceled",
    "payout.reconciliation_completed",
)
DISPUTE_EVENTS = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)

WITHOUT_MONEY = (
    "account.",
    "balance.available",
    "billing_portal.",
    "capability.",
    "checkout.session.",
    "coupon.",
    "customer.",
    "file.",
    "financial_connections.",
    "identity.",
    "invoice.",
    "invoiceitem.",
    "mandate.",
    "payment_intent.",
    "payment_link.",
    "payment_method.",
    "person.",
    "plan.",
    "price.",
    "product.",
    "promotion_code.",
    "quote.",
    "radar.",
    "reporting.",
    "review.",
    "setup_intent.",
    "source.",
    "subscription_schedule.",
    "tax.",
    "tax_rate.",
    "terminal.",
)
"""Beginnings of event types that state no money of their own: an intent, invoice or session is paid by a charge, and the
charge tells it."""

CAPABILITIES = Capabilities(
    name=NAME,
    title="Stripe (payment processor)",
    signature_scheme="HMAC-SHA256, hex, `v1` of Stripe-Signature",
    signed_content="t.body",
    signature_headers=("stripe-signature",),
    tolerance_s=TOLERANCE_S,
    event_identity="event id (evt_…)",
    version_source="the event's created; of a fetched object the moment of its arrival",
    has_thin_events=False,
    event_types=(*CHARGE_EVENTS, *REFUND_EVENTS, *PAYOUT_EVENTS, *DISPUTE_EVENTS),
    listings=(EntityKind.PAYMENT, EntityKind.REFUND, EntityKind.SETTLEMENT_LINE),
    fetchable=(EntityKind.PAYMENT, EntityKind.REFUND, EntityKind.SETTLEMENT_LINE),
)
