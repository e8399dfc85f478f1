"""How an API behaves on a bad day: it asks for patience, fails, is away, cuts its answers short, or has a clock of its own."""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import Enum, auto
from urllib.parse import parse_qsl, urlencode

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TOO_MANY_REQUESTS = 429
_SERVICE_UNAVAILABLE = 503


class Cut(Enum):
    """How an answer is cut in the middle."""

    CONNECTION = auto()
    """The connection ends before all the bytes that were announced have come."""
    BODY = auto()
    """Somebody on the way passes on half the body as if it were whole."""


class Misbehaviour:
    """What goes wrong: answers given instead of the true ones, in the order in which they were asked for, and what lasts."""

    def __init__(self) -> None:
        """Behave well."""
        self._planned: deque[Response | Cut] = deque()
        self._away: dict[str, int] = {}
        self.shown = 0
        """How many requests were answered badly on purpose."""
        self.clock_ahead = timedelta(0)
        """By how much the clock by which a listing places things is ahead of the one that dates them; negative: behind."""
        self.between_requests: Callable[[str], None] = _nothing
        """Called with the path of each request before it is answered: what changes the records while pages are read."""

    def limit_rate(self, requests: int, *, retry_after_s: int = 1) -> None:
        """Answer the next requests with 429 and a Retry-After."""
        for _ in range(requests):
            body = {"status": _TOO_MANY_REQUESTS, "code": "TOO_MANY_REQUESTS", "message": "slow down"}
            self._planned.append(JSONResponse(body, _TOO_MANY_REQUESTS, {"Retry-After": str(retry_after_s)}))

    def fail(self, requests: int, *, status: int = _SERVICE_UNAVAILABLE) -> None:
        """Answer the next requests with a server error."""
        for _ in range(requests):
            self._planned.append(_away(status))

    def cut(self, requests: int, how: Cut) -> None:
        """Cut the next answers in the middle."""
        self._planned.extend([how] * requests)

    def go_away(self, *providers: str, status: int = _SERVICE_UNAVAILABLE) -> None:
        """Answer every request for these providers with a server error until they come back."""
        self._away.update(dict.fromkeys(providers, status))

    def come_back(self) -> None:
        """Answer again."""
        self._away.clear()

    def next_answer(self, path: str) -> Response | Cut | None:
        """Return what goes wrong with a request for a path; None while behaving well."""
        status = self._away.get(path.strip("/").partition("/")[0])
        if status is None and not self._planned:
            return None
        self.shown += 1
        return self._planned.popleft() if status is None else _away(status)


class MisbehavingApp:
    """An ASGI application that gives bad answers while they are due and passes everything else on."""

    def __init__(self, app: ASGIApp, misbehaviour: Misbehaviour) -> None:
        """Wrap an application."""
        self._app = app
        self._misbehaviour = misbehaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._misbehaviour.between_requests(scope["path"])
        bad = self._misbehaviour.next_answer(scope["path"])
        if isinstance(bad, Cut):
            await self._app(scope, receive, _half_of(send, bad))
        elif bad is not None:
            await bad(scope, receive, send)
        else:
            await self._app(_as_clock_says(scope, self._misbehaviour.clock_ahead), receive, send)


def _nothing(_path: str) -> None:
    """Nothing happens between requests."""


def _away(status: int) -> Response:
    return Response("upstream is away", status)


def _half_of(send: Send, how: Cut) -> Send:
    """Return a sender of which only the first half of the body comes out."""
    start: Message = {}

    async def halved(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        half = message["body"][: len(message["body"]) // 2]
        if how is Cut.BODY:
            headers = [each for each in start["headers"] if each[0] != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(half)).encode())]})
            await send({**message, "body": half})
        else:
            await send(start)
            # The server closes the connection of an application that ends without having sent what it announced.
            await send({**message, "body": half, "more_body": True})

    return halved


def _as_clock_says(scope: Scope, ahead: timedelta) -> Scope:
    """Return a request as an API understands it whose listings go by another clock than the one that dates its records."""
    if not ahead:
        return scope
    asked = parse_qsl(scope["query_string"].decode())
    return {**scope, "query_string": urlencode([*_shifted(asked, ahead)]).encode()}


def _shifted(asked: Iterable[tuple[str, str]], ahead: timedelta) -> Iterable[tuple[str, str]]:
    for name, value in asked:
        if name in ("begin_date", "end_date"):
            yield name, (datetime.fromisoformat(value) - ahead).isoformat()
        elif name.partition("[")[0] in ("created", "arrival_date"):
            yield name, str(int(value) - ahead // timedelta(seconds=1))
        else:
            yield name, value
