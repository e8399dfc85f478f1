"""The signature of Betterez: `x-btrz-signature: t=…,s=…,s2=…`, of which `s2` counts and `s` is deprecated."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.deliveries import Delivery
from shared.providers.betterez.capabilities import CAPABILITIES
from shared.providers.toolkit import hmac_schemes as schemes

(_HEADER,) = CAPABILITIES.signature_headers
_HEX_LENGTH, _BASE64_LENGTH = 64, 44


def verify(delivery: Delivery, secrets: Sequence[str], now: datetime) -> None:
    """Check HMAC-SHA256 over `t.body` with the private key of the application as it stands; raise RefusedError.

    Neither the encoding of the digest nor the unit of `t` is documented: hex (of any case) and base64 are told apart by
    length, seconds and milliseconds by size.
    """
    schemes.require_secrets(secrets)
    parts = schemes.pairs(_HEADER, schemes.header(delivery, _HEADER))
    time, signature = schemes.only(_HEADER, parts, "t"), schemes.only(_HEADER, parts, "s2")
    signed_at_ms = schemes.signed_time_ms(_HEADER, time)
    if len(signature) == _HEX_LENGTH:
        encode, signature = schemes.hex_hmac, signature.lower()
    elif len(signature) == _BASE64_LENGTH:
        encode = schemes.base64_hmac
    else:
        raise schemes.malformed(_HEADER, f"s2 has {len(signature)} characters; hex has 64, base64 44")
    content = time.encode("ascii") + b"." + delivery.body
    schemes.require_match(_HEADER, (encode(secret.encode(), content) for secret in secrets), [signature])
    schemes.require_fresh(signed_at_ms, now)
