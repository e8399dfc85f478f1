"""The rows of the table, job by job: which contenders stand beside which, and on which data."""

from collections.abc import Callable, Iterator, Mapping

from benchmarks import cold_start, derive, lag, receive
from benchmarks.bench import Bench
from benchmarks.environments import of_sync_engine
from benchmarks.growing import rebuild_rows, reconcile_rows, replay_rows
from benchmarks.report import Row, alone, latency, rounds, row
from benchmarks.samples import of_child
from benchmarks.templates import KEYS
from scripts.bundle_environments import unpack

_LAG_S = 10
_LAG_MIN = 100


def receive_rows(bench: Bench) -> Iterator[Row]:
    """Acknowledge: the door beside bare ones, then both on slower disks."""
    requests = bench.scale.requests
    size = f"{requests:,} of 1.5 KB, {receive.CONNECTIONS} connections"
    ours, *others = receive.CONTENDERS
    yield from _received(bench, size, requests, ours, others)
    for delay_ms in receive.FLUSH_DELAYS_MS:
        slow, limit = receive.slowed(delay_ms)
        yield from _received(bench, f"{size}, flush + {delay_ms} ms", requests, slow, [limit])


def _received(
    bench: Bench, size: str, requests: int, ours: receive.Contender, others: list[receive.Contender]
) -> Iterator[Row]:
    mine, seen = rounds(
        bench.scale.runs,
        lambda: receive.answered(ours, requests),
        {each.label: lambda each=each: receive.answered(each, requests) for each in others},  # type: ignore[misc]  # bound
    )
    limit = others[-1].label
    yield latency("receive, time to 2xx", size, mine, limit, seen[limit])
    for label, theirs in seen.items():
        yield row("receive", size, mine, label, theirs, "requests")


def derive_rows(bench: Bench) -> Iterator[Row]:
    """Derive: one at a time and in batches, beside bare upserts and the sync engine; and one hot ticket."""
    scale = bench.scale
    for batch in derive.BATCHES:
        ours = [
            of_child("benchmarks.derive:derived", bench.fresh(), scale.derived_sales, batch) for _ in range(scale.runs)
        ]
        size = f"{ours[0].items:,} deliveries, {batch} a transaction"
        bare = [each.part("bare_ns") for each in ours]
        yield row("derive", size, ours, "bare SQLite upserts of the same rows", bare, "deliveries")
    for batch in derive.BATCHES[:2]:
        yield from _charges(bench, batch)
    hot = [of_child("benchmarks.hot:derived_hot", bench.fresh(), scale.hot_facts) for _ in range(scale.runs)]
    first = [each.part("first_ns") for each in hot]
    yield row("derive, hot ticket", f"{scale.hot_facts:,} facts", hot, "its first tenth", first, "deliveries")


def _charges(bench: Bench, batch: int) -> Iterator[Row]:
    """Write the events anew for each size: their signatures hold for five minutes."""
    path, count = bench.fresh() / "charges.ndjson", bench.scale.charges
    of_child("benchmarks.derive:charges_written", path, count)
    ours, seen = rounds(
        bench.scale.runs,
        lambda: of_child("benchmarks.derive:charges_derived", bench.fresh(), path, batch),
        bench.peers({"stripe-sync-engine": lambda: of_sync_engine(bench.fresh(), path, KEYS["stripe"], batch)}),
    )
    size = f"{count:,} signed Stripe charges, {batch} at once"
    for label, theirs in seen.items():
        yield row("check and derive", size, ours, f"{label}, PostgreSQL", theirs, "events")
    if not seen:
        yield alone("check and derive", size, ours, "events")


def lag_rows(bench: Bench) -> Iterator[Row]:
    """Lag: what the line keeps up with, and how long a webhook takes at shares of it."""
    count = bench.scale.lag_deliveries
    full = [of_child("benchmarks.lag:followed", bench.fresh(), count, 0) for _ in range(bench.scale.runs)]
    yield alone("lag, capacity", f"{count:,} deliveries", full, "deliveries")
    capacity = min(each.per_second for each in full)
    for percent in lag.SHARES_PERCENT:
        rate = max(capacity * percent // 100, 1)
        posted = max(min(rate * _LAG_S, count), _LAG_MIN)
        seen = [of_child("benchmarks.lag:followed", bench.fresh(), posted, rate) for _ in range(bench.scale.runs)]
        yield latency("lag, webhook to ledger", f"{rate:,} deliveries/s ({percent} % of capacity)", seen)


def cold_start_rows(bench: Bench) -> Iterator[Row]:
    """Cold start: each door beside the bare framework with its clients."""
    for door in cold_start.CLIENTS:
        bundle = unpack(door, bench.fresh())
        mine, seen = rounds(
            bench.scale.starts,
            lambda door=door, bundle=bundle: cold_start.started(door, bundle),  # type: ignore[misc]  # bound at once
            {"the framework and its clients": lambda door=door: cold_start.started_barely(door)},  # type: ignore[misc]  # same
        )
        for label, theirs in seen.items():
            yield row("cold start", door, mine, label, theirs)


JOBS: Mapping[str, Callable[[Bench], Iterator[Row]]] = {
    "receive": receive_rows,
    "derive": derive_rows,
    "lag": lag_rows,
    "replay": replay_rows,
    "rebuild": rebuild_rows,
    "reconcile": reconcile_rows,
    "cold_start": cold_start_rows,
}
