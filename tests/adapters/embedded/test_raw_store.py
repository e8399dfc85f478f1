"""Asiento keeps bytes once and for ever, also when its process is killed (I1, I2)."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.adapters.embedded.raw_store import SqliteRawStore, SqliteRejectedStore
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import ConflictError
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


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 31, 130])
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
