"""How each provider signs what it posts. Written from the providers' documentation, not from Asiento's verifiers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5, sha256
from hmac import digest
from urllib.parse import parse_qs

from local.simulator.deliveries import ATTEMPT_MARK, Emission
from local.simulator.ids import uuid_text
from local.simulator.journal import BETTEREZ, MERCADO_PAGO, STRIPE
from local.simulator.moments import SECOND_MS, to_ms

Secrets = Mapping[str, str]
"""The signing key of each provider, by its name."""

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, ready to be posted to the receiving door."""

    target: str
    """Path and query."""
    headers: Mapping[str, str]
    body: bytes


def sign(emission: Emission, secrets: Secrets, now: datetime, attempt: int = 1) -> Request:
    """Return the request that the emission's provider posts at an instant; each attempt has an id of its own."""
    return _SIGNERS[emission.provider](emission, secrets[emission.provider], to_ms(now), attempt)


def attempt_id(emission: Emission, attempt: int) -> str:
    """Return the id of one attempt: the same one whenever the same plan is carried out again."""
    return uuid_text(int.from_bytes(md5(f"{emission.event_id}#{attempt}".encode(), usedforsecurity=False).digest()))


def _sign_betterez(emission: Emission, secret: str, now_ms: int, attempt: int) -> Request:
    body = emission.body.replace(ATTEMPT_MARK.encode(), attempt_id(emission, attempt).encode(), 1)
    seconds = now_ms // SECOND_MS
    signature = _hmac(secret, f"{seconds}.".encode() + body)
    headers = {"content-type": _JSON, "x-btrz-signature": f"t={seconds},s=deprecated,s2={signature}"}
    return Request(emission.path, headers, body)


def _sign_stripe(emission: Emission, secret: str, now_ms: int, _attempt: int) -> Request:
    seconds = now_ms // SECOND_MS
    signature = _hmac(secret, f"{seconds}.".encode() + emission.body)
    headers = {"content-type": _JSON, "stripe-signature": f"t={seconds},v1={signature}"}
    return Request(emission.path, headers, emission.body)


def _sign_mercado_pago(emission: Emission, secret: str, now_ms: int, attempt: int) -> Request:
    request_id = attempt_id(emission, attempt)
    data_id = parse_qs(emission.query)["data.id"][0]
    signature = _hmac(secret, f"id:{data_id};request-id:{request_id};ts:{now_ms};".encode())
    headers = {"content-type": _JSON, "x-request-id": request_id, "x-signature": f"ts={now_ms},v1={signature}"}
    return Request(f"{emission.path}?{emission.query}", headers, emission.body)


def _hmac(secret: str, message: bytes) -> str:
    return digest(secret.encode(), message, sha256).hex()


_SIGNERS: Mapping[str, Callable[[Emission, str, int, int], Request]] = {
    BETTEREZ: _sign_betterez,
    STRIPE: _sign_stripe,
    MERCADO_PAGO: _sign_mercado_pago,
}
