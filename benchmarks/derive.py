"""Derive: a kept delivery to the committed ledger, one at a time and in batches, beside bare SQLite upserts of as many rows."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.line import delivered
from local.simulator import Chaos, Plan, Season
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.domain.deliveries import Delivery
from shared.pipeline.derive import Deriving, derive_deliveries
from shared.providers.toolkit import registry
from shared.runtime.settings import Settings

KEYS = {"betterez": "k", "stripe": "k", "mercadopago": "k"}
TABLES = ("entities", "facts", "marks", "verdicts")
BATCHES = (1, 500)


def deliveries_of(sales: int) -> list[Delivery]:
    """Return a season's deliveries, in order."""
    now = datetime.now(UTC)
    return [delivered(send, KEYS, now) for send in Plan(Season.generate(seed=7, sales=sales), Chaos()).sends()]


def measure(deliveries: Sequence[Delivery], batch: int) -> tuple[int, int]:
    """Return deliveries per second of derive, and of bare upserts of the rows that it wrote, in the same batches."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        ledger = SqliteLedgerStore(path)
        world = Deriving({name: registry.load(name) for name in KEYS}, None, ledger, Settings().version)  # type: ignore[arg-type]  # nothing is read back from raw

        def derive_all() -> None:
            for part in _parts(deliveries, batch):
                derive_deliveries(part, world, datetime.now(UTC))

        derived_ns = _timed(derive_all)
        ledger.close()
        bare_ns = _bare_upserts(path, Path(folder) / "bare.db", len(deliveries), batch)
    count = len(deliveries) * 1_000_000_000
    return count // derived_ns, count // bare_ns


def _bare_upserts(source: Path, target: Path, count: int, batch: int) -> int:
    """Write every row of a ledger again with bare SQLite, as many rows a transaction as derive did on average."""
    with closing(sqlite3.connect(source)) as ledger:
        # Names of tables and counts of columns are ours; rows are bound.
        schema = "".join(f"{row[0]};" for row in ledger.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
        rows = {table: ledger.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}  # noqa: S608  tables of ours
    with closing(sqlite3.connect(target, isolation_level=None)) as bare:
        bare.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {schema}")
        statements = {
            table: f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(found[0]))})"  # noqa: S608  tables of ours
            for table, found in rows.items()
        }
        transactions = -(-count // batch)

        def upsert_all() -> None:
            shares = {table: _shares(found, transactions) for table, found in rows.items()}
            for at in range(transactions):
                bare.execute("BEGIN IMMEDIATE")
                for table in TABLES:
                    bare.executemany(statements[table], shares[table][at])
                bare.execute("COMMIT")

        return _timed(upsert_all)


def _shares(rows: list[Any], parts: int) -> list[list[Any]]:
    return [rows[len(rows) * at // parts : len(rows) * (at + 1) // parts] for at in range(parts)]


def _parts(deliveries: Sequence[Delivery], size: int) -> Iterator[list[Delivery]]:
    remaining = iter(deliveries)
    while part := list(islice(remaining, size)):
        yield part


def _timed(work: Callable[[], None]) -> int:
    started_ns = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - started_ns
