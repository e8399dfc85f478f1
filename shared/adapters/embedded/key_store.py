"""The key store in one SQLite file of its own: what is erased is overwritten, in the file and in its log."""

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from shared.adapters.embedded.sqlite import Database, Durability, json_list
from shared.domain.errors import TransientError
from shared.ports.key_store import KEY_BYTES, Erasure, Key

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pepper (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS keys (key_id TEXT PRIMARY KEY, secret BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS first_names (name TEXT PRIMARY KEY, key_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (name TEXT, key_id TEXT, PRIMARY KEY (name, key_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS names_by_key ON names (key_id);
CREATE INDEX IF NOT EXISTS first_names_by_key ON first_names (key_id);
CREATE TABLE IF NOT EXISTS erased (key_id TEXT PRIMARY KEY, erased_at TEXT NOT NULL, decision TEXT NOT NULL);
"""
_DELETIONS = (
    "DELETE FROM keys WHERE key_id = ?",
    "DELETE FROM names WHERE key_id = ?",
    "DELETE FROM first_names WHERE key_id = ?",
)


class SqliteKeyStore:
    """KeyStore on one file. Copies of the file hold what was erased since: docs/erasure.md says how to treat them."""

    def __init__(self, path: Path) -> None:
        """Open or create the store; nobody else may read it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # before it is opened: its log takes over the rights of the file
        path.chmod(0o600)
        self._database = Database(path, _SCHEMA, Durability.FULL)

    def pepper(self) -> bytes:
        """Return the secret under which people are named."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO pepper VALUES (1, ?)", (os.urandom(KEY_BYTES),))
            (secret,) = connection.execute("SELECT secret FROM pepper").fetchone()
        return bytes(secret)

    def keys_of(self, people: Mapping[str, Collection[str]]) -> dict[str, Key]:
        """Return the key of each person, made where there is none; one flush for all that are new."""
        found = self._held(people)
        known = set(
            self._database.rows(
                "SELECT name, key_id FROM names WHERE name IN (SELECT value FROM json_each(?))",
                (json_list([name for first, others in people.items() for name in (first, *others)]),),
            )
        )
        told = {(name, key.key_id) for first, key in found.items() for name in (first, *people[first])}
        if len(found) < len(people) or told - known:
            self._make(people)
            found = self._held(people)
        return found

    def keys(self, key_ids: Sequence[str]) -> dict[str, bytes | Erasure]:
        """Return each key, or that it was erased."""
        wanted = (json_list(list(key_ids)),)
        held: dict[str, bytes | Erasure] = {
            key_id: bytes(secret)
            for key_id, secret in self._database.rows(
                "SELECT key_id, secret FROM keys WHERE key_id IN (SELECT value FROM json_each(?))", wanted
            )
        }
        for key_id, erased_at, decision in self._database.rows(
            "SELECT key_id, erased_at, decision FROM erased WHERE key_id IN (SELECT value FROM json_each(?))", wanted
        ):
            held[key_id] = Erasure(datetime.fromisoformat(erased_at), decision)
        return held

    def find(self, names: Collection[str]) -> list[str]:
        """Return the ids of the keys that any of the names means."""
        found = self._database.rows(
            "SELECT DISTINCT key_id FROM names WHERE name IN (SELECT value FROM json_each(?)) ORDER BY key_id",
            (json_list(list(names)),),
        )
        return [key_id for (key_id,) in found]

    def erase(self, key_ids: Collection[str], erasure: Erasure) -> None:
        """Erase keys and all that leads to them, and leave no copy behind in the file's log."""
        erased_at = erasure.erased_at.astimezone(UTC).isoformat(timespec="microseconds")
        connection = self._database.connection
        connection.execute("PRAGMA secure_delete = ON")
        with self._database.transaction() as writing:
            for key_id in key_ids:
                writing.execute("INSERT OR IGNORE INTO erased VALUES (?, ?, ?)", (key_id, erased_at, erasure.decision))
                for deletion in _DELETIONS:
                    writing.execute(deletion, (key_id,))
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise TransientError("the keys are erased, and the log still holds copies: a reader is busy; erase again")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _held(self, people: Mapping[str, Collection[str]]) -> dict[str, Key]:
        rows = self._database.rows(
            "SELECT name, key_id, secret FROM first_names JOIN keys USING (key_id) "
            "WHERE name IN (SELECT value FROM json_each(?))",
            (json_list(list(people)),),
        )
        return {name: Key(key_id, bytes(secret)) for name, key_id, secret in rows}

    def _make(self, people: Mapping[str, Collection[str]]) -> None:
        with self._database.transaction() as connection:
            for first, others in people.items():
                key_id = os.urandom(12).hex()
                # Another process may have made the key meanwhile: the first one stays.
                if connection.execute("INSERT OR IGNORE INTO first_names VALUES (?, ?)", (first, key_id)).rowcount:
                    connection.execute("INSERT INTO keys VALUES (?, ?)", (key_id, os.urandom(KEY_BYTES)))
                else:
                    (key_id,) = connection.execute("SELECT key_id FROM first_names WHERE name = ?", (first,)).fetchone()
                names = [(name, key_id) for name in (first, *others)]
                connection.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", names)
