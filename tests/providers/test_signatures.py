"""Asiento's closed door: every published vector, and whatever a forger may change."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain.deliveries import Delivery
from shared.domain.errors import Refusal, RefusedError
from shared.domain.times import from_ms
from shared.providers.operator import signature as operator
from shared.providers.toolkit import registry
from shared.providers.toolkit.hmac_schemes import (
    base64_hmac,
    hex_hmac,
    pairs,
    require_match,
    signed_time_ms,
    verify_standard_webhooks,
)
from tests.providers.deliveries import webhook

SIGNED_AT_S = 1_742_505_638
NOW = from_ms(SIGNED_AT_S * 1000)
BODY = b'{"id":"evt_1","amount":100}'
SECRET, OTHER_SECRET = "whsec_c2lnbmluZyBrZXkgb25l", "whsec_c2lnbmluZyBrZXkgdHdv"
KEYS = {SECRET: b"signing key one", OTHER_SECRET: b"signing key two"}

VECTORS = 21


def refusal_of(delivery: Delivery, secrets: Sequence[str], now: datetime) -> Refusal | None:
    """Return why the door stays closed, or None where it opens."""
    try:
        registry.load(delivery.provider).verify(delivery, secrets, now)
    except RefusedError as refused:
        return refused.refusal
    return None


def signed(provider: str, secret: str = SECRET, body: bytes = BODY, signed_at_s: int = SIGNED_AT_S) -> Delivery:
    """Return a delivery that is signed as its provider signs, written down here a second time on purpose."""
    time = str(signed_at_s)
    if provider == "dummypay":
        signature = base64_hmac(KEYS[secret], b"msg_1." + time.encode() + b"." + body)
        headers = {"webhook-id": "msg_1", "webhook-timestamp": time, "webhook-signature": f"v1,{signature}"}
        return webhook(provider, body, headers)
    if provider == "mercadopago":
        signature = hex_hmac(secret.encode(), f"id:999;request-id:r-1;ts:{time};".encode())
        headers = {"x-signature": f"ts={time},v1={signature}", "x-request-id": "r-1"}
        return webhook(provider, body, headers, "/mercadopago?data.id=999&type=payment")
    signature = hex_hmac(secret.encode(), time.encode() + b"." + body)
    if provider == "operator":
        return webhook(provider, body, {"x-asiento-signature": f"t={time},v1={signature}"})
    if provider == "stripe":
        return webhook(provider, body, {"stripe-signature": f"t={time},v1={signature}"})
    return webhook(provider, body, {"x-btrz-signature": f"t={time},s=old,s2={signature}"})


PROVIDERS = ("betterez", "stripe", "mercadopago", "dummypay", "operator")
every_provider = pytest.mark.parametrize("provider", PROVIDERS)


def vectors(folder: Path) -> list[dict[str, Any]]:
    """Return the vectors, failing where some have gone."""
    found: list[dict[str, Any]] = json.loads((folder / "signature_vectors.json").read_text())
    assert len(found) == VECTORS
    return found


def delivery_of(vector: dict[str, Any]) -> Delivery:
    """Return the delivery that a vector describes; Standard Webhooks is what DummyPay uses."""
    provider = {"standard-webhooks": "dummypay"}.get(vector["provider"], vector["provider"])
    query = {name: value for name, value in vector.get("query", {}).items() if value is not None}
    headers = {name: value for name, value in vector["headers"].items() if value is not None}
    target = f"/{provider}?{urlencode(query)}" if query else f"/{provider}"
    return webhook(provider, vector.get("body", "").encode(), headers, target)


def signed_at(vector: dict[str, Any]) -> datetime:
    """Return the instant that a vector claims to be signed at."""
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    if "webhook-timestamp" in headers:
        return from_ms(int(headers["webhook-timestamp"]) * 1000)
    (value,) = (headers[name] for name in ("stripe-signature", "x-signature", "x-btrz-signature") if name in headers)
    digits = next((part.partition("=")[2] for part in value.split(",") if part.startswith(("t=", "ts="))), "0")
    return from_ms(int(digits) * (1 if len(digits) == 13 else 1000))


def test_judges_every_vector_as_it_is_marked(outside_data: Path) -> None:
    """Asiento opens for each vector that is marked valid, at its time, and stays closed for each that is not."""
    judged = 0
    for vector in vectors(outside_data):
        if "secret" not in vector:
            continue
        found = refusal_of(delivery_of(vector), [vector["secret"]], signed_at(vector))
        expected = vector["expect"]
        if expected.startswith("valid"):
            assert found is None, vector
        else:
            assert found is Refusal.SIGNATURE_MALFORMED, vector
        judged += 1
    assert judged == VECTORS - 1


def test_parses_the_published_example_without_its_secret(outside_data: Path) -> None:
    """Asiento understands the documented Mercado Pago header and refuses it only for the secret that nobody published."""
    (vector,) = (vector for vector in vectors(outside_data) if "secret" not in vector)
    assert refusal_of(delivery_of(vector), ["guess"], signed_at(vector)) is Refusal.SIGNATURE_WRONG


def test_refuses_every_valid_vector_when_it_is_old(outside_data: Path) -> None:
    """Asiento refuses each valid vector five minutes and a second after it was signed, and as much before."""
    window = timedelta(seconds=301)
    for vector in vectors(outside_data):
        if vector["expect"].startswith("valid"):
            delivery, secrets, time = delivery_of(vector), [vector["secret"]], signed_at(vector)
            assert refusal_of(delivery, secrets, time + window) is Refusal.SIGNATURE_STALE
            assert refusal_of(delivery, secrets, time - window) is Refusal.SIGNATURE_FROM_FUTURE


@every_provider
def test_opens_for_a_signed_delivery(provider: str) -> None:
    """Asiento opens for what was signed with a live secret."""
    assert refusal_of(signed(provider), [SECRET], NOW) is None


@every_provider
def test_opens_for_either_of_two_live_secrets(provider: str) -> None:
    """Asiento loses nothing while a secret is rotated: the new and the old one both open the door, a third does not."""
    for secret in (SECRET, OTHER_SECRET):
        assert refusal_of(signed(provider, secret), [OTHER_SECRET, SECRET], NOW) is None
    assert refusal_of(signed(provider), [OTHER_SECRET], NOW) is Refusal.SIGNATURE_WRONG


@every_provider
def test_stays_closed_without_secrets(provider: str) -> None:
    """Asiento never takes a missing secret for permission."""
    assert refusal_of(signed(provider), [], NOW) is Refusal.NO_SECRET


@every_provider
def test_names_each_missing_header(provider: str) -> None:
    """Asiento stays closed when any header that the scheme needs is missing or empty."""
    delivery = signed(provider)
    for name in delivery.headers:
        for headers in ({**delivery.headers, name: ""}, {k: v for k, v in delivery.headers.items() if k != name}):
            changed = webhook(provider, delivery.body, headers, delivery.target)
            # The request id may be absent in Mercado Pago's scheme; but then it was not signed either.
            expected = Refusal.SIGNATURE_WRONG if name == "x-request-id" else Refusal.SIGNATURE_MISSING
            assert refusal_of(changed, [SECRET], NOW) is expected


@every_provider
@given(age_s=st.integers(-10_000, 10_000))
def test_keeps_the_replay_window_to_the_second(provider: str, age_s: int) -> None:
    """Asiento opens for a signature exactly while it is at most 300 s old or at most 300 s ahead."""
    found = refusal_of(signed(provider), [SECRET], NOW + timedelta(seconds=age_s))
    if age_s > 300:
        assert found is Refusal.SIGNATURE_STALE
    elif age_s < -300:
        assert found is Refusal.SIGNATURE_FROM_FUTURE
    else:
        assert found is None


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "mercadopago"])
@given(at=st.integers(0, len(BODY) - 1), flip=st.integers(1, 255))
def test_sees_any_changed_byte_of_the_body(provider: str, at: int, flip: int) -> None:
    """Asiento stays closed when any byte of a signed body is another."""
    delivery = signed(provider)
    body = bytearray(delivery.body)
    body[at] ^= flip
    changed = webhook(provider, bytes(body), delivery.headers, delivery.target)
    assert refusal_of(changed, [SECRET], NOW) is Refusal.SIGNATURE_WRONG


@every_provider
@given(data=st.data())
def test_sees_any_changed_character_of_a_signed_header(provider: str, data: st.DataObject) -> None:
    """Asiento stays closed when any character of what is signed, or of the signature, is another."""
    delivery = signed(provider)
    name = data.draw(st.sampled_from(sorted(delivery.headers)))
    value = delivery.headers[name]
    at = data.draw(st.integers(0, len(value) - 1))
    letter = data.draw(st.characters(codec="latin-1", exclude_characters=value[at]))
    assume(not (name == "x-btrz-signature" and "s=old" in value and value.index("s=old") - 1 <= at < value.index("s2")))
    assume(not (name == "x-btrz-signature" and letter.lower() == value[at].lower()))  # hex of either case is accepted
    assume(letter.strip())  # white space around a pair means nothing
    headers = {**delivery.headers, name: value[:at] + letter + value[at + 1 :]}
    changed = webhook(provider, delivery.body, headers, delivery.target)
    assert refusal_of(changed, [SECRET], NOW) is not None


@every_provider
@given(header=st.text(max_size=200))
def test_answers_any_header_with_a_refusal(provider: str, header: str) -> None:
    """Asiento answers whatever stands in a signature header with a refusal, never with a crash."""
    delivery = signed(provider)
    for name in delivery.headers:
        changed = webhook(provider, delivery.body, {**delivery.headers, name: header}, delivery.target)
        if header != delivery.headers[name]:
            assert refusal_of(changed, [SECRET], NOW) is not None


def test_accepts_betterez_digests_in_base64_and_upper_case() -> None:
    """Asiento reads the digest encoding that Betterez does not document by its length."""
    content = f"{SIGNED_AT_S}.".encode() + BODY
    for digest in (base64_hmac(SECRET.encode(), content), hex_hmac(SECRET.encode(), content).upper()):
        delivery = webhook("betterez", BODY, {"x-btrz-signature": f"t={SIGNED_AT_S},s2={digest}"})
        assert refusal_of(delivery, [SECRET], NOW) is None


def test_ignores_the_deprecated_betterez_signature() -> None:
    """Asiento never opens for `s`, even where it is right."""
    digest = hex_hmac(SECRET.encode(), f"{SIGNED_AT_S}.".encode() + BODY)
    delivery = webhook("betterez", BODY, {"x-btrz-signature": f"t={SIGNED_AT_S},s={digest},s2={'0' * 64}"})
    assert refusal_of(delivery, [SECRET], NOW) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("provider", "name", "value"),
    [
        ("stripe", "stripe-signature", "t=1,t=2,v1=00"),
        ("stripe", "stripe-signature", "t=,v1=00"),
        ("stripe", "stripe-signature", "t=\uff11\uff12,v1=00"),
        ("stripe", "stripe-signature", "t=1," + ",".join(["v1=00"] * 9)),
        ("betterez", "x-btrz-signature", "t=1,s2=abc"),
        ("betterez", "x-btrz-signature", "t=99999999999999,s2=" + "0" * 64),
        ("mercadopago", "x-request-id", "a;ts:1"),
        ("dummypay", "webhook-id", "msg.1"),
        ("dummypay", "webhook-signature", "v1a,AAAA"),
    ],
)
def test_calls_a_malformed_header_malformed(provider: str, name: str, value: str) -> None:
    """Asiento tells a header that is not of its scheme's form apart from a wrong signature."""
    delivery = signed(provider)
    changed = webhook(provider, delivery.body, {**delivery.headers, name: value}, delivery.target)
    assert refusal_of(changed, [SECRET], NOW) is Refusal.SIGNATURE_MALFORMED


def test_refuses_a_url_that_names_two_things() -> None:
    """Asiento stays closed when a Mercado Pago URL gives data.id twice: one is signed, the other could be read."""
    delivery = signed("mercadopago")
    changed = webhook("mercadopago", BODY, delivery.headers, "/mercadopago?data.id=999&data.id=1000")
    assert refusal_of(changed, [SECRET], NOW) is Refusal.SIGNATURE_MALFORMED


def test_one_unusable_secret_does_not_hide_the_other() -> None:
    """Asiento goes on with a good Standard Webhooks secret beside one that is no base64, and says so if none is left."""
    assert refusal_of(signed("dummypay"), ["whsec_no base64!", SECRET], NOW) is None
    assert refusal_of(signed("dummypay"), ["whsec_no base64!"], NOW) is Refusal.NO_SECRET


@every_provider
def test_never_shows_a_secret(provider: str) -> None:
    """Asiento keeps secrets and signatures out of what a refusal says."""
    delivery = signed(provider, OTHER_SECRET)
    with pytest.raises(RefusedError) as refused:
        registry.load(provider).verify(delivery, [SECRET], NOW)
    assert SECRET not in str(refused.value)
    assert not any(value in str(refused.value) for value in delivery.headers.values() if len(value) > 10)


@every_provider
@pytest.mark.parametrize(
    ("age_ms", "found"),
    [
        (300_000, None),
        (300_001, Refusal.SIGNATURE_STALE),
        (-300_000, None),
        (-300_001, Refusal.SIGNATURE_FROM_FUTURE),
    ],
)
def test_closes_a_millisecond_after_the_window(provider: str, age_ms: int, found: Refusal | None) -> None:
    """Asiento still opens at the very end of the replay window, on either side, and no millisecond later."""
    assert refusal_of(signed(provider), [SECRET], NOW + timedelta(milliseconds=age_ms)) is found


@every_provider
def test_says_that_there_is_no_secret_before_it_looks_at_anything(provider: str) -> None:
    """Asiento tells whoever knocks while no secret is configured the same, signed or not: the fault is ours."""
    assert refusal_of(webhook(provider, BODY), [], NOW) is Refusal.NO_SECRET


def test_looks_at_eight_signatures() -> None:
    """Asiento finds the right one among eight signatures, wherever it stands: a sender may be rotating its own secret."""
    time, right = signed("stripe").headers["stripe-signature"].split(",")
    for at in range(8):
        several = ["v1=00"] * 7
        several.insert(at, right)
        delivery = webhook("stripe", BODY, {"stripe-signature": ",".join((time, *several))})
        assert refusal_of(delivery, [SECRET], NOW) is None


def test_takes_no_statement_at_the_door() -> None:
    """Asiento takes in statements as files alone: whatever is posted as one is refused, whoever holds a secret."""
    for delivery in (webhook("statement", BODY), webhook("statement", BODY, signed("stripe").headers)):
        assert refusal_of(delivery, [SECRET], NOW) is Refusal.UNKNOWN_PROVIDER


def test_opens_for_the_decision_that_it_signs() -> None:
    """Asiento opens for a decision that was signed with its own hand, and for no other body under that signature."""
    headers = operator.sign(BODY, SECRET, NOW)
    assert headers == signed("operator", signed_at_s=SIGNED_AT_S * 1000).headers
    assert refusal_of(webhook("operator", BODY, headers), [SECRET], NOW) is None
    assert refusal_of(webhook("operator", BODY + b" ", headers), [SECRET], NOW) is Refusal.SIGNATURE_WRONG


def test_a_time_of_twelve_digits_is_in_milliseconds() -> None:
    """Asiento reads a signed time in seconds up to the year 5138, and as milliseconds from there on."""
    assert signed_time_ms("t", "100000000000") == 100_000_000_000
    assert signed_time_ms("t", "99999999999") == 99_999_999_999_000


def test_names_the_header_that_is_malformed() -> None:
    """Asiento says which header of a Standard Webhooks request is wrong, and how; letters that are none match nothing."""
    with pytest.raises(RefusedError, match="header x: a part of it is no key=value pair"):
        pairs("x", "t=1,v1")
    with pytest.raises(RefusedError, match="no signature in x was made") as wrong:
        require_match("x", ["aa"], ["\udc80"])
    assert wrong.value.refusal is Refusal.SIGNATURE_WRONG
    good = signed("dummypay")
    for name, value, says in (
        ("webhook-id", "a.b", "header webhook-id: an id has no dot"),
        ("webhook-id", "\udc80", "no signature in webhook-signature was made"),
        ("webhook-timestamp", "soon", "header webhook-timestamp: its time is not"),
        ("webhook-signature", "v2,x", "header webhook-signature: it has no v1 signature"),
    ):
        with pytest.raises(RefusedError, match=says):
            verify_standard_webhooks(replace(good, headers={**good.headers, name: value}), [SECRET], NOW)
