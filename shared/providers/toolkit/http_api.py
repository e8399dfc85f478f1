"""Asking a provider's API over HTTP: time-outs, retries that respect Retry-After, bounded answers, our error family.

Errors name the method, the path and the status; never a header, a query or a body, which may hold secrets or names.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
import stamina

from shared.domain.errors import (
    BusyError,
    NotFoundError,
    SettingsError,
    TerminalError,
    TransientError,
    UnreadableError,
)
from shared.providers.toolkit.json_body import parse_object, parse_value

ATTEMPTS = 4
TIMEOUT_S = 15.0
RETRY_AFTER_S_MAX = 60
"""A provider that asks for more patience than this gets it from a pause of the source, not from a sleeping run."""

ANSWER_BYTES_MAX = 64 * 1024 * 1024

_RETRYABLE_CLIENT_ERRORS = frozenset(
    {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS}
)

_A_SECOND = timedelta(seconds=1)

Query: TypeAlias = Mapping[str, str | int]
T = TypeVar("T")


class UnauthorizedError(TerminalError):
    """The API does not accept our credentials (any more)."""


def segment(entity_id: str) -> str:
    """Return an id as one segment of a path: whatever it holds, it cannot leave its place."""
    return quote(entity_id, safe="") if entity_id.strip(".") else quote(entity_id, safe="").replace(".", "%2E")


class _Answer(NamedTuple):
    """What came back for what was asked."""

    asked: str
    body: bytes
    is_json: bool


class HttpApi:
    """One provider's API. Safe to share between threads."""

    def __init__(self, base_url: str, headers: Mapping[str, str] | None = None) -> None:
        """Open a pool of connections to `base_url`; `headers` go with every request."""
        if not base_url.startswith(("https://", "http://")):
            raise SettingsError("the base URL of a provider's API must start with https:// (or http:// on one machine)")
        limits = httpx.Limits(max_connections=4, max_keepalive_connections=2)
        self._client = httpx.Client(base_url=base_url, headers=dict(headers or {}), timeout=TIMEOUT_S, limits=limits)

    def get(self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the body of an answer.

        Raises TransientError after the last retry, NotFoundError (404), UnauthorizedError (401), TerminalError.
        """
        return self._ask_with_patience(_whole, "GET", path, params=query, headers=headers)

    def get_object(
        self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the JSON object that an answer holds. Raises as `get`, and UnreadableError where it holds something else."""
        return self._ask_with_patience(_object, "GET", path, params=query, headers=headers)

    def post(self, path: str, content: Any, headers: Mapping[str, str], auth: tuple[str, str] | None = None) -> bytes:
        """Send JSON to an endpoint that changes nothing but our session; return the body. Raises as `get`."""
        return self._ask_with_patience(_whole, "POST", path, json=content, headers=headers, auth=auth)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _ask_with_patience(self, read: Callable[[_Answer], T], method: str, path: str, **request: Any) -> T:
        for attempt in stamina.retry_context(on=_patience, attempts=ATTEMPTS, timeout=None):
            with attempt:
                return read(self._ask(method, path, **request))
        raise AssertionError("a retry ends with an answer or an error")  # pragma: no cover  for the type checker alone

    def _ask(self, method: str, path: str, **request: Any) -> _Answer:
        # httpx takes auth=None to mean "no authentication", which is what a request without it wants.
        try:
            with self._client.stream(method, path, **request) as response:
                _require_success(method, path, response)
                is_json = "json" in response.headers.get("content-type", "")
                return _Answer(f"{method} {path}", _bounded(method, path, response), is_json)
        except httpx.TransportError as down:
            raise TransientError(f"{method} {path}: {type(down).__name__}; ask again later") from down


def _patience(error: Exception) -> bool | float:
    """Say whether to try again, and after how long if the API said so."""
    if isinstance(error, BusyError) and error.retry_after_s is not None:
        return float(error.retry_after_s) if error.retry_after_s <= RETRY_AFTER_S_MAX else False
    return isinstance(error, TransientError)


def _require_success(method: str, path: str, response: httpx.Response) -> None:
    status = response.status_code
    where = f"{method} {path} answered {status}"
    if response.is_success:
        return
    if status in _RETRYABLE_CLIENT_ERRORS or response.is_server_error:
        raise BusyError(f"{where}; ask again later", _retry_after_s(response.headers))
    if status == httpx.codes.NOT_FOUND:
        raise NotFoundError(f"{where}: the provider does not know it")
    if status == httpx.codes.UNAUTHORIZED:
        raise UnauthorizedError(f"{where}: the credentials are not accepted; store valid ones")
    raise TerminalError(
        f"{where}: the request cannot succeed as it is; check the base URL, the rights and the contract"
    )


def _whole(answer: _Answer) -> bytes:
    """Return the body of an answer that is not cut.

    What is no JSON at all is not judged here: it is kept as it came, and its reading says what is wrong with it.
    """
    if answer.is_json:
        try:
            parse_value(answer.body)
        except UnreadableError:
            _refuse_cut(answer)
    return answer.body


def _object(answer: _Answer) -> dict[str, Any]:
    """Return the JSON object that an answer holds, read once."""
    try:
        return parse_object(answer.body)
    except UnreadableError:
        if answer.is_json:
            _refuse_cut(answer)
        raise


def _refuse_cut(answer: _Answer) -> None:
    """Raise TransientError where a JSON answer ends in the middle: somebody on the way cut it, and it may come whole again."""
    if _ends_early(answer.body):
        raise TransientError(f"{answer.asked}: the answer ends in the middle; ask again later") from None


def _ends_early(body: bytes) -> bool:
    whole_characters = body.decode("utf-8", "ignore").encode()
    try:
        parse_value(whole_characters)
    except UnreadableError as unreadable:
        return unreadable.detail.startswith("EOF while parsing")
    return False


def _retry_after_s(headers: httpx.Headers) -> int | None:
    """Return how long to wait; a date is measured against the answer's own Date, not against our clock."""
    text = headers.get("retry-after")
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        pause = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(pause // _A_SECOND, 0)


def _bounded(method: str, path: str, response: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise TerminalError(
                f"{method} {path}: the answer exceeds {ANSWER_BYTES_MAX} bytes; ask for a smaller window"
            )
    return bytes(body)
