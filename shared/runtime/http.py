"""How doors speak HTTP: a request becomes a call, bounded while it is read; an error becomes an answer that helps."""

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from shared.adapters.google.announcements import from_message, to_message
from shared.domain.deliveries import Announcement
from shared.domain.errors import Refusal, RefusedError, TerminalError
from shared.pipeline.receive import BODY_BYTES_MAX, Call

STATUS = {
    Refusal.UNKNOWN_PROVIDER: 404,
    Refusal.METHOD_NOT_ALLOWED: 405,
    Refusal.BODY_INCOMPLETE: 400,
    Refusal.BODY_TOO_LARGE: 413,
    Refusal.HEADERS_TOO_LARGE: 431,
}
"""HTTP status of each refusal; every signature refusal is 401."""


async def read_call(request: Request) -> Call:
    """Read a webhook request, never more of its body than BODY_BYTES_MAX; raises RefusedError."""
    if request.method != "POST":
        raise RefusedError(Refusal.METHOD_NOT_ALLOWED, "deliveries are posted: use POST")
    body = await _bounded_body(request)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["path"]
    return Call(path.strip("/"), f"{path}?{query}" if query else path, headers, body)


async def _bounded_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > BODY_BYTES_MAX:
        raise RefusedError(
            Refusal.BODY_TOO_LARGE, f"a delivery may have {BODY_BYTES_MAX} bytes; this one declares {declared}"
        )
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise RefusedError(Refusal.BODY_TOO_LARGE, f"a delivery may have {BODY_BYTES_MAX} bytes; this one has more")
        parts.append(part)
    return b"".join(parts)


def refusal_answer(refused: RefusedError) -> JSONResponse:
    """Return the answer to a refused call: a status, a word for machines and a sentence for people."""
    status = STATUS.get(refused.refusal, 401)
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
