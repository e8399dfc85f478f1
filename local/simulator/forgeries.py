"""Requests that must not be believed: forged ones, which the door refuses, and signed ones that make no sense.

Each is about a sale that was never made, so that believing one of them shows in the totals.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random

from local.simulator.deliveries import Emission, betterez_emission
from local.simulator.exact_json import encode
from local.simulator.ids import uuid_text
from local.simulator.journal import BETTEREZ, MERCADO_PAGO, STRIPE
from local.simulator.moments import to_ms, utc_text
from local.simulator.payloads import mercadopago, stripe
from local.simulator.records import Charge, WalletNotice
from local.simulator.signing import Request, Secrets, sign
from local.simulator.world import LITORAL

OVERSIZED_BYTES = 1_200_000
"""More than any honest webhook; doors commonly stop at one megabyte."""
DEEP_LEVELS = 20_000

_STALE, _EARLY = timedelta(days=30), timedelta(hours=1)
_WRONG_SECRET = "not-the-secret-of-anybody"  # noqa: S105  it is wrong on purpose
_SIGNATURE_HEADERS = {BETTEREZ: "x-btrz-signature", STRIPE: "stripe-signature", MERCADO_PAGO: "x-signature"}


def invented_sale(rng: Random, provider: str, at: datetime) -> Emission:
    """Return an event about a sale or payment that was never made, in a form that would be believed if signed."""
    at_ms = to_ms(at)
    invented_id = f"{at_ms // 1000:08x}{rng.getrandbits(64):016x}"
    event_id = uuid_text(rng.getrandbits(128))
    if provider == BETTEREZ:
        return betterez_emission(
            event_id, "transaction.completed", at_ms // 1000, _sale_data(invented_id, at_ms), at_ms
        )
    if provider == STRIPE:
        charge = Charge(
            id=f"ch_{rng.getrandbits(96):024x}",
            intent_id="pi_0",
            balance_id="txn_0",
            sale_id=invented_id,
            account=LITORAL,
            method="credit",
            amount_minor=9_999_900,
            fee_minor=0,
            refunds=(),
            is_disputed=False,
            created_s=at_ms // 1000,
        )
        event_id = f"evt_{rng.getrandbits(128):032x}"
        body = encode(stripe.event(event_id, "charge.succeeded", at_ms // 1000, stripe.charge(charge)))
        return Emission(STRIPE, "charge.succeeded", event_id, "", body, at)
    payment_id, number = 66_000_000_000 + rng.getrandbits(28), 105_000_000_000 + rng.getrandbits(30)
    notice = WalletNotice(payment_id, "payment.created")
    body = encode(mercadopago.notification(number, at_ms, notice))
    return Emission(MERCADO_PAGO, notice.action, str(number), f"data.id={payment_id}&type=payment", body, at)


# Forged: the signature does not hold.


def forge(kind: str, emission: Emission, secrets: Secrets, now: datetime) -> Request:
    """Return a forged request of a kind (a key of FORGERIES) about an invented emission."""
    return FORGERIES[kind](emission, secrets, now)


def _wrong_key(emission: Emission, _secrets: Secrets, now: datetime) -> Request:
    return sign(emission, {emission.provider: _WRONG_SECRET}, now)


def _tampered(emission: Emission, secrets: Secrets, now: datetime) -> Request:
    """Change what is signed after it was signed: the body, or at Mercado Pago the payment's id in the address."""
    request = sign(emission, secrets, now)
    if emission.provider == MERCADO_PAGO:
        return Request(request.target.replace("data.id=66", "data.id=67", 1), request.headers, request.body)
    return Request(request.target, request.headers, request.body.replace(b"99999", b"89999"))


def _stale(emission: Emission, secrets: Secrets, now: datetime) -> Request:
    return sign(emission, secrets, now - _STALE)


def _from_the_future(emission: Emission, secrets: Secrets, now: datetime) -> Request:
    return sign(emission, secrets, now + _EARLY)


def _without_signature(emission: Emission, secrets: Secrets, now: datetime) -> Request:
    request = sign(emission, secrets, now)
    headers = {name: value for name, value in request.headers.items() if name != _SIGNATURE_HEADERS[emission.provider]}
    return Request(request.target, headers, request.body)


def _malformed_signature(emission: Emission, secrets: Secrets, now: datetime) -> Request:
    request = sign(emission, secrets, now)
    headers = {**request.headers, _SIGNATURE_HEADERS[emission.provider]: "t=now;v1:trust-me"}
    return Request(request.target, headers, request.body)


FORGERIES: Mapping[str, Callable[[Emission, Secrets, datetime], Request]] = {
    "wrong_key": _wrong_key,
    "tampered": _tampered,
    "stale": _stale,
    "from_the_future": _from_the_future,
    "without_signature": _without_signature,
    "malformed_signature": _malformed_signature,
}
"""Every kind of forgery, by name."""


# Corrupted: the signature holds and the content does not.


def corrupt(kind: str, rng: Random, at: datetime) -> Emission:
    """Return an emission of a kind (a key of CORRUPTIONS): to be signed properly, and to be held, not derived."""
    sale = invented_sale(rng, BETTEREZ, at)
    return CORRUPTIONS[kind](sale)


def _with_body(emission: Emission, body: bytes) -> Emission:
    return Emission(emission.provider, emission.event_type, emission.event_id, "", body, emission.occurred_at)


def _replaced(old: bytes, new: bytes) -> Callable[[Emission], Emission]:
    def change(emission: Emission) -> Emission:
        if old not in emission.body:
            raise ValueError(f"{old!r} is not in the invented sale; the corruption would corrupt nothing")
        return _with_body(emission, emission.body.replace(old, new))

    return change


def _truncated(emission: Emission) -> Emission:
    return _with_body(emission, emission.body[: len(emission.body) * 2 // 3])


def _deep(emission: Emission) -> Emission:
    nested = b"[" * DEEP_LEVELS + b"]" * DEEP_LEVELS
    return _with_body(emission, emission.body.replace(b'"refunds":[]', b'"refunds":' + nested))


def _oversized(emission: Emission) -> Emission:
    return _with_body(emission, emission.body[:-1] + b',"padding":"' + b"x" * OVERSIZED_BYTES + b'"}')


CORRUPTIONS: Mapping[str, Callable[[Emission], Emission]] = {
    "truncated": _truncated,
    "not_utf8": _replaced(b'"transactionId":"INVENTED"', b'"transactionId":"\xff\xfe"'),
    "deep_json": _deep,
    "nan": _replaced(b'"amount":99999', b'"amount":NaN'),
    "huge_number": _replaced(b'"total":9999900000', b'"total":1' + b"0" * 4_400),
    "unknown_event_type": _replaced(b'"event":"transaction.completed"', b'"event":"seatmap.repainted"'),
    "unknown_currency": _replaced(b'"ARS"', b'"XQZ"'),
    "unknown_status": _replaced(b'"status":"paid"', b'"status":"half-paid"'),
    "too_many_decimals": _replaced(b'"amount":99999', b'"amount":99999.001'),
    "between_centavos": _replaced(b'"total":9999900000', b'"total":9999900001'),
    "test_mode": _replaced(b'"livemode":true', b'"livemode":false'),
    "oversized": _oversized,
}
"""Every kind of corruption, by name. All but `oversized` pass an honest door and are held behind it."""


def _sale_data(sale_id: str, at_ms: int) -> dict[str, object]:
    moment = {"value": utc_text(at_ms), "offset": 0}
    payment = {
        "provider": "inperson",
        "type": "credit",
        "status": "success",
        "amount": 99_999,
        "currencyCode": "ARS",
        "referenceNumber": "00000000",
        "createdAt": moment,
    }
    transaction = {
        "_id": sale_id,
        "transactionId": "INVENTED",
        "accountId": LITORAL.id,
        "type": "sale",
        "status": "paid",
        "total": 9_999_900_000,
        "currency": "ARS",
        "channel": "backoffice",
        "payments": [payment],
        "createdAt": moment,
        "updatedAt": moment,
    }
    return {"transaction": transaction, "tickets": [], "refunds": []}
