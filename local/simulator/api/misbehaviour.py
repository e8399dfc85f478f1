"""How an API behaves on a bad day: it asks for patience, or fails, for as many requests as it was told to."""

from collections import deque

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_TOO_MANY_REQUESTS = 429
_SERVICE_UNAVAILABLE = 503


class Misbehaviour:
    """Answers that are given instead of the true ones, in the order in which they were asked for."""

    def __init__(self) -> None:
        """Behave well."""
        self._planned: deque[Response] = deque()
        self.shown = 0
        """How many requests were answered badly on purpose."""

    def limit_rate(self, requests: int, *, retry_after_s: int = 1) -> None:
        """Answer the next requests with 429 and a Retry-After."""
        for _ in range(requests):
            body = {"status": _TOO_MANY_REQUESTS, "code": "TOO_MANY_REQUESTS", "message": "slow down"}
            self._planned.append(JSONResponse(body, _TOO_MANY_REQUESTS, {"Retry-After": str(retry_after_s)}))

    def fail(self, requests: int, *, status: int = _SERVICE_UNAVAILABLE) -> None:
        """Answer the next requests with a server error."""
        for _ in range(requests):
            self._planned.append(Response("upstream is away", status))

    def next_answer(self) -> Response | None:
        """Return the bad answer that is due; None while behaving well."""
        if not self._planned:
            return None
        self.shown += 1
        return self._planned.popleft()


class MisbehavingApp:
    """An ASGI application that gives bad answers while they are due and passes everything else on."""

    def __init__(self, app: ASGIApp, misbehaviour: Misbehaviour) -> None:
        """Wrap an application."""
        self._app = app
        self._misbehaviour = misbehaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = self._misbehaviour.next_answer() if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)
