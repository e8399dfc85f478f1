"""Asiento's bus on Pub/Sub: pointers with attributes, one request for what is announced together, filters."""

import asyncio
import json

import pytest
from google.pubsub_v1.types import Subscription

from shared.adapters.google.announcements import from_message
from shared.adapters.google.event_bus import GoogleEventBus
from shared.domain.deliveries import Announcement
from shared.domain.errors import NotFoundError, TerminalError, TransientError
from tests.conformance.samples import NOON, delivery
from tests.emulators.faults import Fault
from tests.emulators.fixtures import HURRIED, QUICK, Topology, fresh_name
from tests.emulators.pubsub import PubSubEmulator


def test_a_message_is_a_pointer_with_attributes(topology: Topology) -> None:
    """Asiento announces where the bytes are, never the bytes, with what subscriptions filter on beside it."""
    came = delivery(body=b"a passenger's name")
    asyncio.run(topology.bus().publish(came.announcement))
    (received,) = topology.subscriber.pull(subscription=topology.subscription, max_messages=1).received_messages
    pointer = {
        "object_name": came.object_name,
        "delivery_id": came.delivery_id,
        "provider": "betterez",
        "channel": "webhook",
    }
    assert json.loads(received.message.data) == pointer
    assert dict(received.message.attributes) == pointer


def test_what_is_announced_together_is_one_request(topology: Topology, pubsub: PubSubEmulator) -> None:
    """Asiento sends a batch of announcements as one request."""
    bus = topology.bus()
    pubsub.faults.clear()
    bus.publish_all([delivery(number).announcement for number in range(100)])
    assert pubsub.faults.calls["Publish"] == 1
    assert pubsub.depth(topology.subscription) == 100


def test_a_subscription_can_take_one_provider(topology: Topology, pubsub: PubSubEmulator) -> None:
    """Asiento's announcements can be split by provider and channel without reading them."""
    name = f"projects/asiento-test/subscriptions/{fresh_name('stripe')}"
    topology.subscriber.create_subscription(
        request=Subscription(
            name=name, topic=topology.topic, filter='attributes.provider = "stripe" AND attributes.channel = "webhook"'
        )
    )
    topology.bus().publish_all([delivery(1, provider="stripe").announcement, delivery(2).announcement])
    assert pubsub.depth(name) == 1
    assert pubsub.depth(topology.subscription) == 2


def test_a_publish_returns_only_when_the_service_has_it(topology: Topology, pubsub: PubSubEmulator) -> None:
    """Asiento does not take an announcement for made before Pub/Sub says so: an outage reaches the caller."""
    pubsub.faults.by_chance = lambda method: Fault.UNAVAILABLE if method == "Publish" else None
    with pytest.raises(TransientError, match="try again later"):
        asyncio.run(topology.bus(HURRIED).publish(delivery().announcement))
    with pytest.raises(TransientError):
        topology.bus(HURRIED).publish_all([delivery().announcement])
    assert pubsub.depth(topology.subscription) == 0


def test_a_publish_whose_answer_was_lost_comes_twice_at_worst(topology: Topology, pubsub: PubSubEmulator) -> None:
    """Asiento announces again when it does not know whether it did: at least once, never not at all."""
    pubsub.faults.plan("Publish", Fault.ANSWER_LOST)
    asyncio.run(topology.bus().publish(delivery().announcement))
    leased = topology.pulling(topology.bus()).lease(10, NOON)
    assert [each.announcement for each in leased] == [delivery().announcement] * 2


def test_a_missing_topic_or_permission_is_named(topology: Topology, pubsub: PubSubEmulator) -> None:
    """Asiento names the topic that is not there, and the role that is not granted."""
    nowhere = GoogleEventBus(topology.publisher, "projects/asiento-test/topics/nowhere", QUICK)
    with pytest.raises(NotFoundError, match="topics/nowhere"):
        asyncio.run(nowhere.publish(delivery().announcement))
    pubsub.faults.plan("Publish", Fault.PERMISSION_DENIED)
    with pytest.raises(TerminalError, match=r"grant roles/pubsub\.publisher on the topic"):
        asyncio.run(topology.bus().publish(delivery().announcement))


def test_redriving_survives_a_crash_between_its_two_steps(topology: Topology, pubsub: PubSubEmulator) -> None:
    """Asiento announces a dead letter again before it ends it: it may come twice, and is never lost."""
    bus = topology.bus()
    subscription = topology.pulling(bus, HURRIED)
    bus.publish_all([delivery().announcement])
    for _ in range(5):
        subscription.release([each.lease_id for each in subscription.lease(1, NOON)], NOON)
        pubsub.clock.advance(3600)
    (dead,) = subscription.dead_letters()
    pubsub.faults.by_chance = lambda method: Fault.UNAVAILABLE if method == "Acknowledge" else None
    with pytest.raises(TransientError):
        subscription.redrive([dead.lease_id], NOON)
    pubsub.faults.by_chance = None
    assert [each.announcement for each in subscription.lease(9, NOON)] == [delivery().announcement]
    pubsub.clock.advance(3600)
    assert [each.lease_id for each in subscription.dead_letters()] == [dead.lease_id]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"object_name":1}', b"\xff", b'"text"'])
def test_a_message_that_is_no_announcement_is_terminal(data: bytes) -> None:
    """Asiento says that somebody else publishes to its topic, instead of failing for ever in silence."""
    with pytest.raises(TerminalError, match="no announcement"):
        from_message(data)


def test_announcements_are_values() -> None:
    """Asiento reads back what it announced."""
    announced: Announcement = delivery().announcement
    assert from_message(json.dumps({**_pointer(announced), "later": "ignored"}).encode()) == announced


def _pointer(announcement: Announcement) -> dict[str, str]:
    return {
        "object_name": announcement.object_name,
        "delivery_id": announcement.delivery_id,
        "provider": announcement.provider,
        "channel": announcement.channel.value,
    }
