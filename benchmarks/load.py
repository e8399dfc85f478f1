"""A load generator: keep-alive connections with one request in flight on each. Loopback only."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import uvloop

from local.keepalive import KeepAlive, request_bytes

HOST = "127.0.0.1"
_OK, _REDIRECT = 200, 300


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


class _Tally:
    """What one connection posts, and how long each answer took."""

    def __init__(self, request: bytes, left: Iterator[int], latencies_ns: list[int]) -> None:
        self._request = request
        self._left = left
        self._latencies_ns = latencies_ns
        self._posted_ns = 0
        self.not_ok = 0

    def take(self) -> bytes | None:
        if next(self._left, None) is None:
            return None
        self._posted_ns = time.perf_counter_ns()
        return self._request

    def answered(self, status: int) -> None:
        self._latencies_ns.append(time.perf_counter_ns() - self._posted_ns)
        self.not_ok += not _OK <= status < _REDIRECT


def run(port: int, path: str, headers: dict[str, str], body: bytes, *, requests: int, connections: int = 32) -> Load:
    """Send the same request `requests` times over `connections` connections and return what was seen."""
    request = request_bytes(f"{HOST}:{port}", path, headers, body)

    async def load() -> Load:
        left, latencies_ns = iter(range(requests)), list[int]()
        tallies = [_Tally(request, left, latencies_ns) for _ in range(connections)]
        started_ns = time.perf_counter_ns()
        await asyncio.gather(*(_talk(port, tally) for tally in tallies))
        elapsed_ns = time.perf_counter_ns() - started_ns
        return Load(len(latencies_ns), elapsed_ns, tuple(latencies_ns), sum(tally.not_ok for tally in tallies))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(load())


async def _talk(port: int, tally: _Tally) -> None:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: KeepAlive(tally.take, tally.answered), HOST, port)
    await connection.ended
