"""Asiento's public door holds a bounded amount for whoever knocks, tells nothing that it should not, and lets the genuine in."""

import asyncio
import logging
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Refusal, RefusedError, SettingsError, TransientError
from shared.domain.outcomes import Outcome
from shared.domain.times import ALL_TIME
from shared.pipeline import receive as verb
from shared.pipeline.receive import BODY_BYTES_MAX, KEPT_APART_AT_ONCE_MAX, Call, receive
from shared.providers.toolkit import registry
from shared.providers.toolkit.readings import fetched_thing
from shared.runtime import http, wiring
from shared.runtime.embedded import EmbeddedParts
from tests.functions.doors import derive_all, door, home, parts, send
from tests.functions.signed import KEY, encoded, event, payment, signature

__all__ = ["home"]

BODY = encoded(event("e1", payment()))
MIB = 1024 * 1024


@pytest.fixture
def world(home: Path) -> Iterator[EmbeddedParts]:
    """The parts behind the doors."""
    with closing(parts(home)) as opened:
        yield opened


def arriving(
    *chunks: bytes, headers: dict[str, str] | None = None, is_cut: bool = False, pause_s: int | None = None
) -> Request:
    """Return a request whose body arrives in these chunks, and then ends, breaks off or pauses."""
    waiting = iter(chunks)

    async def next_message() -> dict[str, Any]:
        for chunk in waiting:
            return {"type": "http.request", "body": chunk, "more_body": True}
        if pause_s is not None:
            await asyncio.sleep(pause_s)
        return {"type": "http.disconnect"} if is_cut else {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/betterez",
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
    }
    return Request(scope, next_message)


def refusal_of(request: Request) -> Refusal | None:
    """Return why a request is not even read to its end, or None where it is."""
    try:
        asyncio.run(http.read_call(request))
    except RefusedError as refused:
        return refused.refusal
    return None


# Size, memory and time


def test_a_body_in_crumbs_costs_no_more_than_its_bytes() -> None:
    """Asiento holds a body that comes in crumbs as one buffer, not as a million objects."""
    request = arriving(*[b"crumb 16 letters"] * (BODY_BYTES_MAX // 16))
    tracemalloc.start()
    try:
        call = asyncio.run(http.read_call(request))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(call.body) == BODY_BYTES_MAX
    assert peak_bytes < 4 * MIB


def test_an_endless_body_is_not_read_to_its_end() -> None:
    """Asiento stops reading at its bound, however much is still to come."""
    read = 0

    async def endless() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    request = arriving()
    assert refusal_of(Request(request.scope, endless)) is Refusal.BODY_TOO_LARGE
    assert read == BODY_BYTES_MAX // 65_536 + 1


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento gives up on a body that pauses, and holds nothing of it afterwards."""
    monkeypatch.setattr(http, "BODY_WAIT_S_MAX", 0.05)
    assert refusal_of(arriving(b"x", pause_s=60)) is Refusal.BODY_TOO_SLOW
    assert http._READING.left == http.READING_BYTES_MAX


@pytest.mark.parametrize(
    "request_", [arriving(b"x", is_cut=True), arriving(b"x", headers={"content-length": "5"})], ids=["cut", "short"]
)
def test_a_body_that_breaks_off_is_refused(request_: Request) -> None:
    """Asiento takes no part of a body for the whole."""
    assert refusal_of(request_) is Refusal.BODY_INCOMPLETE


def test_many_bodies_at_once_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento holds so much of all bodies that arrive at once, asks further callers to come again, and forgets none of it."""
    allowance = http._Allowance(3 * MIB)
    monkeypatch.setattr(http, "_READING", allowance)
    monkeypatch.setattr(http, "BODY_WAIT_S_MAX", 0.2)

    async def at_once() -> list[Any]:
        slow = [http.read_call(arriving(b"x" * MIB, pause_s=60)) for _ in range(5)]
        return await asyncio.gather(*slow, return_exceptions=True)

    ends = asyncio.run(at_once())
    assert [type(end) for end in ends].count(TransientError) == 2
    assert [end.refusal for end in ends if isinstance(end, RefusedError)] == [Refusal.BODY_TOO_SLOW] * 3
    assert allowance.left == 3 * MIB


@pytest.mark.parametrize("length", ["²", "9" * 5_000, "-1", "+5", "1_0", "0x5", "", " ", "five"])
def test_a_strange_length_is_no_crash(home: Path, length: str) -> None:
    """Asiento reads no number into what is none, and none that is too long to be one."""
    assert home.is_dir()
    assert refusal_of(arriving(b"hello", headers={"content-length": length})) in (None, Refusal.BODY_TOO_LARGE)


def test_headers_are_bounded_in_bytes(home: Path) -> None:
    """Asiento bounds headers and address by the bytes that they take where they are kept, not by their letters."""
    assert home.is_dir()
    for text in ("é" * 2_100, "a" * 4_100):
        headers = {"x-btrz-signature": text.encode("latin-1")}
        assert door("receive")("POST", "/betterez", content=BODY, headers=headers).status_code == 431


# What rejected callers can make the door do


def test_a_flood_of_rejections_never_holds_up_the_genuine(
    world: EmbeddedParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento keeps so many rejected deliveries apart at a time; the rest are only counted, and the genuine walk past."""
    release, keeping, kept = threading.Event(), [], world.rejected.keep

    def slowly(delivery: Delivery, reason: str) -> None:
        keeping.append(delivery)
        release.wait(10)
        kept(delivery, reason)

    monkeypatch.setattr(world.rejected, "keep", slowly)
    receiving, now = wiring.receiving(world), datetime.now(UTC)
    forged = Call("betterez", "/betterez", signature(BODY, now, "forged"), BODY)
    genuine = Call("betterez", "/betterez", signature(BODY, now, KEY), BODY)

    async def flood() -> list[Any]:
        waiting = [asyncio.ensure_future(receive(forged, receiving, now)) for _ in range(200)]
        await asyncio.wait_for(receive(genuine, receiving, now), 5)
        answered = [each for each in waiting if each.done()]
        release.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        return answered

    answered = asyncio.run(flood())
    assert len(answered) == 200 - KEPT_APART_AT_ONCE_MAX
    assert len(keeping) == sum(1 for _ in world.rejected.rejected()) == KEPT_APART_AT_ONCE_MAX
    assert [each.body for each in world.raw.deliveries(ALL_TIME)] == [BODY]


def test_a_rejection_that_cannot_be_kept_is_still_a_rejection(
    world: EmbeddedParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento tells a caller why it is refused, also while what is rejected cannot be kept."""

    def down(_delivery: Delivery, _reason: str) -> None:
        raise TransientError("rejected.db is locked")

    monkeypatch.setattr(world.rejected, "keep", down)
    now = datetime.now(UTC)
    call = Call("betterez", "/betterez", signature(BODY, now, "forged"), BODY)
    with pytest.raises(RefusedError) as refused:
        asyncio.run(receive(call, wiring.receiving(world), now))
    assert refused.value.refusal is Refusal.SIGNATURE_WRONG


def test_empty_rejections_fill_the_store_too(world: EmbeddedParts) -> None:
    """Asiento bounds what it keeps of rejected callers by all that it keeps: empty bodies with long headers count."""
    world.rejected._capacity_bytes = 50_000
    now = datetime.now(UTC)
    call = Call("betterez", "/betterez", {"x-btrz-signature": "x" * 3_000}, b"")
    for _ in range(40):
        with pytest.raises(RefusedError):
            asyncio.run(receive(call, wiring.receiving(world), now))
    assert sum(1 for _ in world.rejected.rejected()) < 17
    assert world.rejected.counts()["dropped"] > 0


# Replays and names


def test_a_replayed_call_is_applied_once(home: Path, world: EmbeddedParts) -> None:
    """Asiento keeps a call that somebody recorded and sends again, and applies it once; later it is stale."""
    headers = signature(BODY, datetime.now(UTC))
    knock = door("receive")
    assert [knock("POST", "/betterez", content=BODY, headers=headers).status_code for _ in range(3)] == [200] * 3
    assert sorted(outcome for outcome, _ in derive_all(home)) == [Outcome.APPLIED, *[Outcome.DUPLICATE] * 2]
    late = signature(BODY, datetime.now(UTC) - timedelta(minutes=6))
    assert knock("POST", "/betterez", content=BODY, headers=late).json()["error"] == "signature_stale"
    assert sum(1 for _ in world.raw.deliveries(ALL_TIME)) == 3


def test_a_call_for_one_provider_is_none_for_another(home: Path) -> None:
    """Asiento opens to a signature only under the path of the provider that made it."""
    assert home.is_dir()
    headers = {**signature(BODY, datetime.now(UTC)), "stripe-signature": "t=1,v1=00"}
    assert door("receive")("POST", "/stripe", content=BODY, headers=headers).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/betterez/../../raw", "/betterez/x", "/betterez%2f..%2fstripe", "/betterez%00", "/betterez%0a",
        "/BETTEREZ", "/betterez;a=b", "/%2e%2e/%2e%2e/etc/passwd", "/toolkit", "/betterez%20", "/b%C3%A9tterez", "/.",
    ],
)  # fmt: skip
def test_a_path_is_a_provider_or_nothing(home: Path, world: EmbeddedParts, path: str) -> None:
    """Asiento takes a path for a provider's name or for nothing: it reaches no file, module, bucket or table by it."""
    assert home.is_dir()
    answer = door("receive")("POST", path, content=BODY, headers=signature(BODY, datetime.now(UTC)))
    assert answer.status_code == 404
    assert "passwd" not in answer.text
    assert list(world.raw.names(ALL_TIME)) == []
    assert list(world.rejected.rejected()) == []


@pytest.mark.parametrize(
    "target",
    ["//[", "//[::1", "?data.id=1&data.id=2", "/mercadopago?data.id=a;ts:1", "/x#data.id=1", "?" + "&" * 2_000],
)
def test_an_address_that_cannot_be_read_is_refused(target: str) -> None:
    """Asiento refuses an address that makes no sense, and never stumbles over it."""
    headers = {"x-signature": "ts=1,v1=00", "x-request-id": "r"}
    delivery = Delivery("d", "mercadopago", Channel.WEBHOOK, datetime.now(UTC), target, headers, BODY)
    with pytest.raises(RefusedError):
        registry.load("mercadopago").verify(delivery, ["k"], datetime.now(UTC))


def test_a_fetched_thing_is_named_by_its_last_segments() -> None:
    """Asiento reads what was asked for out of a target by its place alone, whatever an id looks like."""
    assert fetched_thing("GET /operations/transactions/..%2F..%2Fadmin?x=/a/b") == ("transactions", "../../admin")


def test_two_signature_headers_are_one_question(home: Path, world: EmbeddedParts) -> None:
    """Asiento keeps the very header that it checked: what opened the door opens it again when it is traced."""
    assert home.is_dir()
    right = signature(BODY, datetime.now(UTC))["x-btrz-signature"]
    knock = door("receive")
    for first, second, status in (("t=1,s2=0", right, 200), (right, "t=1,s2=0", 401)):
        headers = [("x-btrz-signature", first), ("x-btrz-signature", second)]
        assert knock("POST", "/betterez", content=BODY, headers=headers).status_code == status
    for kept in world.raw.deliveries(ALL_TIME):
        registry.load("betterez").verify(kept, [KEY], kept.received_at)


def test_nothing_of_a_caller_comes_back_in_the_answer(home: Path) -> None:
    """Asiento puts nothing that a caller wrote into the headers of its answer, and no line break anywhere."""
    assert home.is_dir()
    hostile = "t=1,s2=x%0d%0aset-cookie: a=b"
    answer = door("receive")(
        "POST", "/betterez?x=%0d%0aset-cookie", content=BODY, headers={"x-btrz-signature": hostile}
    )
    assert answer.status_code == 401
    assert set(answer.headers) == {"content-length", "content-type"}
    assert "cookie" not in answer.text


# What goes wrong inside


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes the verb behind the public door raise an error."""

    def install(error: Exception) -> None:
        async def fail(*_: object) -> Delivery:
            raise error

        monkeypatch.setattr(verb, "receive", fail)

    return install


def test_an_unforeseen_error_says_where_and_not_what(
    home: Path, failing: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Asiento answers a defect of ours with 500, and tells its class and place; its words may quote a passenger."""
    assert home.is_dir()
    knock = door("receive")
    failing(ValueError("Zulema Arrascaeta, whsec_c2VjcmV0"))
    with caplog.at_level(logging.DEBUG):
        answer = knock("POST", "/betterez", content=BODY)
    logged = "".join(capsys.readouterr()) + caplog.text
    assert (answer.status_code, answer.json()["error"]) == (500, "defect")
    assert "ValueError" in logged
    assert "test_door.py" in logged
    for words in ("Zulema", "whsec_"):
        assert words not in answer.text + logged


def test_an_error_without_an_answer_keeps_its_class(
    home: Path, failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asiento answers 500 to an error of ours that the door has no answer for, and logs what it says to do."""
    assert home.is_dir()
    knock = door("receive")
    failing(SettingsError("secret betterez-webhook has 3 versions; keep the newest 2"))
    answer = knock("POST", "/betterez", content=BODY)
    assert (answer.status_code, answer.json()["error"]) == (500, "SettingsError")
    assert "keep the newest 2" in "".join(capsys.readouterr())
    assert "versions" not in answer.text


def test_a_refused_call_is_logged_for_its_alarm(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Asiento leaves no class of refusal out of an alarm: what is not kept apart is told by its reason."""
    assert home.is_dir()
    knock = door("receive")
    assert knock("GET", "/betterez").status_code == 405
    assert knock("POST", "/nobody", content=b"{}").status_code == 404
    logged = "".join(capsys.readouterr())
    for refusal in ("method_not_allowed", "unknown_provider"):
        assert refusal in logged
    assert send(knock, event("e1", payment())).status_code == 200
