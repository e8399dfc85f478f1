"""`python -m benchmarks.soak`: an hour's worth of peak load through the real door, compressed; writes docs/soak.md.

The load comes in bursts, one a second, as platforms send; deriving goes on beside it in a process of its own. Memory of both
processes is read every second. In the end everything acknowledged must be kept and have an outcome, and the ledger must
say of tickets and payments what the company's books say, to the cent.
"""

import asyncio
import multiprocessing
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
import uvloop

from local import line
from local.console import progress
from local.demo.homes import new_keys, opened
from local.demo.season import lived_through
from local.doors import HOST, free_port, serve_functions
from local.keepalive import KeepAlive, request_bytes
from local.simulator import Chaos, Plan, Season, Secrets, Send
from shared.domain.facts import EntityKind
from shared.domain.outcomes import Outcome
from shared.domain.times import ALL_TIME
from shared.runtime.parts import Parts

PAGE = Path(__file__).resolve().parent.parent / "docs" / "soak.md"
TICKETS_A_MONTH = 500_000
"""Hundreds of thousands of tickets a month is what the company sells; this is the upper middle of it."""
PEAK_DAY = 3
"""The busiest day of a season sells so many times the mean of the month."""
PEAK_HOUR_SHARE = 8
"""One part in so many of a day's tickets is sold in its busiest hour."""
PEAK_TICKETS = TICKETS_A_MONTH * PEAK_DAY // (30 * PEAK_HOUR_SHARE)
TICKETS_A_SALE = (17, 10)
"""Passengers travel in company: the simulated company sells 1.7 tickets a sale."""
CONNECTIONS = 32
_BURST_S = 1
_OK, _REDIRECT = 200, 300
_KIB = 1024


@dataclass(slots=True)
class Soak:
    """What one soak saw."""

    tickets: int
    sales: int
    planned: int
    compressed_to_s: int
    latencies_ns: list[int] = field(default_factory=list)
    by_status: Counter[int] = field(default_factory=Counter)
    memory_kib: dict[str, list[int]] = field(default_factory=dict)
    """Resident memory of each process, second by second."""
    posted_s: int = 0
    derived_after_s: int = 0
    """How long after the last answer the last delivery was derived."""
    acknowledged: int = 0
    kept: int = 0
    without_outcome: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    books: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By kind: what the company's books and the ledger come to, in centavos."""

    @property
    def lost(self) -> int:
        """Return how many were acknowledged and are not kept."""
        return self.acknowledged - self.kept

    @property
    def is_sound(self) -> bool:
        """Return whether nothing was lost, all was derived, and the ledger agrees with the books to the cent."""
        applied_only = {outcome for outcome, count in self.outcomes.items() if count} <= {
            Outcome.APPLIED,
            Outcome.DUPLICATE,
            Outcome.SUPERSEDED,
        }
        agree = all(books == ledger for books, ledger in self.books.values())
        return (
            self.lost == 0 and self.acknowledged == self.planned and not self.without_outcome and applied_only and agree
        )

    def percentile_us(self, percent: int) -> int:
        """Return the time to 2xx, in microseconds, that `percent` of the answers did not exceed."""
        ordered = sorted(self.latencies_ns)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] // 1000

    def growth_kib(self, process: str) -> int:
        """Return by how much the peak of the last quarter lies above that of the second: what warming up takes is left out."""
        seen = self.memory_kib[process]
        quarter = max(len(seen) // 4, 1)
        return max(seen[-quarter:]) - max(seen[quarter : 2 * quarter] or seen)


def soak(sales: int, compressed_to_s: int, seed: int = 7) -> Soak:
    """Live through a season of so many sales, post it within so many seconds, and return what was seen."""
    season = lived_through(seed, sales)
    plan = Plan(season, Chaos())
    seen = Soak(len(season.company.tickets), sales, len(plan), compressed_to_s)
    keys = new_keys()
    with TemporaryDirectory(prefix="asiento-soak-") as folder, opened(Path(folder), keys) as parts:
        _post_and_derive(seen, plan, parts, keys)
        _settle_accounts(seen, season, parts)
    return seen


def _post_and_derive(seen: Soak, plan: Plan, parts: Parts, keys: Secrets) -> None:
    environ = {"ASIENTO_HOME": str(parts.settings.home), "ASIENTO_LOG_LEVEL": "error", "WORKERS": "1"}
    with serve_functions(("receive",), free_port(), environ) as doors:
        door = doors["receive"]
        with line.deriving_beside(parts.settings), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            (worker,) = (each for each in multiprocessing.active_children() if each.name == "derive")
            processes = {"receive": door.process.pid, "derive": worker.pid or 0}
            started = time.monotonic()
            runner.run(_post_in_bursts(seen, plan, door.port, keys, processes))
            seen.posted_s = round(time.monotonic() - started)
            ended = time.monotonic()
        seen.derived_after_s = round(time.monotonic() - ended)


async def _post_in_bursts(seen: Soak, plan: Plan, port: int, keys: Secrets, processes: dict[str, int]) -> None:
    waiting = iter(plan.sends())
    burst_size = -(-seen.planned * _BURST_S // seen.compressed_to_s)
    due = time.monotonic()
    with progress("posting an hour's peak", seen.planned) as meter:
        while burst := list(islice(waiting, burst_size)):
            await _post(seen, burst, port, keys)
            meter.advance(len(burst))
            for name, process_id in processes.items():
                seen.memory_kib.setdefault(name, []).append(resident_kib(process_id))
            due += _BURST_S
            await asyncio.sleep(max(due - time.monotonic(), 0))


async def _post(seen: Soak, burst: Sequence[Send], port: int, keys: Secrets) -> None:
    left = iter(burst)
    await asyncio.gather(*(_Poster(seen, left, port, keys).run() for _ in range(min(CONNECTIONS, len(burst)))))


class _Poster:
    """One connection of a burst; it connects again where the door hangs up."""

    def __init__(self, seen: Soak, left: Iterator[Send], port: int, keys: Secrets) -> None:
        self._seen = seen
        self._left = left
        self._port = port
        self._keys = keys
        self._posted_ns = 0
        self._is_finished = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_finished:
            _, connection = await loop.create_connection(
                lambda: KeepAlive(self._take, self._answered), HOST, self._port
            )
            await connection.ended

    def _take(self) -> bytes | None:
        send = next(self._left, None)
        if send is None:
            self._is_finished = True
            return None
        request = send.request(self._keys, datetime.now(UTC))
        self._posted_ns = time.perf_counter_ns()
        return request_bytes(f"{HOST}:{self._port}", request.target, request.headers, request.body)

    def _answered(self, status: int) -> None:
        self._seen.latencies_ns.append(time.perf_counter_ns() - self._posted_ns)
        self._seen.by_status[status] += 1
        self._seen.acknowledged += _OK <= status < _REDIRECT


def resident_kib(process_id: int) -> int:
    """Return the resident memory of a process, in KiB; 0 where the system does not tell."""
    with suppress(OSError):
        for told in Path(f"/proc/{process_id}/status").read_text(encoding="ascii").splitlines():
            if told.startswith("VmRSS:"):
                return int(told.split()[1])
    return 0


def _settle_accounts(seen: Soak, season: Season, parts: Parts) -> None:
    """Count what is kept and what became of it, and hold the ledger against the company's records."""
    seen.kept = sum(1 for _ in parts.raw.names(ALL_TIME))
    seen.outcomes = parts.ledger.outcome_counts()
    seen.without_outcome = seen.kept - sum(seen.outcomes.values())
    tickets = sum(ticket.fare_minor for ticket in season.company.tickets.values())
    payments = sum(paid.amount_minor for sale in season.company.sales.values() for paid in sale.payments)
    seen.books = {
        "fares of tickets": (tickets, _sum(parts, EntityKind.TICKET, "fare_minor")),
        "payments at the platform": (payments, _sum(parts, EntityKind.PAYMENT, "amount_minor")),
    }


def _sum(parts: Parts, kind: EntityKind, field_name: str) -> int:
    platform_only = (each for each in parts.ledger.entities(kind) if each.key.provider == "betterez")
    return sum(int(each.values.get(field_name, 0)) for each in platform_only)


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the load: a look, no figure to quote.")] = False,
    seconds: Annotated[int, typer.Option(help="Into how many seconds the hour is compressed.")] = 300,
) -> None:
    """Post an hour of peak load within some minutes and write what was seen to docs/soak.md."""
    tickets = PEAK_TICKETS // 10 if quick else PEAK_TICKETS
    many, few = TICKETS_A_SALE
    seen = soak(tickets * few // many, seconds // 10 if quick else seconds)
    page = page_of(seen)
    typer.echo(page)
    if not quick:
        PAGE.write_text(page, encoding="utf-8")
    if not seen.is_sound:
        raise typer.Exit(1)


def page_of(seen: Soak) -> str:
    """Return the page that tells what was seen."""
    rate = seen.planned // max(seen.compressed_to_s, 1)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return PAGE_TEXT.format(
        tickets_a_month=f"{TICKETS_A_MONTH:,}",
        peak_day=PEAK_DAY,
        peak_hour=PEAK_HOUR_SHARE,
        peak_tickets=f"{PEAK_TICKETS:,}",
        tickets=f"{seen.tickets:,}",
        sales=f"{seen.sales:,}",
        planned=f"{seen.planned:,}",
        compressed_to_s=seen.compressed_to_s,
        rate=f"{rate:,}",
        connections=CONNECTIONS,
        posted_s=seen.posted_s,
        derived_after_s=seen.derived_after_s,
        acknowledged=f"{seen.acknowledged:,}",
        other=f"{seen.planned - seen.acknowledged:,}",
        lost=seen.lost,
        without_outcome=seen.without_outcome,
        outcomes=", ".join(f"{count:,} {outcome.value}" for outcome, count in sorted(seen.outcomes.items()) if count),
        books="\n".join(
            f"| {name}, centavos: books, ledger | {books:,}, {ledger:,} |"
            for name, (books, ledger) in seen.books.items()
        ),
        p50=_milliseconds(seen.percentile_us(50)),
        p99=_milliseconds(seen.percentile_us(99)),
        memory="\n".join(
            f"| memory of {name}: first, highest, last | {_mib(told[0])}, {_mib(max(told))}, {_mib(told[-1])} MiB |\n"
            f"| growth of {name} from the second to the last quarter | {_mib(seen.growth_kib(name))} MiB |"
            for name, told in seen.memory_kib.items()
        ),
        measured=f"{datetime.now(UTC):%Y-%m-%d}: {machine}",
    )


def _milliseconds(us: int) -> str:
    return f"{us // 1000}.{us % 1000 // 100}"


def _mib(kib: int) -> int:
    return round(kib / _KIB)


PAGE_TEXT = """# Soak: an hour's peak in some minutes

Written by `make soak`. A company that sells {tickets_a_month} tickets a month sells about {peak_tickets} in the busiest hour
of its busiest day (assumed: that day is {peak_day} times the mean, and that hour an {peak_hour}th of it). All that is ever said
of these sales, of their trips and of the cash sessions of the season is posted within {compressed_to_s} seconds: {rate} signed
webhooks a second, in bursts of a second, over {connections} connections, to the real receiving door with one worker;
deriving goes on beside it in a process of its own.

| what | seen |
|---|---|
| tickets, sales, deliveries | {tickets}, {sales}, {planned} |
| posted in, all derived after | {posted_s} s, another {derived_after_s} s |
| acknowledged, answered otherwise | {acknowledged}, {other} |
| acknowledged and not kept | {lost} |
| kept and without an outcome | {without_outcome} |
| outcomes | {outcomes} |
{books}
| time to 2xx | p50 {p50} ms, p99 {p99} ms |
{memory}

Measured on {measured}, load generator, door and deriving on the same cores.

The command ends with status 1 if anything acknowledged is not kept, is not derived or does not agree with the books, or if any
request was not acknowledged. Memory is told and not judged: what a number is worth depends on the machine. SQLite keeps
page caches of up to 64 MiB a store (`shared/adapters/embedded/sqlite.py`): until they are full, deriving grows.
"""

if __name__ == "__main__":
    typer.run(main)
