"""Derive: a kept delivery to the committed ledger, one at a time and in batches, beside bare upserts and a sync engine.

The sync engine knows Stripe only: beside it both take the same signed charges, check each signature and keep what they say.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from benchmarks.homes import batches, warmed_contracts
from benchmarks.peers.probe import timed_ns
from benchmarks.samples import Sample
from benchmarks.signing import signed
from benchmarks.templates import KEYS, SALES, Template
from local.demo.homes import opened
from shared.domain.deliveries import Delivery
from shared.pipeline.derive import derive_deliveries
from shared.providers.toolkit import registry
from shared.runtime import wiring

BATCHES = (1, 10, 500)


def derived(folder: str, sales: int, batch: int) -> Sample:
    """Derive a season of so many sales in batches; then write the rows that came of it barely (`bare_ns`)."""
    deliveries = list(Template.of(min(sales, SALES)).deliveries(sales))
    elapsed_ns = _derive_all(Path(folder), deliveries, batch)
    bare_ns = _upserted_ns(Path(folder) / "ledger.db", Path(folder) / "bare.db", -(-len(deliveries) // batch))
    return Sample(len(deliveries), elapsed_ns, more={"bare_ns": bare_ns})


def upserted(home: str, target: str, deliveries: int, batch: int) -> Sample:
    """Write every row of a home's ledger barely, in as many transactions as a replay of so many deliveries takes."""
    return Sample(deliveries, _upserted_ns(Path(home) / "ledger.db", Path(target), -(-deliveries // batch)))


def charges_written(path: str, count: int) -> Sample:
    """Write so many Stripe events, each with its signature, as lines that both contenders read."""
    template = Template.of(SALES)
    told = (each for each in template.deliveries(count * SALES) if b'"charge.succeeded"' in each.body)
    started_ns = time.perf_counter_ns()
    with Path(path).open("w", encoding="utf-8") as lines:
        for delivery in islice(told, count):
            headers = signed("stripe", delivery.body, KEYS["stripe"])
            lines.write(json.dumps({"body": delivery.body.decode(), "signature": headers["stripe-signature"]}) + "\n")
    return Sample(count, time.perf_counter_ns() - started_ns)


def charges_derived(folder: str, path: str, batch: int) -> Sample:
    """Check the signatures of the written events and derive them in batches, as door and derive do together."""
    now = datetime.now(UTC)
    model = next(each for each in Template.of(SALES).deliveries(SALES) if each.provider == "stripe")
    deliveries = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        headers = {**model.headers, "stripe-signature": told["signature"]}
        deliveries.append(replace(model, headers=headers, body=told["body"].encode()))
    verify = registry.load("stripe").verify
    checked_ns = timed_ns(lambda: [verify(delivery, [KEYS["stripe"]], now) for delivery in deliveries])
    return Sample(len(deliveries), checked_ns + _derive_all(Path(folder), deliveries, batch))


def _derive_all(folder: Path, deliveries: Sequence[Delivery], batch: int) -> int:
    contracts = warmed_contracts()
    with opened(folder, KEYS) as parts:
        world = replace(wiring.deriving(parts), contracts=contracts)
        now = datetime.now(UTC)
        return timed_ns(lambda: [derive_deliveries(part, world, now) for part in batches(deliveries, batch)])


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of a ledger that is read evenly while it is written elsewhere."""

    statement: str
    rows: int
    cursor: sqlite3.Cursor

    def share(self, at: int, parts: int) -> list[tuple[object, ...]]:
        """Return the rows of one part of many, in order."""
        return self.cursor.fetchmany(self.rows * (at + 1) // parts - self.rows * at // parts)


def _upserted_ns(source: Path, target: Path, transactions: int) -> int:
    """Return how long bare SQLite takes to write every row of a ledger, evenly over so many transactions, each flushed."""
    with closing(sqlite3.connect(source)) as ledger, closing(sqlite3.connect(target, isolation_level=None)) as bare:
        schema = "".join(f"{row[0]};" for row in ledger.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
        bare.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {schema}")
        tables = _tables(ledger)
        spent_ns = 0
        for at in range(transactions):
            shares = [(table.statement, table.share(at, transactions)) for table in tables]
            started_ns = time.perf_counter_ns()
            bare.execute("BEGIN IMMEDIATE")
            for statement, rows in shares:
                bare.executemany(statement, rows)
            bare.execute("COMMIT")
            spent_ns += time.perf_counter_ns() - started_ns
        return spent_ns


def _tables(ledger: sqlite3.Connection) -> list[_Table]:
    found = []
    for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        # Names of tables and counts of columns are ours; rows are bound.
        (rows,) = ledger.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608  a table of ours
        cursor = ledger.execute(f"SELECT * FROM {name}")  # noqa: S608  a table of ours
        holes = ", ".join("?" * len(cursor.description))
        found.append(_Table(f"INSERT OR REPLACE INTO {name} VALUES ({holes})", rows, cursor))  # noqa: S608  a table of ours
    return found
