"""Lag: from the post of a webhook to its verdict in the ledger, through the real door, the bus and a deriving process."""

import asyncio
import json
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from benchmarks.peers.probe import timed_ns
from benchmarks.receive import KEY, RECEIVE
from benchmarks.samples import Sample
from benchmarks.signing import signed
from benchmarks.templates import SALES, Template
from local import doors, line
from local.keepalive import request_bytes
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.domain.deliveries import Delivery
from shared.runtime.settings import Settings

SHARES_PERCENT = (10, 50, 90)
"""Of the capacity: how busy the line is."""
_CONNECTIONS = 32
_POLL_S = 0.01
"""How often the ledger is asked: a lag is told too long by up to this, never too short."""
_ASKED_AT_ONCE = 500
_PATIENCE_S = 120
_PROVIDER = "betterez"


def followed(folder: str, count: int, per_second: int) -> Sample:
    """Post so many webhooks at a steady rate (0: as fast as they are answered) and wait until each has its verdict."""
    environ = {
        "ASIENTO_HOME": folder,
        "ASIENTO_PROVIDERS": _PROVIDER,
        "ASIENTO_SECRET_BETTEREZ_WEBHOOK": KEY,
        "WORKERS": "1",
    }
    settings = Settings(home=Path(folder), providers=(_PROVIDER,), log_level="error")
    bodies = [each.body for each in _told(count + _CONNECTIONS)]
    ledger = SqliteLedgerStore(Path(folder) / "ledger.db")
    with doors.door("receive", RECEIVE, doors.free_port(), environ) as door, line.deriving_beside(settings):
        asyncio.run(_Run(door.port, bodies[:_CONNECTIONS], 0).followed(ledger))  # door and derive are warm after it
        run = _Run(door.port, bodies[_CONNECTIONS:], per_second)
        elapsed_ns = timed_ns(lambda: asyncio.run(run.followed(ledger)))
    ledger.close()
    lags = sorted(run.lags_ns)
    return Sample(
        len(lags),
        elapsed_ns,
        more={"p50_us": lags[len(lags) // 2] // 1000, "p99_us": lags[len(lags) * 99 // 100] // 1000},
    )


def _told(count: int) -> Sequence[Delivery]:
    template = Template.of(SALES)
    return list(islice((each for each in template.deliveries(count) if each.provider == _PROVIDER), count))


class _Run:
    """One run: what is posted when, and when each was seen in the ledger."""

    def __init__(self, port: int, bodies: Sequence[bytes], per_second: int) -> None:
        self._port = port
        self._waiting = iter(enumerate(bodies))
        self._per_second = per_second
        self._started_ns = 0
        self._posted: dict[str, int] = {}
        self._is_posting = True
        self.lags_ns: list[int] = []

    async def followed(self, ledger: SqliteLedgerStore) -> None:
        """Post all and wait for all verdicts."""
        self._started_ns = time.perf_counter_ns()
        watching = asyncio.create_task(self._watch(ledger))
        await asyncio.gather(*(self._talk() for _ in range(_CONNECTIONS)))
        self._is_posting = False
        await asyncio.wait_for(watching, _PATIENCE_S)

    async def _talk(self) -> None:
        """Post over one connection what is due, one after the other. Lag counts from when it was due."""
        reader, writer = await asyncio.open_connection(doors.HOST, self._port)
        for at, body in self._waiting:
            due_ns = time.perf_counter_ns()
            if self._per_second:
                due_ns = self._started_ns + at * 1_000_000_000 // self._per_second
                await asyncio.sleep(max(due_ns - time.perf_counter_ns(), 0) / 1_000_000_000)
            writer.write(
                request_bytes(f"{doors.HOST}:{self._port}", f"/{_PROVIDER}", signed(_PROVIDER, body, KEY), body)
            )
            self._posted[await _kept(reader)] = due_ns
        writer.close()

    async def _watch(self, ledger: SqliteLedgerStore) -> None:
        while self._is_posting or self._posted:
            asked = list(islice(self._posted, _ASKED_AT_ONCE))
            undone = ledger.without_verdict(asked)
            seen_ns = time.perf_counter_ns()
            self.lags_ns += [seen_ns - self._posted.pop(each) for each in asked if each not in undone]
            await asyncio.sleep(_POLL_S)


async def _kept(reader: asyncio.StreamReader) -> str:
    """Return the id under which a post was kept; raises RuntimeError if it was refused."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    kept = json.loads(body).get("kept")
    if kept is None:
        raise RuntimeError(f"a post of the benchmark was answered {head[:40]!r}")
    return str(kept)
