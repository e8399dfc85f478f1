"""The raw store in one SQLite file: append-only by trigger, create-only by key."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from shared.adapters.embedded.sqlite import Database, Durability, json_list, pages, to_json
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import ConflictError, NotFoundError
from shared.domain.seals import hour_of
from shared.domain.times import Window
from shared.ports.raw_store import Created

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    name TEXT PRIMARY KEY, received_at TEXT NOT NULL, target TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TRIGGER IF NOT EXISTS objects_never_change BEFORE UPDATE ON objects
BEGIN SELECT RAISE(ABORT, 'raw objects are immutable'); END;
CREATE TRIGGER IF NOT EXISTS objects_never_go BEFORE DELETE ON objects
BEGIN SELECT RAISE(ABORT, 'raw objects are never deleted'); END;
"""

_CHECKPOINT_PAGES = 4_000
"""How far the log grows (16 MiB) before it is used anew. Pages of what is only added to do not change again, and a flush of a
log that no longer grows is the cheaper one: the file system has no new length to keep. Who comes while it is written back
waits for that; written back less often, it holds up fewer (docs/performance.md)."""

_NAMES_A_PAGE = 5_000

_COLUMNS = "name, received_at, target, headers, body"


class SqliteRawStore:
    """RawStore on one file."""

    def __init__(self, path: Path) -> None:
        """Open or create the store."""
        self._database = Database(path, _SCHEMA, Durability.FULL, _CHECKPOINT_PAGES)

    async def create(self, delivery: Delivery) -> Created:
        """Keep one delivery durably, on another thread."""
        (created,) = await asyncio.to_thread(self.create_all, [delivery])
        return created

    def create_all(self, deliveries: Sequence[Delivery]) -> list[Created]:
        """Keep many deliveries in one transaction."""
        results = self._insert(deliveries)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return [result for result in results if isinstance(result, Created)]

    def read(self, object_name: str) -> Delivery:
        """Return a kept delivery."""
        return self.read_all([object_name])[0]

    def read_all(self, object_names: Sequence[str]) -> list[Delivery]:
        """Return kept deliveries in the order asked for."""
        # The columns are ours and constant; what is asked for is bound.
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM objects WHERE name IN (SELECT value FROM json_each(?))",  # noqa: S608
            (json_list(object_names),),
        )
        found = {row[0]: _delivery(row) for row in rows}
        missing = next((name for name in object_names if name not in found), None)
        if missing is not None:
            raise NotFoundError(f"there is no raw object {missing}; list the hour to see what is there")
        return [found[name] for name in object_names]

    def names(self, window: Window) -> Iterator[str]:
        """Yield the names of what was received in the window."""
        if any(hour_of(edge) != edge for edge in (window.start, window.end)):
            yield from (name for name, _ in self._in_window("name, received_at", window))
            return
        # Names say the hour: of whole hours the index alone is read.
        sql = "SELECT name FROM objects WHERE name > :after AND name >= :first AND name < :beyond ORDER BY name LIMIT :page_size"
        first, beyond = map(_hour_prefix, (window.start, window.end))
        for (name,) in pages(self._database, sql, {"first": first, "beyond": beyond}, page_size=_NAMES_A_PAGE):
            yield name

    def deliveries(self, window: Window) -> Iterator[Delivery]:
        """Yield what was received in the window."""
        for row in self._in_window(_COLUMNS, window):
            yield _delivery(row)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _in_window(self, columns: str, window: Window) -> Iterator[Any]:
        first, last = map(_hour_prefix, (window.start, window.end))
        sql = (
            f"SELECT {columns} FROM objects WHERE name > :after AND name >= :first AND name < :beyond "  # noqa: S608  constant columns
            "ORDER BY name LIMIT :page_size"
        )
        bounds = {"first": first, "beyond": last + "0"}  # '0' sorts right after '/'
        for row in pages(self._database, sql, bounds, page_size=500):
            if window.start <= datetime.fromisoformat(row[1]) < window.end:
                yield row

    def _insert(self, deliveries: Sequence[Delivery]) -> list[Created | Exception]:
        """Insert all in one transaction and one flush; where a name is taken, see for each what holds it."""
        rows = [_row(delivery) for delivery in deliveries]
        try:
            self._database.insert("objects", rows)
        except sqlite3.IntegrityError:
            with self._database.transaction() as connection:
                return [_insert_one(connection, row) for row in rows]
        return [Created.CREATED] * len(rows)


class SqliteRejectedStore:
    """RejectedStore on one file, bounded by bytes; the oldest go first."""

    _SCHEMA = """
    CREATE TABLE IF NOT EXISTS rejected (
        name TEXT PRIMARY KEY, received_at TEXT NOT NULL, target TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
        reason TEXT NOT NULL, bytes INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS counts (reason TEXT PRIMARY KEY, kept INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS size (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
    INSERT OR IGNORE INTO size VALUES (1, 0);
    """

    def __init__(self, path: Path, capacity_bytes: int = 256 * 1024 * 1024) -> None:
        """Open or create the store; it never holds more than `capacity_bytes` of deliveries."""
        self._database = Database(path, self._SCHEMA, Durability.NORMAL)
        self._capacity_bytes = capacity_bytes

    def keep(self, delivery: Delivery, reason: str) -> None:
        """Keep a rejected delivery; make room for it by letting the oldest go."""
        row = _row(delivery)
        size = sum(map(len, row))
        with self._database.transaction() as connection:
            self._make_room(connection, size)
            inserted = connection.execute(
                "INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, reason, size)
            ).rowcount
            connection.execute("UPDATE size SET bytes = bytes + ?", (size * inserted,))
            _count(connection, reason, 1)

    def rejected(self) -> Iterator[tuple[Delivery, str]]:
        """Yield what is kept, oldest first."""
        sql = (
            f"SELECT {_COLUMNS}, reason FROM rejected WHERE name > :after "  # noqa: S608  constant columns
            "ORDER BY name LIMIT :page_size"
        )
        for row in pages(self._database, sql, {}, page_size=200):
            yield _delivery(row), row[5]

    def discard(self, delivery: Delivery) -> None:
        """Forget one."""
        with self._database.transaction() as connection:
            found = connection.execute(
                "DELETE FROM rejected WHERE name = ? RETURNING bytes", (delivery.object_name,)
            ).fetchall()
            connection.execute("UPDATE size SET bytes = bytes - ?", (sum(size for (size,) in found),))

    def counts(self) -> dict[str, int]:
        """Return how many were kept by reason, and how many were dropped."""
        return dict(self._database.rows("SELECT reason, kept FROM counts ORDER BY reason"))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _make_room(self, connection: sqlite3.Connection, size: int) -> None:
        (held,) = connection.execute("SELECT bytes FROM size").fetchone()
        while held and held + size > self._capacity_bytes:
            gone = connection.execute(
                "DELETE FROM rejected WHERE name IN (SELECT name FROM rejected ORDER BY name LIMIT 100) RETURNING bytes"
            ).fetchall()
            if not gone:
                return
            freed = sum(row_bytes for (row_bytes,) in gone)
            held -= freed
            connection.execute("UPDATE size SET bytes = bytes - ?", (freed,))
            _count(connection, "dropped", len(gone))


def _hour_prefix(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y/%m/%d/%H}"


def _count(connection: sqlite3.Connection, reason: str, by: int) -> None:
    connection.execute(
        "INSERT INTO counts VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET kept = kept + excluded.kept", (reason, by)
    )


def _insert_one(connection: sqlite3.Connection, row: tuple[str, str, str, str, bytes]) -> Created | Exception:
    if connection.execute("INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?)", row).rowcount:
        return Created.CREATED
    held = connection.execute(
        "SELECT name, received_at, target, headers, body FROM objects WHERE name = ?", row[:1]
    ).fetchone()
    if tuple(held) == row:
        return Created.ALREADY_THERE
    return ConflictError(f"raw object {row[0]} already holds other bytes; nothing was changed")


def _row(delivery: Delivery) -> tuple[str, str, str, str, bytes]:
    received_at = delivery.received_at.astimezone(UTC).isoformat(timespec="microseconds")
    return delivery.object_name, received_at, delivery.target, to_json(dict(delivery.headers)), delivery.body


def _delivery(row: Any) -> Delivery:
    name, received_at, target, headers, body = row[:5]
    *_, provider, channel, delivery_id = name.split("/")
    return Delivery(
        delivery_id,
        provider,
        Channel(channel),
        datetime.fromisoformat(received_at),
        target,
        orjson.loads(headers),
        body,
    )
