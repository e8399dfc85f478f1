"""How doors speak HTTP: a request becomes a call, bounded while it is read; an error becomes an answer that helps."""

import asyncio
import base64
import binascii
import traceback
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeAlias

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from shared.adapters.google.announcements import from_message, to_message
from shared.domain.deliveries import Announcement
from shared.domain.errors import AsientoError, Refusal, RefusedError, TerminalError, TransientError
from shared.pipeline.receive import BODY_BYTES_MAX, Call

Door: TypeAlias = Callable[[Request], Awaitable[Response]]
"""What the functions framework calls with a request."""

BODY_WAIT_S_MAX = 20
"""How long a body may take to arrive; the platform gives up on the whole request after thirty seconds."""
READING_BYTES_MAX = 64 * 1024 * 1024
"""How much of bodies that are still arriving is held at a time, of all callers together: an eighth of an instance."""

STATUS = {
    Refusal.UNKNOWN_PROVIDER: 404,
    Refusal.METHOD_NOT_ALLOWED: 405,
    Refusal.BODY_INCOMPLETE: 400,
    Refusal.BODY_TOO_SLOW: 408,
    Refusal.BODY_TOO_LARGE: 413,
    Refusal.HEADERS_TOO_LARGE: 431,
}
"""HTTP status of each refusal; every signature refusal is 401."""

log = structlog.get_logger("door")


def guarded(door: Door) -> Door:
    """Wrap a door for what nobody foresaw: it is answered 500 and told by its class and place, never by its own words.

    The words of an unforeseen error may quote a passenger's name or a secret, and the framework would log them.
    """

    @wraps(door)
    async def call(request: Request) -> Response:
        try:
            return await door(request)
        except AsientoError as failure:
            # The words are ours; but this door has no answer of its own for such an error.
            error = type(failure).__name__
            log.error("call failed", error=error, detail=str(failure))  # noqa: TRY400  its words say what to do
            return JSONResponse({"error": error, "detail": "see the log line of this call"}, 500)
        except Exception as defect:  # noqa: BLE001  the last line of defence: what it says must not reach the log
            where = "".join(traceback.format_tb(defect.__traceback__))
            log.error("unforeseen error", error=type(defect).__name__, where=where)  # noqa: TRY400  not with its words
            return JSONResponse({"error": "defect", "detail": "a defect of ours; its log line says where"}, 500)

    return call


async def read_call(request: Request) -> Call:
    """Read a webhook request, never more of its body than BODY_BYTES_MAX; raises RefusedError."""
    if request.method != "POST":
        raise RefusedError(Refusal.METHOD_NOT_ALLOWED, "deliveries are posted: use POST")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    body = await _bounded_body(request, _declared_bytes(headers.get("content-length")))
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["path"]
    return Call(path.strip("/"), f"{path}?{query}" if query else path, headers, body)


async def _bounded_body(request: Request, declared: int | None) -> bytes:
    """Read a body into one buffer, of which no more is held than may be kept, and for no longer than a sender needs."""
    body = bytearray()
    reading = 0
    try:
        async with asyncio.timeout(BODY_WAIT_S_MAX):
            async for part in request.stream():
                if len(body) + len(part) > BODY_BYTES_MAX:
                    raise RefusedError(
                        Refusal.BODY_TOO_LARGE, f"a delivery may have {BODY_BYTES_MAX} bytes; this one has more"
                    )
                _READING.take(len(part))
                reading += len(part)
                body += part
    except TimeoutError:
        raise RefusedError(
            Refusal.BODY_TOO_SLOW, f"the body did not arrive within {BODY_WAIT_S_MAX} s; send it anew"
        ) from None
    except ClientDisconnect:
        raise RefusedError(Refusal.BODY_INCOMPLETE, "the sender hung up before the end of the body") from None
    finally:
        _READING.give_back(reading)
    if declared is not None and len(body) != declared:
        raise RefusedError(
            Refusal.BODY_INCOMPLETE, f"{declared} bytes were declared and {len(body)} came; send it anew"
        )
    return bytes(body)


def _declared_bytes(text: str | None) -> int | None:
    """Return how long the body is said to be; refuse at once what is too long."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    if len(text) > _LENGTH_DIGITS_MAX or int(text) > BODY_BYTES_MAX:
        raise RefusedError(
            Refusal.BODY_TOO_LARGE, f"a delivery may have {BODY_BYTES_MAX} bytes; this one declares {text[:20]}"
        )
    return int(text)


_LENGTH_DIGITS_MAX = 18


class _Allowance:
    """How many bytes may be held at a time. Doors run on one event loop, so that counting needs no lock."""

    def __init__(self, bytes_max: int) -> None:
        self.left = bytes_max

    def take(self, size: int) -> None:
        if size > self.left:
            raise TransientError("too many bodies are arriving at once; try again")
        self.left -= size

    def give_back(self, size: int) -> None:
        self.left += size


_READING = _Allowance(READING_BYTES_MAX)


class KeptAnswer(Response):
    """Says yes: the bytes are durable. Made without the framework's general way to head an answer: this is the one given."""

    def __init__(self, delivery_id: str) -> None:
        """Take the id under which a delivery was kept."""
        self.status_code = 200
        self.background = None
        self.body = b'{"kept":"%b"}' % delivery_id.encode()
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), (b"content-type", b"application/json")]


def refusal_answer(refused: RefusedError) -> JSONResponse:
    """Return the answer to a refused call: a status, a word for machines and a sentence for people."""
    status = STATUS.get(refused.refusal, 401)
    if refused.refusal in STATUS:
        # A signature that does not hold is told by the verb, beside what it keeps of it.
        log.warning("call refused", refusal=refused.refusal.value, status=status)
    headers = {"allow": "POST"} if refused.refusal is Refusal.METHOD_NOT_ALLOWED else None
    return JSONResponse({"error": refused.refusal.value, "detail": refused.detail}, status, headers)


def busy_answer() -> JSONResponse:
    """Return the answer when trying again can help."""
    return JSONResponse(
        {"error": "unavailable", "detail": "a store is down or busy; try again"}, 503, {"retry-after": "5"}
    )


def to_push(announcement: Announcement, message_id: str, subscription: str) -> dict[str, Any]:
    """Return the envelope in which Pub/Sub pushes an announcement."""
    data, attributes = to_message(announcement)
    message = {"data": base64.b64encode(data).decode(), "messageId": message_id, "attributes": attributes}
    return {"message": message, "subscription": subscription}


def from_push(envelope: Any) -> Announcement:
    """Read the pointer out of a Pub/Sub push envelope; raises TerminalError saying what is wrong with it."""
    try:
        data = base64.b64decode(envelope["message"]["data"], validate=True)
    except (KeyError, TypeError, binascii.Error) as wrong:
        raise TerminalError(
            f"this is no Pub/Sub push envelope ({type(wrong).__name__}); push only the topic here"
        ) from None
    return from_message(data)
