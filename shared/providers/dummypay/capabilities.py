"""What DummyPay can do."""

from shared.ports.provider import Capabilities
from shared.providers.toolkit.hmac_schemes import STANDARD_WEBHOOKS_HEADERS, TOLERANCE_S

NAME = "dummypay"

CAPABILITIES = Capabilities(
    name=NAME,
    title="DummyPay (the worked example)",
    signature_scheme="Standard Webhooks",
    signed_content="webhook-id.webhook-timestamp.body",
    signature_headers=STANDARD_WEBHOOKS_HEADERS,
    tolerance_s=TOLERANCE_S,
    event_identity="webhook-id",
    version_source="paid_at of the payment",
    has_thin_events=False,
    event_types=("payment.succeeded",),
    listings=(),
    fetchable=(),
)
