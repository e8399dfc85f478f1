"""Signatures are those that the providers document."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from hmac import new
from pathlib import Path
from typing import Any

import pytest

from local.simulator import Emission, Season, sign
from local.simulator.deliveries import ATTEMPT_MARK

NOW = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
SECRETS = {"betterez": "private-key", "stripe": "whsec_key", "mercadopago": "key"}


@pytest.mark.parametrize("provider", ["stripe", "betterez"])
def test_published_vectors_are_met(outside_data: Path, provider: str) -> None:
    """Asiento's simulator signs as the collected vectors of the real schemes say."""
    vector = _vector(outside_data, provider)
    header, value = next(iter(vector["headers"].items()))
    seconds = int(value.split(",")[0].removeprefix("t="))
    emission = Emission(provider, "any", "any", "", vector["body"].encode(), NOW)

    request = sign(emission, {provider: vector["secret"]}, datetime.fromtimestamp(seconds, UTC))

    assert request.headers[header.lower()] == value
    assert request.body == vector["body"].encode()


def test_mercado_pago_signs_the_address_and_not_the_body() -> None:
    """Asiento's simulator signs data.id, request id and time in milliseconds for Mercado Pago, whatever the body says."""
    emission = Emission("mercadopago", "payment.updated", "77", "data.id=999&type=payment", b"{}", NOW)

    request = sign(emission, SECRETS, NOW)

    request_id = request.headers["x-request-id"]
    message = f"id:999;request-id:{request_id};ts:1770091506789;"
    digest = new(b"key", message.encode(), sha256).hexdigest()
    assert request.headers["x-signature"] == f"ts=1770091506789,v1={digest}"
    assert request.target == "/mercadopago?data.id=999&type=payment"


def test_each_attempt_has_an_id_of_its_own(season: Season) -> None:
    """Asiento's simulator posts an event again with another `attemptId`, and with nothing else changed."""
    emission = next(emission for emission in season.emissions() if emission.provider == "betterez")

    first, again, same = (_content(sign(emission, SECRETS, NOW, attempt).body) for attempt in (1, 2, 1))

    assert first == same
    assert first["attemptId"] != again["attemptId"]
    assert ATTEMPT_MARK not in (first["attemptId"], again["attemptId"])
    assert {**first, "attemptId": ""} == {**again, "attemptId": ""}


def _content(body: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(body)
    return content


def _vector(folder: Path, provider: str) -> Mapping[str, Any]:
    vectors: list[dict[str, Any]] = json.loads((folder / "signature_vectors.json").read_text())
    return next(
        vector
        for vector in vectors
        if vector["provider"] == provider and vector["expect"].startswith("valid") and _is_of_one_signature(vector)
    )


def _is_of_one_signature(vector: Mapping[str, Any]) -> bool:
    value = str(next(iter(vector["headers"].values())))
    return value.count("v1=") == 1 or "s2=" in value
