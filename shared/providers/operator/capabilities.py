"""What the operator, the company's own staff, can do."""

from shared.domain.decisions import ERASURE_EVENT_TYPE, EVENT_TYPE
from shared.domain.deliveries import OPERATOR
from shared.ports.provider import Capabilities
from shared.providers.toolkit.hmac_schemes import TOLERANCE_S

CAPABILITIES = Capabilities(
    name=OPERATOR,
    title="Operator (the company's own staff)",
    signature_scheme="HMAC-SHA256, hex, `v1` of x-asiento-signature",
    signed_content="t.body",
    signature_headers=("x-asiento-signature",),
    tolerance_s=TOLERANCE_S,
    event_identity="the moment of the decision and the digest of the body",
    version_source="the moment of the decision; of a corrected entity its latest version at that moment",
    has_thin_events=False,
    event_types=(EVENT_TYPE, ERASURE_EVENT_TYPE),
    listings=(),
    fetchable=(),
)
