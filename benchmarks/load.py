"""A load generator that costs little: raw asyncio connections, one request in flight on each. Loopback only."""

import asyncio
import socket
import time
from dataclasses import dataclass
from typing import cast

import uvloop

HOST = "127.0.0.1"
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of load saw: how many answers in how long, and how long each took."""

    requests: int
    elapsed_ns: int
    latencies_ns: tuple[int, ...]
    not_ok: int

    @property
    def per_second(self) -> int:
        """Return answers per second."""
        return self.requests * 1_000_000_000 // self.elapsed_ns

    def percentile_us(self, percent: int) -> int:
        """Return the latency in microseconds that `percent` of the answers did not exceed."""
        ordered = sorted(self.latencies_ns)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] // 1000


class _Connection(asyncio.Protocol):
    """One keep-alive connection that sends the next request when the answer to the last is whole."""

    def __init__(self, request: bytes, tally: "_Tally") -> None:
        self._request = request
        self._tally = tally
        self._buffer = b""
        self._sent_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(_END_OF_HEAD)
        if head_end < 0 or len(self._buffer) < head_end + len(_END_OF_HEAD) + _content_length(self._buffer[:head_end]):
            return
        self._tally.answered(time.perf_counter_ns() - self._sent_ns, is_ok=self._buffer[9:10] == b"2")
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.lost(exc)

    def _next(self) -> None:
        if self._tally.take():
            self._sent_ns = time.perf_counter_ns()
            self._transport.write(self._request)
        else:
            self._transport.close()


class _Tally:
    def __init__(self, requests: int, done: "asyncio.Future[None]") -> None:
        self.left = requests
        self.requests = requests
        self.latencies_ns: list[int] = []
        self.not_ok = 0
        self.done = done

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def answered(self, latency_ns: int, *, is_ok: bool) -> None:
        self.latencies_ns.append(latency_ns)
        self.not_ok += not is_ok
        if len(self.latencies_ns) == self.requests and not self.done.done():
            self.done.set_result(None)

    def lost(self, failure: Exception | None) -> None:
        if len(self.latencies_ns) < self.requests and self.left >= 0 and not self.done.done():
            self.done.set_exception(failure or ConnectionError("the server closed a connection"))


def run(port: int, path: str, headers: dict[str, str], body: bytes, *, requests: int, connections: int = 32) -> Load:
    """Send the same request `requests` times over `connections` connections and return what was seen."""
    lines = [f"POST {path} HTTP/1.1", f"host: {HOST}:{port}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = "\r\n".join(lines).encode() + _END_OF_HEAD + body

    async def load() -> Load:
        loop = asyncio.get_running_loop()
        tally = _Tally(requests, loop.create_future())
        started_ns = time.perf_counter_ns()
        await asyncio.gather(
            *(loop.create_connection(lambda: _Connection(request, tally), HOST, port) for _ in range(connections))
        )
        await tally.done
        return Load(requests, time.perf_counter_ns() - started_ns, tuple(tally.latencies_ns), tally.not_ok)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(load())


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
