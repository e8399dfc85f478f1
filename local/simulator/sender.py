"""Posts planned requests to a receiving door on this machine, as fast as it takes them, each signed as it leaves."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from urllib.parse import urlsplit

import uvloop

from local.keepalive import KeepAlive, request_bytes
from local.simulator.chaos import Send
from local.simulator.signing import Secrets

CONCURRENCY = 96
_LOOPBACK_HOSTS = frozenset(("127.0.0.1", "localhost", "::1"))
_UNREACHED = 0
"""The status noted where no answer came."""
_OK, _REDIRECT = 200, 300

Progress = Callable[[int], None]
"""Told how many more requests were answered."""


@dataclass(slots=True)
class SendReport:
    """What the door answered."""

    by_status: Counter[int] = field(default_factory=Counter)
    """Answers by HTTP status; 0 where none came."""
    by_kind: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)
    """Answers by kind of send, provider, flaw and HTTP status."""
    unacknowledged: list[Send] = field(default_factory=list)
    """Genuine requests that were not answered with 2xx: the platform would list them as undeliverable."""
    duration_s: float = 0.0

    @property
    def sent(self) -> int:
        """Return how many requests were made."""
        return self.by_status.total()

    @property
    def accepted(self) -> int:
        """Return how many were answered with 2xx."""
        return sum(count for status, count in self.by_status.items() if _OK <= status < _REDIRECT)


def send(
    sends: Iterable[Send],
    receive_url: str,
    secrets: Secrets,
    *,
    concurrency: int = CONCURRENCY,
    on_progress: Progress | None = None,
) -> SendReport:
    """Post every planned request and report the answers; `receive_url` is the door without a path.

    Raises ValueError where the door is not on this machine: forged requests are made for nobody else.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(send_all(sends, receive_url, secrets, concurrency=concurrency, on_progress=on_progress))


async def send_all(
    sends: Iterable[Send],
    receive_url: str,
    secrets: Secrets,
    *,
    concurrency: int = CONCURRENCY,
    on_progress: Progress | None = None,
) -> SendReport:
    """Do what `send` does inside a running event loop."""
    _require_loopback(receive_url)
    report = SendReport()
    started = perf_counter()
    waiting = iter(sends)
    posters = [_Poster(waiting, receive_url, secrets, report, on_progress) for _ in range(concurrency)]
    await asyncio.gather(*(poster.run() for poster in posters))
    report.duration_s = perf_counter() - started
    return report


class _Poster:
    """One of the connections that share the requests to make; it connects again where the door hangs up."""

    def __init__(
        self, waiting: Iterator[Send], receive_url: str, secrets: Secrets, report: SendReport, told: Progress | None
    ) -> None:
        address = urlsplit(receive_url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._waiting = waiting
        self._secrets = secrets
        self._report = report
        self._told = told
        self._posted: Send | None = None
        self._is_finished = False

    async def run(self) -> None:
        """Post until there is nothing left to post."""
        loop = asyncio.get_running_loop()
        while not self._is_finished:
            try:
                _, connection = await loop.create_connection(
                    lambda: KeepAlive(self._take, self._answered), self._host, self._port
                )
            except OSError:
                if self._take() is not None:
                    self._answered(_UNREACHED)
                continue
            await connection.ended

    def _take(self) -> bytes | None:
        """Return the next request, signed now."""
        self._posted = next(self._waiting, None)
        if self._posted is None:
            self._is_finished = True
            return None
        request = self._posted.request(self._secrets, datetime.now(UTC))
        return request_bytes(f"{self._host}:{self._port}", request.target, request.headers, request.body)

    def _answered(self, status: int) -> None:
        planned = self._posted
        if planned is None:
            return
        self._report.by_status[status] += 1
        self._report.by_kind[planned.kind.value, planned.emission.provider, planned.flaw, status] += 1
        if not planned.flaw and not _OK <= status < _REDIRECT:
            self._report.unacknowledged.append(planned)
        if self._told is not None:
            self._told(1)


def _require_loopback(receive_url: str) -> None:
    host = urlsplit(receive_url).hostname
    if host not in _LOOPBACK_HOSTS:
        raise ValueError(f"the simulator posts to this machine only, not to {host!r}; use a loopback address")
