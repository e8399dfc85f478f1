"""Reconcile: what a provider lists against what the ledger says, both ways, with every difference kept.

The two sides are columns of a Parquet file each, in order of their keys: identifier, version, amount, currency, status. Of a
thousand entities one is missing on either side and one has another amount.
"""

import gc
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.peers.probe import timed_ns
from benchmarks.samples import Sample
from benchmarks.templates import KEYS
from local.demo.homes import opened
from shared.adapters.embedded.casebook import SqliteCasebook
from shared.domain.errors import NotFoundError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.fold import Entity
from shared.domain.pairing import unequal
from shared.domain.reconciliation import Claim, Mismatch, ReconciliationRun, Tally, claim_of, differing
from shared.domain.times import Window, from_ms, to_ms
from shared.pipeline.reconciliation.transactions import transactions
from shared.pipeline.reconciliation.world import Counterparty, Reconciling
from shared.ports.provider import Fetched, Listed
from shared.providers.toolkit import registry
from shared.runtime.ids import new_delivery_id
from shared.runtime.system_clock import SystemClock

SIDES = ("provider", "ledger")
_OF_A_THOUSAND = {"provider": 2, "ledger": 1}
"""Which of a thousand entities a side lacks."""
_ROWS_AT_ONCE = 256
"""Few enough that they are gone before the collector of garbage goes through them."""

SIDE = """
COPY (
    SELECT
        printf('%024x', n) AS id,
        1767225600000 + n AS version_at_ms,
        1000 + n % 5000000 + CASE WHEN n % 1000 = 3 AND {is_ledger} THEN 1 ELSE 0 END AS amount_minor,
        'ARS' AS currency,
        'paid' AS status
    FROM range({rows}) AS entity(n)
    WHERE n % 1000 <> {lacking}
    ORDER BY id
) TO '{path}'
"""
JOIN = """
SELECT id, p.amount_minor, l.amount_minor, p.version_at_ms, l.version_at_ms, p.currency, l.currency, p.status, l.status
FROM '{provider}' AS p FULL OUTER JOIN '{ledger}' AS l USING (id)
WHERE p.id IS NULL OR l.id IS NULL OR p.amount_minor <> l.amount_minor OR p.currency <> l.currency
    OR p.status <> l.status OR p.version_at_ms > l.version_at_ms
"""


def written(folder: str, rows: int) -> Sample:
    """Write both sides."""
    started_ns = time.perf_counter_ns()
    with duckdb.connect() as connection:
        for side in SIDES:
            lacking, path = _OF_A_THOUSAND[side], Path(folder) / f"{side}.parquet"
            connection.execute(SIDE.format(rows=rows, lacking=lacking, path=path, is_ledger=side == "ledger"))
    return Sample(2 * rows, time.perf_counter_ns() - started_ns)


def compared(folder: str, rows: int) -> Sample:
    """Compare both sides as `transactions` does; `comparing_ns` leaves out what making the claims of both sides took."""
    with duckdb.connect() as connection:
        made = [_Claims(connection.cursor(), Path(folder) / f"{side}.parquet") for side in SIDES]
        provider, ledger = made
        tally, mismatches = Tally(), list[Mismatch]()

        def compare() -> None:
            for pair in unequal(provider.claims(), ledger.claims(), tally):
                tally.add(pair)
                mismatches.extend(differing(pair))

        elapsed_ns = timed_ns(compare)
    spent_ns = sum(side.spent_ns for side in made)
    more = {"comparing_ns": elapsed_ns - spent_ns, "differences": len(mismatches), "compared": tally.provider}
    return Sample(rows, elapsed_ns, more=more)


def joined(folder: str, rows: int) -> Sample:
    """Let DuckDB join both sides and fetch what differs: the least that this machine does for the same answer."""
    found: list[tuple[object, ...]] = []
    paths = {side: str(Path(folder) / f"{side}.parquet") for side in SIDES}
    with duckdb.connect() as connection:
        elapsed_ns = timed_ns(lambda: found.extend(connection.execute(JOIN.format(**paths)).fetchall()))
    return Sample(rows, elapsed_ns, more={"differences": len(found)})


class _Claims:
    """The claims of one side, made of its columns; the time that making them takes is counted apart."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._rows = connection.execute(f"SELECT * FROM '{path}' ORDER BY id")  # noqa: S608  a file of this run
        self.spent_ns = 0

    def claims(self) -> Iterator[Claim]:
        kind, provider = EntityKind.TICKET, "betterez"
        while True:
            started_ns = time.perf_counter_ns()
            claims = [
                Claim(EntityKey(kind, provider, entity_id), version_at_ms, amount_minor, currency, status)
                for entity_id, version_at_ms, amount_minor, currency, status in self._rows.fetchmany(_ROWS_AT_ONCE)
            ]
            self.spent_ns += time.perf_counter_ns() - started_ns
            if not claims:
                return
            yield from claims


def job_ran(home: str) -> Sample:
    """Run the job over a home's ledger, beside an API that lists what the ledger holds, but for a few.

    What the API says is made beforehand: the job waits for no network, and pays for no parsing.
    """
    kind, now = EntityKind.TICKET, datetime.now(UTC)
    capabilities = registry.load("betterez").capabilities
    with opened(Path(home), KEYS) as parts, TemporaryDirectory() as folder:
        api = _ListingApi(parts.ledger.entities(kind))
        gc.freeze()  # what the API holds is another process's: nobody looks for garbage in it here
        casebook = SqliteCasebook(Path(folder) / "cases.db")
        only = replace(capabilities, listings=(kind,), also_tells=())
        world = Reconciling(
            counterparties={"betterez": Counterparty(only, api)},
            raw=parts.raw,
            bus=parts.bus,
            ledger=parts.ledger,
            casebook=casebook,
            clock=SystemClock(),
            new_delivery_id=new_delivery_id,
            new_run_id=new_delivery_id,
        )
        found = list[ReconciliationRun]()
        elapsed_ns = timed_ns(lambda: found.extend(transactions(world, api.window, now)))
        casebook.close()
    if failed := [run.error for run in found if run.has_failed]:
        raise RuntimeError(f"{len(failed)} of {len(found)} runs failed: {failed[0]}")
    return Sample(
        sum(run.counts["ledger"] for run in found), elapsed_ns, more={"opened": sum(run.opened for run in found)}
    )


class _ListingApi:
    """An API over what the ledger holds: each thousandth is left out, each next one has another amount."""

    def __init__(self, entities: Iterator[Entity]) -> None:
        listed = [_listed(entity) for at, entity in enumerate(entities) if at % 1000 != 1 and not entity.is_awaited]
        changed = [replace(each, amount_minor=(each.amount_minor or 0) + 1) for each in listed[2::1000]]
        listed[2::1000] = changed
        self._listed = sorted(listed, key=_occurred)

    @property
    def window(self) -> Window:
        """Return the time that it lists."""
        first, last = self._listed[0], self._listed[-1]
        return Window(from_ms(_occurred(first)), from_ms(_occurred(last) + 1))

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """Yield what occurred in a window."""
        del kind
        start = bisect_left(self._listed, to_ms(window.start), key=_occurred)
        end = bisect_left(self._listed, to_ms(window.end), key=_occurred)
        yield from self._listed[start:end]

    def fetch(self, key: EntityKey) -> Fetched:
        """Refuse: nothing is fetched here."""
        raise NotFoundError(f"{key} is not fetched in a benchmark")

    def close(self) -> None:
        """Give nothing back."""


def _listed(entity: Entity) -> Listed:
    claim = claim_of(entity)
    return Listed(
        claim.key,
        claim.version_at_ms,
        claim.amount_minor,
        claim.currency,
        claim.status,
        fetch=claim.key,
        occurred_at_ms=entity.occurred_at_ms,
    )


def _occurred(listed: Listed) -> int:
    return listed.occurred_at_ms or 0
