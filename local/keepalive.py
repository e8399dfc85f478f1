"""One keep-alive connection that posts one request after the other, at the least cost: for load on doors of this machine.

A client library spends several times what a door spends on a request; where both share two cores, the load would measure
itself. It reads what our doors answer: a status, a content length, a body.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import cast

_END_OF_HEAD = b"\r\n\r\n"
_BODY_REFUSED = 413


class KeepAlive(asyncio.Protocol):
    """Posts what `take` gives until it gives nothing; tells `answered` each status, and 0 where the connection was lost."""

    def __init__(self, take: Callable[[], bytes | None], answered: Callable[[int], None]) -> None:
        """Wait for the connection."""
        self._take = take
        self._answered = answered
        self._is_waiting = False
        self._buffer = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection is closed, by us or by the other side."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Post the first request."""
        self._transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._post_next()

    def data_received(self, data: bytes) -> None:
        """Post the next request once the answer to the last is whole."""
        self._buffer += data
        head_end = self._buffer.find(_END_OF_HEAD)
        if head_end < 0 or len(self._buffer) < head_end + len(_END_OF_HEAD) + _content_length(self._buffer[:head_end]):
            return
        head, self._buffer = self._buffer[:head_end].lower(), b""
        status = int(head[9:12])
        self._is_waiting = False
        self._answered(status)
        # A body that was refused before it was read leaves the connection in the middle of it.
        if status == _BODY_REFUSED or b"connection: close" in head:
            self._transport.close()
        else:
            self._post_next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  why it went makes no difference here
        """Tell of the request that got no answer."""
        if self._is_waiting:
            self._is_waiting = False
            self._answered(0)
        if not self.ended.done():
            self.ended.set_result(None)

    def _post_next(self) -> None:
        request = self._take()
        if request is None:
            self._transport.close()
        else:
            self._is_waiting = True
            self._transport.write(request)


def request_bytes(authority: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a POST request as it goes over the wire; raises ValueError where a header would break out of its line."""
    lines = [f"POST {target} HTTP/1.1", f"host: {authority}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a target or header holds a line break; it cannot be sent")
    return "\r\n".join(lines).encode("latin-1") + _END_OF_HEAD + body


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
