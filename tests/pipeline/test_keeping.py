"""Keeping: durable first, announced then, and one flush for all that wait together."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from shared.adapters.embedded.event_bus import SqliteEventBus
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.domain.deliveries import Announcement, Delivery
from shared.domain.errors import ConflictError, TransientError
from shared.domain.times import ALL_TIME
from shared.pipeline import keeping
from shared.ports.event_bus import EventBus
from shared.ports.raw_store import Created, RawStore
from tests.conformance.samples import NOON, delivery

Way = Callable[[RawStore, EventBus], keeping.Keep]
WAYS: tuple[Way, ...] = (keeping.one_by_one, keeping.in_groups)


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[SqliteRawStore]:
    """Return a real raw store."""
    with closing(SqliteRawStore(tmp_path / "raw.db")) as store:
        yield store


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[SqliteEventBus]:
    """Return a real bus."""
    with closing(SqliteEventBus(tmp_path / "bus.db")) as queue:
        yield queue


class Watched(SqliteRawStore):
    """A real raw store that remembers how many it was given at a time."""

    def __init__(self, path: Path) -> None:
        """Open it."""
        super().__init__(path)
        self.groups: list[int] = []

    def create_all(self, deliveries: Sequence[Delivery]) -> list[Created]:
        """Keep, and count."""
        self.groups.append(len(deliveries))
        return super().create_all(deliveries)


class Silent(SqliteEventBus):
    """A bus that is down."""

    def publish_all(self, announcements: Sequence[Announcement]) -> None:
        """Fail, as a bus does that is down."""
        raise TransientError(f"{len(announcements)} announcements were not taken")

    async def publish(self, announcement: Announcement) -> None:
        """Fail too."""
        self.publish_all([announcement])


async def _burst(keep: keeping.Keep, deliveries: Sequence[Delivery]) -> list[Created | BaseException]:
    return await asyncio.gather(*(keep(each) for each in deliveries), return_exceptions=True)


@pytest.mark.parametrize("way", WAYS)
def test_announces_what_is_durable(way: Way, raw: SqliteRawStore, bus: SqliteEventBus) -> None:
    """Asiento announces each kept delivery once, in every way of keeping."""
    came = [delivery(number) for number in range(1, 30)]
    assert asyncio.run(_burst(way(raw, bus), came)) == [Created.CREATED] * 29
    leased = bus.lease(100, NOON + timedelta(days=1))
    assert {each.announcement for each in leased} == {each.announcement for each in came}
    assert len(leased) == len(list(raw.deliveries(ALL_TIME))) == len(came)


@pytest.mark.parametrize("way", WAYS)
def test_says_yes_though_the_bus_is_down(way: Way, raw: SqliteRawStore, tmp_path: Path) -> None:
    """Asiento acknowledges what is durable though it could not be announced: the sweep announces it."""
    with closing(Silent(tmp_path / "silent.db")) as bus:
        assert asyncio.run(_burst(way(raw, bus), [delivery(1)])) == [Created.CREATED]
    assert raw.read(delivery(1).object_name) == delivery(1)


def test_shares_one_flush_among_all_that_wait(tmp_path: Path, bus: SqliteEventBus) -> None:
    """Asiento groups concurrent deliveries into few flushes, and each caller gets its own answer."""
    with closing(Watched(tmp_path / "raw.db")) as raw:
        came = [delivery(number) for number in range(1, 201)]
        results = asyncio.run(_burst(keeping.in_groups(raw, bus), came))
        assert results == [Created.CREATED] * 200
        assert sum(raw.groups) == 200
        assert len(raw.groups) <= 2, "the writer is woken once for all that is ready, not once for each"


def test_fails_only_what_conflicts(raw: SqliteRawStore, bus: SqliteEventBus) -> None:
    """Asiento keeps and announces the neighbours of a delivery that it cannot keep."""
    raw.create_all([delivery(7, body=b"other bytes")])
    came = [delivery(number) for number in range(1, 20)]
    results = asyncio.run(_burst(keeping.in_groups(raw, bus), came))
    assert [type(each) for each in results if not isinstance(each, Created)] == [ConflictError]
    assert isinstance(results[6], ConflictError)
    announced = {each.announcement.delivery_id for each in bus.lease(100, NOON + timedelta(days=1))}
    assert announced == {each.delivery_id for each in came} - {came[6].delivery_id}
