"""The signature of Stripe: `Stripe-Signature: t=…,v1=…[,v1=…]`; other schemes such as v0 are ignored."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.deliveries import Delivery
from shared.providers.stripe.capabilities import CAPABILITIES
from shared.providers.toolkit import hmac_schemes as schemes

(_HEADER,) = CAPABILITIES.signature_headers


def verify(delivery: Delivery, secrets: Sequence[str], now: datetime) -> None:
    """Check HMAC-SHA256 over `t.body`; the key is the whole secret as issued, `whsec_` included. Raises RefusedError."""
    schemes.require_secrets(secrets)
    parts = schemes.pairs(_HEADER, schemes.header(delivery, _HEADER))
    time = schemes.only(_HEADER, parts, "t")
    signed_at_ms = schemes.signed_time_ms(_HEADER, time)
    if "v1" not in parts:
        raise schemes.malformed(_HEADER, "it has no v1 signature")
    content = time.encode("ascii") + b"." + delivery.body
    schemes.require_match(_HEADER, (schemes.hex_hmac(secret.encode(), content) for secret in secrets), parts["v1"])
    schemes.require_fresh(signed_at_ms, now)
