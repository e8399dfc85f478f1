"""What any bus must do: deliver every announcement at least once, and give up on none without saying so."""

import asyncio

from shared.domain.deliveries import Announcement
from shared.ports.event_bus import Leased
from tests.conformance.conftest import BusWorld
from tests.conformance.samples import delivery

ATTEMPTS_MAX = 5


def announcements(count: int) -> list[Announcement]:
    """Return announcements in order of their numbers."""
    return [delivery(number).announcement for number in range(count)]


def lease_all(on: BusWorld) -> list[Leased]:
    """Lease until nothing is due any more: a lease may return fewer than it was asked for."""
    found: list[Leased] = []
    while batch := on.subscription.lease(100, on.now):
        found += batch
    return found


def give_up(on: BusWorld) -> None:
    """Fail on everything that is due, as often as it takes."""
    for _ in range(ATTEMPTS_MAX):
        on.subscription.release([each.lease_id for each in lease_all(on)], on.now)
        on.let_pass(3600)


def test_what_is_announced_is_delivered(bus_world: BusWorld) -> None:
    """Asiento delivers each announcement whole, on its first attempt."""
    sent = announcements(3)
    asyncio.run(bus_world.bus.publish(sent[0]))
    bus_world.bus.publish_all(sent[1:])
    leased = lease_all(bus_world)
    assert len(leased) == 3
    assert {each.announcement for each in leased} == set(sent)
    assert {each.attempt for each in leased} == {1}


def test_publishing_nothing_is_harmless(bus_world: BusWorld) -> None:
    """Asiento takes an empty batch for what it is."""
    bus_world.bus.publish_all([])
    bus_world.subscription.acknowledge([])
    bus_world.subscription.release([], bus_world.now)
    assert lease_all(bus_world) == []


def test_concurrent_publishes_all_arrive(bus_world: BusWorld) -> None:
    """Asiento announces every one of many deliveries that arrive together."""
    sent = announcements(50)

    async def announce() -> None:
        await asyncio.gather(*(bus_world.bus.publish(each) for each in sent))

    asyncio.run(announce())
    assert {each.announcement for each in lease_all(bus_world)} == set(sent)


def test_a_lease_takes_no_more_than_its_limit(bus_world: BusWorld) -> None:
    """Asiento hands out at most what was asked for, and nothing twice at a time."""
    bus_world.bus.publish_all(announcements(10))
    first = bus_world.subscription.lease(4, bus_world.now)
    assert 0 < len(first) <= 4
    rest = lease_all(bus_world)
    assert {each.announcement for each in first + rest} == set(announcements(10))
    assert len(first) + len(rest) == 10


def test_what_is_acknowledged_does_not_come_again(bus_world: BusWorld) -> None:
    """Asiento ends an announcement when it is acknowledged."""
    bus_world.bus.publish_all(announcements(3))
    bus_world.subscription.acknowledge([each.lease_id for each in lease_all(bus_world)])
    bus_world.let_pass(3600)
    assert lease_all(bus_world) == []
    assert bus_world.subscription.dead_letters() == []


def test_what_is_not_acknowledged_in_time_comes_again(bus_world: BusWorld) -> None:
    """Asiento delivers again what a worker took and never answered for, and counts the attempt."""
    bus_world.bus.publish_all(announcements(1))
    (taken,) = lease_all(bus_world)
    bus_world.let_pass(30)
    assert lease_all(bus_world) == []
    bus_world.let_pass(3600)
    (again,) = lease_all(bus_world)
    assert (again.announcement, again.attempt) == (taken.announcement, 2)


def test_an_expired_lease_cannot_end_what_another_holds(bus_world: BusWorld) -> None:
    """Asiento ignores an acknowledgement that comes after its deadline."""
    bus_world.bus.publish_all(announcements(1))
    (expired,) = lease_all(bus_world)
    bus_world.let_pass(3600)
    (held,) = lease_all(bus_world)
    bus_world.subscription.acknowledge([expired.lease_id])
    bus_world.let_pass(3600)
    assert [each.announcement for each in lease_all(bus_world)] == [held.announcement]


def test_what_is_given_back_comes_again_after_a_pause(bus_world: BusWorld) -> None:
    """Asiento does not try again at once what has just failed."""
    bus_world.bus.publish_all(announcements(1))
    bus_world.subscription.release([each.lease_id for each in lease_all(bus_world)], bus_world.now)
    assert lease_all(bus_world) == []
    bus_world.let_pass(3600)
    assert [each.attempt for each in lease_all(bus_world)] == [2]


def test_what_fails_every_time_becomes_a_dead_letter(bus_world: BusWorld) -> None:
    """Asiento gives up after five attempts, keeps what it gave up on, and goes on listing it."""
    sent = announcements(3)
    bus_world.bus.publish_all(sent)
    give_up(bus_world)
    assert lease_all(bus_world) == []
    for _ in range(2):
        dead = bus_world.subscription.dead_letters()
        assert [each.announcement for each in dead] == sent
        assert {each.attempt for each in dead} == {ATTEMPTS_MAX}
    bus_world.let_pass(3600)
    assert len(bus_world.subscription.dead_letters()) == 3


def test_silence_becomes_a_dead_letter_too(bus_world: BusWorld) -> None:
    """Asiento gives up on what its workers take and never answer for: no class of failure goes unseen."""
    bus_world.bus.publish_all(announcements(1))
    for attempt in range(1, ATTEMPTS_MAX + 1):
        assert [each.attempt for each in lease_all(bus_world)] == [attempt]
        bus_world.let_pass(3600)
    assert lease_all(bus_world) == []
    assert [each.announcement for each in bus_world.subscription.dead_letters()] == announcements(1)


def test_redriven_dead_letters_start_afresh(bus_world: BusWorld) -> None:
    """Asiento puts the chosen dead letters back with their attempts forgotten, and leaves the others."""
    sent = announcements(3)
    bus_world.bus.publish_all(sent)
    give_up(bus_world)
    first, _, third = bus_world.subscription.dead_letters()
    bus_world.subscription.redrive([first.lease_id, third.lease_id], bus_world.now)
    leased = lease_all(bus_world)
    assert sorted((each.announcement.delivery_id, each.attempt) for each in leased) == [
        (sent[0].delivery_id, 1),
        (sent[2].delivery_id, 1),
    ]
    assert [each.announcement for each in bus_world.subscription.dead_letters()] == [sent[1]]
