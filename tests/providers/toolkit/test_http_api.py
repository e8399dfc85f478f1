"""Asiento asks APIs with patience: retries where they can help, our own errors where not."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from shared.domain.errors import (
    BusyError,
    NotFoundError,
    SettingsError,
    TerminalError,
    TransientError,
    UnreadableError,
)
from shared.providers.toolkit import http_api
from shared.providers.toolkit.http_api import ATTEMPTS, HttpApi, UnauthorizedError, segment
from shared.providers.toolkit.json_body import parse_object
from tests.providers.api_server import Answer, ApiServer, Request, serving

SECRET = "very secret token"


@contextlib.contextmanager
def asking(*answers: Answer) -> Iterator[tuple[HttpApi, ApiServer]]:
    """Open an API that gives these answers in turn, the last one for ever."""
    waiting = list(answers)

    def answer(_: Request) -> Answer:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    with serving(answer) as server:
        api = HttpApi(server.base_url, {"Authorization": SECRET})
        try:
            yield api, server
        finally:
            api.close()


def test_returns_the_body_as_it_came() -> None:
    """Asiento gets the bytes of an answer, with its own headers and query sent."""
    with asking(Answer(b' {"a": 1.0} ')) as (api, server):
        assert api.get("/things", {"limit": 5}, {"X-API-KEY": "k"}) == b' {"a": 1.0} '
        (request,) = server.requests
        assert request.query == {"limit": "5"}
        assert (request.headers["authorization"], request.headers["x-api-key"]) == (SECRET, "k")


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_asks_again_where_that_can_help(status: int) -> None:
    """Asiento asks again after an answer that says later, and gets what it asked for."""
    with asking(Answer(status=status), Answer(status=status), Answer({"ok": True})) as (api, server):
        assert api.get("/things") == b'{"ok": true}'
        assert len(server.requests) == 3


@pytest.mark.usefixtures("no_pauses")
def test_gives_up_as_transient() -> None:
    """Asiento gives up after a few tries, and says that later can help."""
    with asking(Answer(status=503)) as (api, server):
        with pytest.raises(TransientError, match="GET /things answered 503"):
            api.get("/things")
        assert len(server.requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("status", "error"), [(401, UnauthorizedError), (404, NotFoundError), (400, TerminalError), (302, TerminalError)]
)
def test_does_not_ask_again_where_that_cannot_help(status: int, error: type[Exception]) -> None:
    """Asiento asks once where the answer will not change, follows no redirect, and shows no secret."""
    with asking(Answer({"secret": SECRET}, status, {"location": "/elsewhere"})) as (api, server):
        with pytest.raises(error) as refused:
            api.get("/things", {"q": SECRET})
        assert len(server.requests) == 1
        assert SECRET not in str(refused.value)


def test_waits_as_long_as_it_is_asked_to() -> None:
    """Asiento comes back after the pause that Retry-After names, in seconds or as a date."""
    by_date = {"retry-after": "Tue, 06 Aug 2024 15:03:01 GMT", "Date": "Tue, 06 Aug 2024 15:03:00 GMT"}
    for headers in ({"retry-after": "1"}, by_date):
        with asking(Answer(status=429, headers=headers), Answer({})) as (api, server):
            started = time.monotonic()
            api.get("/things")
            assert len(server.requests) == 2
            assert time.monotonic() - started >= 0.9


def test_does_not_sleep_through_a_long_pause() -> None:
    """Asiento leaves a long pause to the next run instead of sleeping through it."""
    with asking(Answer(status=429, headers={"retry-after": "3600"})) as (api, server):
        with pytest.raises(BusyError) as busy:
            api.get("/things")
        assert busy.value.retry_after_s == 3600
        assert len(server.requests) == 1


@pytest.mark.usefixtures("no_pauses")
def test_does_not_understand_every_pause() -> None:
    """Asiento falls back on its own pause where Retry-After is neither seconds nor a date."""
    with asking(Answer(status=503, headers={"retry-after": "soon"}), Answer({})) as (api, server):
        api.get("/things")
        assert len(server.requests) == 2


@pytest.mark.usefixtures("no_pauses")
def test_nobody_there_is_transient() -> None:
    """Asiento takes an API that cannot be reached for down, not for wrong."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    api = HttpApi(f"http://127.0.0.1:{port}")
    with pytest.raises(TransientError, match="ConnectError"):
        api.get("/things")
    api.close()


def test_bounds_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento stops reading an answer at its bound."""
    monkeypatch.setattr(http_api, "ANSWER_BYTES_MAX", 1000)
    with asking(Answer(b"x" * 1001)) as (api, _), pytest.raises(TerminalError, match="exceeds 1000 bytes"):
        api.get("/things")
    with asking(Answer(b"x" * 1000)) as (api, _):
        assert len(api.get("/things")) == 1000


JSON = {"content-type": "application/json; charset=utf-8"}
WHOLE = '{"name": "Ñandú", "sales": [{"total": 1.5}, {"total": 2}], "more": true}'.encode()


@pytest.mark.usefixtures("no_pauses")
def test_an_answer_that_ends_anywhere_is_asked_for_again() -> None:
    """Asiento takes no part of an answer for the whole, wherever it was cut, in the middle of a character too."""
    for length in range(len(WHOLE)):
        with asking(Answer(WHOLE[:length], headers=JSON), Answer(WHOLE, headers=JSON)) as (api, server):
            assert api.get("/things") == WHOLE
            assert len(server.requests) == 2, WHOLE[:length]


@pytest.mark.usefixtures("no_pauses")
def test_an_answer_that_stays_cut_is_transient() -> None:
    """Asiento says that later can help where every try ends in the middle, and shows nothing of the answer."""
    with asking(Answer(WHOLE[:30], headers=JSON)) as (api, server):
        with pytest.raises(TransientError, match="GET /things: the answer ends in the middle") as cut:
            api.get("/things")
        assert len(server.requests) == ATTEMPTS
        assert "Ñandú" not in str(cut.value)


@pytest.mark.parametrize(
    "body", [b"<html>sorry</html>", b'{"a": 1} x', b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"a": \xff}']
)
def test_an_answer_that_is_wrong_but_whole_is_taken(body: bytes) -> None:
    """Asiento takes an answer that no later one will make better as it came: its reading says what is wrong with it."""
    with asking(Answer(body, headers=JSON)) as (api, server):
        assert api.get("/things") == body
        assert len(server.requests) == 1


@pytest.mark.usefixtures("no_pauses")
def test_an_object_is_read_once_it_is_whole() -> None:
    """Asiento reads an answer as what it holds, and asks again for one that was cut, as for bytes that are kept."""
    with asking(Answer(WHOLE[:-1], headers=JSON), Answer(WHOLE, headers=JSON)) as (api, server):
        assert api.get_object("/things") == parse_object(WHOLE)
        assert len(server.requests) == 2


@pytest.mark.parametrize("body", [b"[]", b'{"a": nothing}'])
def test_an_answer_that_is_no_object(body: bytes) -> None:
    """Asiento says that a whole answer cannot be read where it holds no object: asking again would not help."""
    with asking(Answer(body, headers=JSON)) as (api, server):
        with pytest.raises(UnreadableError):
            api.get_object("/things")
        assert len(server.requests) == 1


def test_refuses_an_address_that_is_none() -> None:
    """Asiento refuses a base URL without a scheme when it opens, not when it first asks."""
    with pytest.raises(SettingsError):
        HttpApi("api.example.org")


@pytest.mark.parametrize(
    ("entity_id", "safe"),
    [("65f0", "65f0"), ("a/b", "a%2Fb"), ("..", "%2E%2E"), ("a?b#c", "a%3Fb%23c"), ("a..b", "a..b")],
)
def test_an_id_stays_in_its_place(entity_id: str, safe: str) -> None:
    """Asiento puts an id into a path so that it cannot leave its segment."""
    assert segment(entity_id) == safe
