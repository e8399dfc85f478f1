"""The signature of Mercado Pago: it covers an id of the URL, a request id and a time, and not the body."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from shared.domain.deliveries import Delivery
from shared.providers.mercadopago.capabilities import CAPABILITIES
from shared.providers.toolkit import hmac_schemes as schemes

_SIGNATURE, _REQUEST_ID = CAPABILITIES.signature_headers

# The signed text joins its parts with ; and : and so a part must not hold them: one text could be read in two ways.
_PART = re.compile(r"[0-9A-Za-z_.-]{1,128}")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a notification says under signature; everything else about it, the body included, is hearsay."""

    thing_id: str
    """`data.id` of the URL; empty where it is absent."""
    request_id: str
    time: str
    signed_at_ms: int
    signatures: tuple[str, ...]

    def text(self, thing_id: str) -> bytes:
        """Return the signed text; pairs that are absent are left out."""
        named = (("id", thing_id), ("request-id", self.request_id), ("ts", self.time))
        return "".join(f"{name}:{value};" for name, value in named if value).encode("ascii")


def signed_part(delivery: Delivery) -> Signed:
    """Return the signed part of a notification; raise RefusedError (signature_missing, signature_malformed)."""
    parts = schemes.pairs(_SIGNATURE, schemes.header(delivery, _SIGNATURE))
    time = schemes.only(_SIGNATURE, parts, "ts")
    ids = parse_qs(delivery.target.partition("?")[2]).get("data.id", [])
    if len(ids) > 1:
        raise schemes.malformed(_SIGNATURE, f"the URL has {len(ids)} values of data.id")
    return Signed(
        thing_id=_safe(ids[0] if ids else "", "data.id of the URL"),
        request_id=_safe(delivery.headers.get(_REQUEST_ID, ""), _REQUEST_ID),
        time=time,
        signed_at_ms=schemes.signed_time_ms(_SIGNATURE, time),
        signatures=(schemes.only(_SIGNATURE, parts, "v1"),),
    )


def verify(delivery: Delivery, secrets: Sequence[str], now: datetime) -> None:
    """Check HMAC-SHA256 over `id:…;request-id:…;ts:…;`; raise RefusedError.

    An alphanumeric id may come in upper case and be signed in lower case, so both forms are tried.
    """
    schemes.require_secrets(secrets)
    signed = signed_part(delivery)
    forms = dict.fromkeys((signed.thing_id, signed.thing_id.lower()))
    expected = [schemes.hex_hmac(secret.encode(), signed.text(form)) for secret in secrets for form in forms]
    schemes.require_match(_SIGNATURE, expected, signed.signatures)
    schemes.require_fresh(signed.signed_at_ms, now)


def _safe(value: str, name: str) -> str:
    if value and not _PART.fullmatch(value):
        raise schemes.malformed(_SIGNATURE, f"{name} holds characters that no id has")
    return value
