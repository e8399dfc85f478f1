"""Posts planned requests to a receiving door on this machine, as fast as it takes them, each signed as it leaves."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from urllib.parse import urlsplit

import aiohttp
import uvloop
from yarl import URL

from local.simulator.chaos import Send
from local.simulator.signing import Secrets

CONCURRENCY = 96
_LOOPBACK_HOSTS = frozenset(("127.0.0.1", "localhost", "::1"))
_TIMEOUT_S = 60
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
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        connector=aiohttp.TCPConnector(limit=concurrency),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        door = _Door(session, receive_url.rstrip("/"), secrets)
        waiting = iter(sends)
        workers = [_work(door, waiting, report, on_progress) for _ in range(concurrency)]
        await asyncio.gather(*workers)
    report.duration_s = perf_counter() - started
    return report


async def _work(door: "_Door", waiting: Iterator[Send], report: SendReport, on_progress: Progress | None) -> None:
    """Take the next request from those that all workers share, until there are none left."""
    for planned in waiting:
        status = await door.post(planned)
        report.by_status[status] += 1
        report.by_kind[planned.kind.value, planned.emission.provider, planned.flaw, status] += 1
        if not planned.flaw and not _OK <= status < _REDIRECT:
            report.unacknowledged.append(planned)
        if on_progress is not None:
            on_progress(1)


@dataclass(frozen=True, slots=True)
class _Door:
    """The receiving door, and the keys that it believes."""

    session: aiohttp.ClientSession
    base_url: str
    secrets: Secrets

    async def post(self, planned: Send) -> int:
        """Post one request, signed now, and return the status of the answer; 0 where none came."""
        request = planned.request(self.secrets, datetime.now(UTC))
        # The address is sent as it was signed, not normalised.
        url = URL(self.base_url + request.target, encoded=True)
        try:
            async with self.session.post(url, headers=request.headers, data=request.body) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return _UNREACHED


def _require_loopback(receive_url: str) -> None:
    host = urlsplit(receive_url).hostname
    if host not in _LOOPBACK_HOSTS:
        raise ValueError(f"the simulator posts to this machine only, not to {host!r}; use a loopback address")
