"""The embedded key store leaves nothing of an erased key on disk that a reader of its files could find."""

import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from shared.adapters.embedded.key_store import SqliteKeyStore
from shared.ports.key_store import Erasure


def on_disk(folder: Path) -> bytes:
    """Return all bytes of the store's files."""
    return b"".join(path.read_bytes() for path in folder.glob("keys.db*"))


def test_an_erased_key_is_in_no_file(tmp_path: Path) -> None:
    """Asiento overwrites an erased key in the file and in its log, and every name that led to it."""
    with closing(SqliteKeyStore(tmp_path / "keys.db")) as store:
        keys = store.keys_of({f"person-{number}": {f"address-{number}"} for number in range(50)})
        erased, spared = keys["person-7"], keys["person-8"]
        assert all(key.secret in on_disk(tmp_path) for key in (erased, spared))
        store.erase(store.find(["address-7"]), Erasure(datetime(2026, 3, 2, tzinfo=UTC), "decision"))
        left = on_disk(tmp_path)
        assert erased.secret not in left
        assert b"person-7" not in left
        assert b"address-7" not in left
        assert spared.secret in left


def test_nobody_else_reads_the_keys(tmp_path: Path) -> None:
    """Asiento keeps the file of keys, and its log, for its owner alone."""
    with closing(SqliteKeyStore(tmp_path / "home" / "keys.db")) as store:
        store.pepper()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").iterdir()}
    assert modes == dict.fromkeys(("keys.db", "keys.db-wal", "keys.db-shm"), 0o600)
