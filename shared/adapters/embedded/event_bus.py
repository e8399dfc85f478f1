"""The bus in one SQLite file: a durable queue, at least once on purpose, as Pub/Sub is.

Its commits survive a killed process. A power cut may lose the last ones: the bytes are in the raw store by then, and
the straggler job announces again what has no outcome.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared.adapters.embedded.sqlite import Database, Durability
from shared.domain.deliveries import Announcement, Channel
from shared.domain.times import to_ms
from shared.ports.event_bus import Leased

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, object_name TEXT NOT NULL, delivery_id TEXT NOT NULL, provider TEXT NOT NULL,
    channel TEXT NOT NULL, due_at_ms INTEGER NOT NULL, attempt INTEGER NOT NULL, is_dead INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_due ON messages (is_dead, due_at_ms);
"""

_NEW_MESSAGES = "messages (object_name, delivery_id, provider, channel, due_at_ms, attempt, is_dead)"
_BACKOFF_S = (1, 5, 30, 120, 600)
"""The pause before the next attempt, by attempts so far; the last one repeats."""


class SqliteEventBus:
    """EventBus and Subscription on one file."""

    def __init__(self, path: Path, ack_deadline_s: int = 60, attempts_max: int = 5) -> None:
        """Open or create the queue. An announcement not acknowledged in `ack_deadline_s` comes again."""
        self._database = Database(path, _SCHEMA, Durability.NORMAL)
        self._ack_deadline = timedelta(seconds=ack_deadline_s)
        self._attempts_max = attempts_max

    async def publish(self, announcement: Announcement) -> None:
        """Announce one kept delivery."""
        await asyncio.to_thread(self._insert, [announcement])

    def publish_all(self, announcements: Sequence[Announcement]) -> None:
        """Announce many in one transaction."""
        self._insert(announcements)

    def lease(self, limit: int, now: datetime) -> list[Leased]:
        """Return what is due. What was leased too often without an answer becomes a dead letter."""
        now_ms, deadline_ms = to_ms(now), to_ms(now + self._ack_deadline)
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE messages SET is_dead = 1 WHERE is_dead = 0 AND due_at_ms <= ? AND attempt >= ?",
                (now_ms, self._attempts_max),
            )
            rows = connection.execute(
                "UPDATE messages SET due_at_ms = ?, attempt = attempt + 1 WHERE id IN ("
                "SELECT id FROM messages WHERE is_dead = 0 AND due_at_ms <= ? ORDER BY due_at_ms, id LIMIT ?) "
                "RETURNING id, attempt, object_name, delivery_id, provider, channel",
                (deadline_ms, now_ms, limit),
            ).fetchall()
        return [_leased(row) for row in sorted(rows)]

    def acknowledge(self, lease_ids: Sequence[str]) -> None:
        """End these announcements; one that was leased again in the meantime stays with its new holder."""
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM messages WHERE id = ? AND attempt = ?", map(_parts, lease_ids))

    def release(self, lease_ids: Sequence[str], now: datetime) -> None:
        """Give back: due again after a growing pause, dead after the last attempt."""
        now_ms = to_ms(now)
        changes = []
        for message_id, attempt in map(_parts, lease_ids):
            pause_ms = _BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1] * 1000
            changes.append((now_ms + pause_ms, attempt >= self._attempts_max, message_id, attempt))
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE messages SET due_at_ms = ?, is_dead = ? WHERE id = ? AND attempt = ?", changes
            )

    def dead_letters(self) -> list[Leased]:
        """Return what was given up."""
        rows = self._database.rows(
            "SELECT id, attempt, object_name, delivery_id, provider, channel FROM messages WHERE is_dead = 1 ORDER BY id"
        )
        return [_leased(row) for row in rows]

    def redrive(self, lease_ids: Sequence[str], now: datetime) -> None:
        """Put dead letters back, attempts forgotten."""
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE messages SET is_dead = 0, attempt = 0, due_at_ms = ? WHERE id = ? AND attempt = ? AND is_dead = 1",
                ((to_ms(now), *_parts(lease_id)) for lease_id in lease_ids),
            )

    def depth(self) -> int:
        """Return how many announcements are not acknowledged and not dead."""
        return int(self._database.rows("SELECT count(*) FROM messages WHERE is_dead = 0")[0][0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _insert(self, announcements: Sequence[Announcement]) -> None:
        self._database.insert(
            _NEW_MESSAGES,
            [
                (each.object_name, each.delivery_id, each.provider, each.channel.value, 0, 0, 0)
                for each in announcements
            ],
        )


def _parts(lease_id: str) -> tuple[int, int]:
    message_id, attempt = lease_id.split(":")
    return int(message_id), int(attempt)


def _leased(row: Any) -> Leased:
    message_id, attempt, object_name, delivery_id, provider, channel = row
    announcement = Announcement(object_name, delivery_id, provider, Channel(channel))
    return Leased(f"{message_id}:{attempt}", announcement, attempt)
