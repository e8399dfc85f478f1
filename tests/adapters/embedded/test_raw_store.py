"""Asiento keeps bytes once and for ever, also when its process is killed (I1, I2)."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from shared.adapters.embedded import sqlite
from shared.adapters.embedded.raw_store import SqliteRawStore, SqliteRejectedStore
from shared.adapters.embedded.sqlite import Database
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import ConflictError, TransientError
from shared.domain.times import ALL_TIME
from shared.ports.raw_store import Created

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPOSITORY = Path(__file__).resolve().parents[3]


def delivery(number: int, body: bytes = b"{}", received_at: datetime = NOW) -> Delivery:
    """Return the delivery of a number."""
    return Delivery(f"d{number:06}", "betterez", Channel.WEBHOOK, received_at, "/betterez", {}, body)


@pytest.mark.parametrize("statement", ["UPDATE objects SET body = x'00'", "DELETE FROM objects"])
def test_not_even_sql_changes_what_was_kept(tmp_path: Path, statement: str) -> None:
    """Asiento refuses change and deletion of raw objects in the store itself (I2)."""
    store = SqliteRawStore(tmp_path / "raw.db")
    store.create_all([delivery(1)])
    with sqlite3.connect(tmp_path / "raw.db") as connection, pytest.raises(sqlite3.IntegrityError, match="raw objects"):
        connection.execute(statement)
    connection.close()
    assert store.read(delivery(1).object_name) == delivery(1)
    store.close()


@pytest.mark.parametrize("size", [1, 2, 7, 31, 32, 33, 130])
def test_groups_of_every_size_are_kept_with_their_own_bytes(tmp_path: Path, size: int) -> None:
    """Asiento keeps each of a group under its own name, once, however many there are; a taken name is refused."""
    store = SqliteRawStore(tmp_path / "raw.db")
    came = [delivery(number, b"%d" % number) for number in range(size)]
    assert store.create_all(came) == [Created.CREATED] * size
    assert store.create_all(came) == [Created.ALREADY_THERE] * size
    with pytest.raises(ConflictError):
        store.create_all([delivery(0, b"other")])
    assert list(store.deliveries(ALL_TIME)) == came
    store.close()


@pytest.mark.parametrize("kib", [1, 100, 200, 400])
def test_rows_of_any_weight_are_inserted_all_or_none(tmp_path: Path, kib: int) -> None:
    """Asiento inserts all rows of a group or none, also where they need more than one statement."""
    database = Database(tmp_path / "any.db", "CREATE TABLE IF NOT EXISTS t (a PRIMARY KEY, b)")
    rows = [(number, b"x" * 1024 * kib) for number in range(5)]
    database.insert("t", rows[4:])
    with pytest.raises(sqlite3.IntegrityError):
        database.insert("t", rows)
    assert database.rows("SELECT a FROM t") == [(4,)]
    database.insert("t", rows[:4])
    assert database.rows("SELECT a, b FROM t ORDER BY a") == rows
    database.close()


def test_a_statement_holds_no_more_than_its_share(tmp_path: Path) -> None:
    """Asiento binds no more than 256 KiB to one statement, which holds it: bodies beyond that go one by one."""
    database = Database(tmp_path / "any.db", "CREATE TABLE IF NOT EXISTS t (a, b)")
    told: list[str] = []
    database.connection.set_trace_callback(told.append)
    database.insert("t", [(number, b"x" * 1024) for number in range(70)])
    assert [each.count("(") for each in told if each.startswith("INSERT")] == [32, 32, 6]
    told.clear()
    database.insert("t", [(number, b"x" * 1024 * 100) for number in range(6)] + [(6, b"x" * 1024 * 300), (7, b"")])
    assert [each.count("(") for each in told if each.startswith("INSERT")] == [2, 2, 2, 1, 1]
    assert told[0].startswith("BEGIN"), "more than one statement is one transaction"
    told.clear()
    database.insert("t", [(8, b"")])
    assert len(told) == 1, "one statement is a transaction by itself"
    database.close()


@pytest.mark.parametrize("size", [1, 40])
def test_a_forked_process_waits_for_no_thread_of_its_parent(tmp_path: Path, size: int) -> None:
    """Asiento writes in a forked server, also where a thread of its parent was just writing: no such thread is there."""
    store = SqliteRawStore(tmp_path / "raw.db")
    is_held, may_end = Event(), Event()

    def hold() -> None:
        with store._database._writing:
            is_held.set()
            may_end.wait()

    holder = Thread(target=hold)
    holder.start()
    is_held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            store.create_all([delivery(number) for number in range(size)])
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    may_end.set()
    holder.join()
    assert status == 0
    assert len(list(store.names(ALL_TIME))) == size
    store.close()


def test_who_finds_the_file_locked_may_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento says of a file that another process keeps locked that trying again can help, of one delivery and of many."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 0)
    store = SqliteRawStore(tmp_path / "raw.db")
    other = sqlite3.connect(tmp_path / "raw.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for size in (1, 40):
        with pytest.raises(TransientError, match=r"raw\.db cannot be written now: database is locked"):
            store.create_all([delivery(number) for number in range(size)])
    other.execute("ROLLBACK")
    assert store.create_all([delivery(0)]) == [Created.CREATED]
    other.close()
    store.close()


@pytest.mark.parametrize("size", [1, 40])
def test_a_full_disk_takes_nothing_back_that_was_kept(tmp_path: Path, size: int) -> None:
    """Asiento says of a disk that is full that trying again can help; it keeps what it had, and goes on once there is room."""
    store = SqliteRawStore(tmp_path / "raw.db")
    kept, late = delivery(0), [delivery(number, b"x" * 1_000_000) for number in range(1, size + 1)]
    store.create_all([kept])
    (pages,) = store._database.connection.execute("PRAGMA page_count").fetchone()
    store._database.connection.execute(f"PRAGMA max_page_count = {pages + 50}")
    with pytest.raises(TransientError, match=r"raw\.db cannot be written now: database or disk is full"):
        store.create_all(late)
    assert list(store.names(ALL_TIME)) == [kept.object_name]
    store._database.connection.execute("PRAGMA max_page_count = 1000000")
    assert store.create_all(late) == [Created.CREATED] * size
    store.close()


def test_a_statement_of_ours_that_is_wrong_is_no_reason_to_try_again(tmp_path: Path) -> None:
    """Asiento tells a defect of its own from a file that cannot be written: nobody tries that again."""
    database = Database(tmp_path / "any.db", "CREATE TABLE IF NOT EXISTS t (a)")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        database.insert("absent", [(1,)])
    with pytest.raises(sqlite3.OperationalError, match="no such table"), database.transaction() as connection:
        connection.execute("SELECT * FROM absent")
    database.insert("t", [(1,)])
    database.close()


KEEPER = """
    import asyncio, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from shared.adapters.embedded.event_bus import SqliteEventBus
    from shared.adapters.embedded.raw_store import SqliteRawStore
    from shared.domain.deliveries import Channel, Delivery
    from shared.pipeline.keeping import in_groups

    keep_in_groups = in_groups(SqliteRawStore(Path(sys.argv[1])), SqliteEventBus(Path(sys.argv[1] + ".bus")))

    async def keep(number):
        name = f"d{number:06}"
        await keep_in_groups(Delivery(name, "betterez", Channel.WEBHOOK, datetime(2026, 3, 1, 12, tzinfo=UTC), "/", {}, b"{}"))
        sys.stdout.write(name + "\\n")  # the acknowledgement
        sys.stdout.flush()

    async def main():
        for start in range(0, 10**6, 16):
            await asyncio.gather(*(keep(number) for number in range(start, start + 16)))

    asyncio.run(main())
"""


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    """Asiento holds every acknowledged delivery after kill -9 (I1; midaz #1384)."""
    for kill_after in (1, 40, 300):
        path = tmp_path / f"raw{kill_after}.db"
        process = subprocess.Popen(  # noqa: S603  our own code on our own interpreter
            [sys.executable, "-c", textwrap.dedent(KEEPER), str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(kill_after)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in process.stdout.read().splitlines() if len(line) == len("d000000")]
        process.wait()
        process.stdout.close()
        store = SqliteRawStore(path)
        kept = {each.delivery_id for each in store.deliveries(ALL_TIME)}
        store.close()
        assert set(acknowledged) <= kept


def test_the_rejected_are_bounded_and_counted(tmp_path: Path) -> None:
    """Asiento keeps rejected deliveries within a bound, lets the oldest go and counts what went."""
    store = SqliteRejectedStore(tmp_path / "rejected.db", capacity_bytes=150_000)
    for number in range(400):
        store.keep(delivery(number, b"x" * 1000, NOW + timedelta(seconds=number)), "signature_wrong")
    kept = [each.delivery_id for each, _ in store.rejected()]
    counts = store.counts()
    assert sum(1000 for _ in kept) <= 150_000
    assert kept[-1] == "d000399"
    assert counts == {"signature_wrong": 400, "dropped": 400 - len(kept)}
    store.discard(delivery(399, b"", NOW + timedelta(seconds=399)))
    assert [each.delivery_id for each, _ in store.rejected()] == kept[:-1]
    store.close()
