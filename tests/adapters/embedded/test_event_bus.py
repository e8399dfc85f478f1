"""Asiento's embedded bus delivers at least once, gives up in the open, and never in silence."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.adapters.embedded.event_bus import SqliteEventBus
from shared.domain.deliveries import Announcement, Channel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def announcement(number: int) -> Announcement:
    """Return the announcement of a number."""
    return Announcement(f"2026/03/01/12/betterez/webhook/d{number}", f"d{number}", "betterez", Channel.WEBHOOK)


def test_what_nobody_acknowledges_comes_again_and_ends_as_a_dead_letter(tmp_path: Path) -> None:
    """Asiento brings an announcement back after its deadline, and after the last attempt keeps it as a dead letter."""
    bus = SqliteEventBus(tmp_path / "bus.db", ack_deadline_s=60, attempts_max=3)
    bus.publish_all([announcement(1)])
    now = NOW
    for attempt in (1, 2, 3):
        (leased,) = bus.lease(10, now)
        assert leased.attempt == attempt
        assert bus.lease(10, now + timedelta(seconds=59)) == []
        now += timedelta(seconds=61)
    assert bus.lease(10, now) == []
    (dead,) = bus.dead_letters()
    bus.redrive([dead.lease_id], now)
    (again,) = bus.lease(10, now)
    assert (again.announcement, again.attempt) == (announcement(1), 1)
    bus.acknowledge([again.lease_id])
    assert (bus.depth(), bus.dead_letters()) == (0, [])
    bus.close()


def test_groups_of_every_size_are_announced_once_each(tmp_path: Path) -> None:
    """Asiento announces each of a group once, in order, however many there are."""
    bus = SqliteEventBus(tmp_path / "bus.db")
    count = 0
    for size in (0, 1, 2, 7, 8, 9, 31, 130):
        bus.publish_all([announcement(count + each) for each in range(size)])
        count += size
    assert [each.announcement for each in bus.lease(1000, NOW)] == [announcement(each) for each in range(count)]
    bus.close()


def test_a_released_announcement_waits_longer_each_time(tmp_path: Path) -> None:
    """Asiento pauses longer after each failure, so that a broken neighbour does not fill the queue."""
    bus = SqliteEventBus(tmp_path / "bus.db", attempts_max=5)
    bus.publish_all([announcement(1)])
    now, pauses = NOW, []
    for _ in range(4):
        (leased,) = bus.lease(1, now)
        bus.release([leased.lease_id], now)
        pause_s = next(s for s in range(1, 1000) if bus_due(bus, now + timedelta(seconds=s)))
        pauses.append(pause_s)
        now += timedelta(seconds=pause_s)
    assert pauses == [1, 5, 30, 120]
    bus.close()


def bus_due(bus: SqliteEventBus, now: datetime) -> bool:
    """Return whether something is due, without leasing it."""
    due = bus._database.rows("SELECT min(due_at_ms) FROM messages WHERE is_dead = 0")[0][0]
    return bool(due <= now.timestamp() * 1000)


def test_an_answer_that_comes_too_late_does_not_touch_the_new_holder(tmp_path: Path) -> None:
    """Asiento ignores the acknowledgement of a lease that has passed to another."""
    bus = SqliteEventBus(tmp_path / "bus.db", ack_deadline_s=10)
    bus.publish_all([announcement(1)])
    (late,) = bus.lease(1, NOW)
    (current,) = bus.lease(1, NOW + timedelta(seconds=11))
    bus.acknowledge([late.lease_id])
    assert bus.depth() == 1
    bus.acknowledge([current.lease_id])
    assert bus.depth() == 0
    bus.close()
