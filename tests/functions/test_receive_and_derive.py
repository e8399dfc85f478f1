"""Asiento answers every request at its real doors, keeps what is authentic and derives only what is certain."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.domain.outcomes import Outcome
from shared.domain.times import ALL_TIME
from shared.runtime.http import to_push
from tests.functions.doors import derive_all, door, home, parts, send
from tests.functions.signed import KEY, encoded, event, payment, signature


def test_a_signed_webhook_becomes_a_ledger(home: Path) -> None:
    """Asiento turns a signed webhook into kept bytes, an announcement, a sale and a payment."""
    body = encoded(event("e1", payment()))
    headers = signature(body, datetime.now(UTC))
    answer = door("receive")("POST", "/betterez", content=body, headers={**headers, "x-secret": "never kept"})
    assert answer.status_code == 200
    world = parts(home)
    (kept,) = world.raw.deliveries(ALL_TIME)
    assert (kept.delivery_id, kept.body) == (answer.json()["kept"], body)
    assert set(kept.headers) <= {"x-btrz-signature", "content-type"}
    assert derive_all(home) == [(Outcome.APPLIED, "")]
    assert {str(e.key): e.values.get("amount_minor", e.values.get("total_minor")) for e in world.ledger.entities()} == {
        "payment:betterez:65f0c2aa0123456789abcdef:R1": 6100,
        "sale:betterez:65f0c2aa0123456789abcdef": 6100,
    }
    world.close()


__all__ = ["home"]

NOW = datetime.now(UTC)
BODY = encoded(event("e1", payment()))
SIGNED = signature(BODY, NOW)
CLOSED = {
    "wrong signature": (SIGNED | {"x-btrz-signature": SIGNED["x-btrz-signature"][:-1] + "!"}, 401, None),
    "signed with another key": (signature(BODY, NOW, "other"), 401, "signature_wrong"),
    "stale": (signature(BODY, NOW - timedelta(hours=1)), 401, "signature_stale"),
    "from the future": (signature(BODY, NOW + timedelta(hours=1)), 401, "signature_from_future"),
    "no signature": ({}, 401, "signature_missing"),
    "malformed signature": ({"x-btrz-signature": "i am signed, honestly"}, 401, "signature_malformed"),
    "huge header": ({"x-btrz-signature": "t=1,s2=" + "a" * 5000}, 431, "headers_too_large"),
}


@pytest.mark.parametrize("case", CLOSED, ids=str)
def test_what_is_not_authentic_gets_a_clear_answer_and_never_reaches_the_ledger(home: Path, case: str) -> None:
    """Asiento closes the door on what is not authentic, says why, and keeps nothing of it in the raw store (I12)."""
    headers, status, error = CLOSED[case]
    answer = door("receive")("POST", "/betterez", content=BODY, headers=headers)
    assert answer.status_code == status
    assert error is None or answer.json()["error"] == error
    assert answer.json()["detail"]
    world = parts(home)
    assert list(world.raw.deliveries(ALL_TIME)) == []
    assert world.bus.depth() == 0
    kept_apart = [(each.body, reason) for each, reason in world.rejected.rejected()]
    assert kept_apart == ([] if status == 431 else [(BODY, answer.json()["error"])])
    world.close()


def test_other_methods_paths_and_sizes_get_their_own_answers(home: Path) -> None:
    """Asiento answers 405, 404 and 413 where a request is not a delivery at all."""
    receive = door("receive")
    assert receive("GET", "/betterez").status_code == 405
    assert receive("POST", "/nobody", content=b"{}").json()["error"] == "unknown_provider"
    assert receive("POST", "/", content=b"{}").status_code == 404
    assert receive("POST", "/betterez", content=b"x" * (1024 * 1024 + 1)).status_code == 413

    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 100_000

    assert receive("POST", "/betterez", content=endless()).json()["error"] == "body_too_large"
    assert not (home / "bus.db").exists() or parts(home).bus.depth() == 0


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "not UTF-8": (b'{"id": "\xff\xfe"}', "not_utf8"),
    "truncated": (BODY[: len(BODY) // 2], "malformed_json"),
    "deep JSON": (b"[" * 100_000, "malformed_json"),
    "NaN": (encoded(event("e1", payment(amount=float("nan")))), "malformed_json"),  # the JSON that must be refused
    "a key twice": (b'{"id": "e1", "id": "e2"}', "malformed_json"),
    "huge number": (BODY.replace(b'"amount": 61', b'"amount": 61e400'), ""),
    "too many decimals": (BODY.replace(b'"amount": 61', b'"amount": 61.105'), "excess_precision"),
    "unknown currency": (BODY.replace(b'"currencyCode": "ARS"', b'"currencyCode": "XAU"'), "unknown_currency"),
    "unknown event type": (encoded(event("e1", event="transaction.exploded")), "unknown_event_type"),
    "test mode": (encoded(event("e1", livemode=False)), "test_mode"),
    "no JSON object": (b"[]", ""),
    "empty": (b"", ""),
}


@pytest.mark.parametrize("case", UNREADABLE, ids=str)
def test_signed_but_unreadable_is_kept_quarantined_and_derives_nothing(home: Path, case: str) -> None:
    """Asiento keeps authentic bytes that it cannot read, names the reason, and derives nothing from them (I5)."""
    body, reason = UNREADABLE[case]
    answer = door("receive")("POST", "/betterez", content=body, headers=signature(body, datetime.now(UTC)))
    assert answer.status_code == 200
    ((outcome, said),) = derive_all(home)
    assert outcome is Outcome.QUARANTINED
    assert said.startswith(reason)
    world = parts(home)
    assert next(iter(world.raw.deliveries(ALL_TIME))).body == body
    assert list(world.ledger.entities()) == []
    world.close()


@pytest.mark.usefixtures("home")
def test_both_live_secrets_open_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento takes the old and the new key while a secret is rotated, and no other."""
    monkeypatch.setenv("ASIENTO_SECRET_BETTEREZ_WEBHOOK", "new")
    monkeypatch.setenv("ASIENTO_SECRET_BETTEREZ_WEBHOOK_PREVIOUS", KEY)
    receive = door("receive")
    statuses = [
        receive("POST", "/betterez", content=BODY, headers=signature(BODY, datetime.now(UTC), key)).status_code
        for key in ("new", KEY, "older")
    ]
    assert statuses == [200, 200, 401]


def test_a_store_that_is_down_is_no_yes(home: Path) -> None:
    """Asiento answers 503, never 2xx, when the bytes could not be kept (I1)."""
    world = parts(home)
    receive = door("receive")
    connection = world._raw._database.connection
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("BEGIN EXCLUSIVE")
    import shared.adapters.embedded.sqlite as sqlite_module  # noqa: PLC0415  its time-out is shortened for this test

    sqlite_module.BUSY_TIMEOUT_MS = 50
    try:
        answer = send(receive, event("e1", payment()))
    finally:
        sqlite_module.BUSY_TIMEOUT_MS = 30_000
        connection.execute("ROLLBACK")
        world.close()
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_a_malformed_push_is_refused_and_a_missing_object_comes_again(home: Path) -> None:
    """Asiento refuses an envelope that is none, and leaves a pointer to nothing on the bus to come again."""
    derive = door("derive")
    assert derive("POST", "/", json={"message": {}}).status_code == 400
    assert derive("POST", "/", content=b"no json").status_code == 400
    missing = SimpleNamespace(object_name="2026/01/01/00/betterez/webhook/x", delivery_id="x", provider="betterez")
    missing.channel = SimpleNamespace(value="webhook")
    assert derive("POST", "/", json=to_push(missing, "1", "derive")).status_code == 503  # type: ignore[arg-type]  # a pointer to nothing
    assert (home / "raw.db").exists()
