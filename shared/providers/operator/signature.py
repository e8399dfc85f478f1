"""The signature of a decision: `x-asiento-signature: t=…,v1=…`, made and checked here."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.domain.deliveries import Delivery
from shared.domain.times import to_ms
from shared.providers.operator.capabilities import CAPABILITIES
from shared.providers.toolkit import hmac_schemes as schemes

(_HEADER,) = CAPABILITIES.signature_headers


def sign(body: bytes, secret: str, now: datetime) -> Mapping[str, str]:
    """Return the headers that sign a body as of an instant: HMAC-SHA256 over `t.body`, t in milliseconds."""
    time = str(to_ms(now))
    return {_HEADER: f"t={time},v1={schemes.hex_hmac(secret.encode(), _content(time, body))}"}


def verify(delivery: Delivery, secrets: Sequence[str], now: datetime) -> None:
    """Check HMAC-SHA256 over `t.body` against the live secrets and the replay window. Raises RefusedError."""
    schemes.require_secrets(secrets)
    parts = schemes.pairs(_HEADER, schemes.header(delivery, _HEADER))
    time = schemes.only(_HEADER, parts, "t")
    signed_at_ms = schemes.signed_time_ms(_HEADER, time)
    if "v1" not in parts:
        raise schemes.malformed(_HEADER, "it has no v1 signature")
    expected = (schemes.hex_hmac(secret.encode(), _content(time, delivery.body)) for secret in secrets)
    schemes.require_match(_HEADER, expected, parts["v1"])
    schemes.require_fresh(signed_at_ms, now)


def _content(time: str, body: bytes) -> bytes:
    return time.encode("ascii") + b"." + body
