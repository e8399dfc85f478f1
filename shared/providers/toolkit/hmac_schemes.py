"""Signature schemes: what they share (constant-time comparison, replay window), and Standard Webhooks ready made.

The signature is checked before the time, so that "stale" is said only to a sender who holds the secret.
"""

import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from shared.domain.deliveries import Delivery
from shared.domain.errors import Refusal, RefusedError
from shared.domain.times import to_ms

TOLERANCE_S = 300
"""How old, and how far from the future, a signed time may be; the window that the providers' own libraries use."""

MILLISECONDS_FROM = 10**11
"""A signed time from here on is in milliseconds: in seconds it would be the year 5138."""

_CANDIDATES_MAX = 8
_TIME_DIGITS_MAX = 13


def header(delivery: Delivery, name: str) -> str:
    """Return a header that the scheme needs; raise RefusedError(signature_missing)."""
    value = delivery.headers.get(name)
    if not value:
        raise RefusedError(Refusal.SIGNATURE_MISSING, f"header {name} is missing; send the request signed")
    return value


def pairs(name: str, value: str) -> Mapping[str, list[str]]:
    """Return the parts of a header of the form `t=1,v1=aa,v1=bb`, by key; raise RefusedError(signature_malformed)."""
    parts: dict[str, list[str]] = {}
    for part in value.split(","):
        key, equals, text = part.strip().partition("=")
        if not equals:
            raise malformed(name, "a part of it is no key=value pair")
        parts.setdefault(key, []).append(text)
    return parts


def only(name: str, parts: Mapping[str, list[str]], key: str) -> str:
    """Return the one value of a key in a header; raise RefusedError(signature_malformed) if there is none or more."""
    found = parts.get(key, [])
    if len(found) != 1:
        raise malformed(name, f"it has {len(found)} values of {key}, one is needed")
    return found[0]


def signed_time_ms(name: str, digits: str) -> int:
    """Return a signed time in milliseconds, read as seconds or, when that large, as milliseconds."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _TIME_DIGITS_MAX):
        raise malformed(name, "its time is not a count of seconds or milliseconds")
    number = int(digits)
    return number if number >= MILLISECONDS_FROM else number * 1000


def hex_hmac(secret: bytes, content: bytes) -> str:
    """Return the HMAC-SHA256 in lower-case hex."""
    return hmac.digest(secret, content, "sha256").hex()


def base64_hmac(secret: bytes, content: bytes) -> str:
    """Return the HMAC-SHA256 in padded base64."""
    return binascii.b2a_base64(hmac.digest(secret, content, sha256), newline=False).decode("ascii")


def require_match(name: str, expected: Iterable[str], candidates: Sequence[str]) -> None:
    """Require that one candidate equals one expected signature, in constant time; raise RefusedError(signature_wrong)."""
    if len(candidates) > _CANDIDATES_MAX:
        raise malformed(name, f"it has more than {_CANDIDATES_MAX} signatures")
    given = [candidate.encode("utf-8", "replace") for candidate in candidates]
    matched = False
    for text in expected:
        for candidate in given:
            matched |= hmac.compare_digest(text.encode("ascii"), candidate)
    if not matched:
        raise RefusedError(
            Refusal.SIGNATURE_WRONG, f"no signature in {name} was made with a live secret over these bytes"
        )


def require_fresh(signed_at_ms: int, now: datetime, tolerance_s: int = TOLERANCE_S) -> None:
    """Refuse a signed time outside the replay window, on either side."""
    age_ms = to_ms(now) - signed_at_ms
    if age_ms > tolerance_s * 1000:
        raise RefusedError(
            Refusal.SIGNATURE_STALE, f"signed {age_ms // 1000} s ago, {tolerance_s} s are accepted; send it anew"
        )
    if age_ms < -tolerance_s * 1000:
        raise RefusedError(
            Refusal.SIGNATURE_FROM_FUTURE,
            f"signed {-age_ms // 1000} s ahead of our clock, {tolerance_s} s are accepted",
        )


def require_secrets(secrets: Sequence[str]) -> None:
    """Refuse when there is nothing to check a signature against."""
    if not secrets:
        raise RefusedError(Refusal.NO_SECRET, "no live signing secret is configured; store one and send it anew")


def malformed(name: str, fault: str) -> RefusedError:
    """Return the refusal of a header that is not of its scheme's form."""
    return RefusedError(Refusal.SIGNATURE_MALFORMED, f"header {name}: {fault}")


# Standard Webhooks (standardwebhooks.com): one scheme that many senders share.

STANDARD_WEBHOOKS_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def verify_standard_webhooks(delivery: Delivery, secrets: Sequence[str], now: datetime) -> None:
    """Check a Standard Webhooks signature: HMAC-SHA256 over `id.timestamp.body`, base64, space-separated `v1,…` entries.

    Raises RefusedError. Secrets are base64, padded or not, after an optional `whsec_`; any of the `v1` entries may match.
    """
    require_secrets(secrets)
    message_id, timestamp, signatures = (header(delivery, name) for name in STANDARD_WEBHOOKS_HEADERS)
    if "." in message_id:
        # A dot in the id would let one signed text be read as another id with another time.
        raise malformed("webhook-id", "an id has no dot")
    signed_at_ms = signed_time_ms("webhook-timestamp", timestamp)
    content = b".".join((message_id.encode("utf-8", "replace"), timestamp.encode("ascii"), delivery.body))
    candidates = [
        text for version, _, text in (entry.partition(",") for entry in signatures.split(" ")) if version == "v1"
    ]
    if not candidates:
        raise malformed("webhook-signature", "it has no v1 signature")
    require_match("webhook-signature", (base64_hmac(key, content) for key in _decoded(secrets)), candidates)
    require_fresh(signed_at_ms, now)


def _decoded(secrets: Sequence[str]) -> list[bytes]:
    """Return the keys that are base64; one that is not does not keep the other from being used."""
    keys = [key for key in map(_from_base64, secrets) if key]
    if not keys:
        raise RefusedError(
            Refusal.NO_SECRET, "no live signing secret is base64 after whsec_; store the secret as it was issued"
        )
    return keys


def _from_base64(secret: str) -> bytes | None:
    text = secret.removeprefix("whsec_")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None
