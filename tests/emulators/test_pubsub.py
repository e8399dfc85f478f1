"""Asiento's Pub/Sub emulator is faithful where the bus leans on it; pushes carry the real envelope."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1.types import DeadLetterPolicy, PubsubMessage, PushConfig, RetryPolicy, Subscription

from shared.runtime.http import from_push
from tests.conformance.samples import delivery
from tests.emulators.fixtures import Topology, fresh_name
from tests.emulators.pubsub import PubSubEmulator


class Door(ThreadingHTTPServer):
    """An endpoint that answers as it is told, and keeps what was posted to it."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.status = 204
        self.posted: list[tuple[dict[str, str], Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/derive"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        door = self.server
        assert isinstance(door, Door)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        door.posted.append((dict(self.headers), json.loads(body)))
        self.send_response(door.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def door() -> Iterator[Door]:
    """A door that is open."""
    with Door() as opened:
        thread = Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


@pytest.fixture
def push(topology: Topology, door: Door) -> Subscription:
    """A subscription that pushes to the door, with a dead-letter topic."""
    dead = f"projects/asiento-test/topics/{fresh_name('dead')}"
    topology.publisher.create_topic(name=dead)
    return topology.subscriber.create_subscription(
        request=Subscription(
            name=f"projects/asiento-test/subscriptions/{fresh_name('push')}",
            topic=topology.topic,
            push_config=PushConfig(
                push_endpoint=door.url,
                oidc_token=PushConfig.OidcToken(service_account_email="bus@asiento", audience="https://derive"),
            ),
            retry_policy=RetryPolicy(minimum_backoff=Duration(seconds=10), maximum_backoff=Duration(seconds=15)),
            dead_letter_policy=DeadLetterPolicy(dead_letter_topic=dead, max_delivery_attempts=5),
        )
    )


def test_a_push_is_what_the_derive_door_reads(
    topology: Topology, pubsub: PubSubEmulator, push: Subscription, door: Door
) -> None:
    """Asiento's derive door reads the envelope that Pub/Sub sends of what the bus announced."""
    topology.bus().publish_all([delivery().announcement])
    assert pubsub.push_due(push.name, token=lambda audience: f"token-for-{audience}") == 1
    ((headers, envelope),) = door.posted
    assert headers["Authorization"] == "Bearer token-for-https://derive"
    assert envelope["subscription"] == push.name
    assert envelope["deliveryAttempt"] == 1
    assert envelope["message"]["messageId"] == envelope["message"]["message_id"]
    assert envelope["message"]["attributes"]["provider"] == "betterez"
    assert from_push(envelope) == delivery().announcement
    assert pubsub.depth(push.name) == 0


def test_a_push_that_fails_comes_again_with_growing_pauses(
    topology: Topology, pubsub: PubSubEmulator, push: Subscription, door: Door
) -> None:
    """Asiento's emulator pushes again after the subscription's pause, doubling up to its bound, then gives up."""
    topology.bus().publish_all([delivery().announcement])
    door.status = 503
    for pause_s in (10, 15, 15, 15):
        assert pubsub.push_due(push.name) == 0
        pubsub.clock.advance(pause_s - 1)
        assert pubsub.push_due(push.name) == 0
        pubsub.clock.advance(1)
    pubsub.push_due(push.name)
    assert [envelope["deliveryAttempt"] for _, envelope in door.posted] == [1, 2, 3, 4, 5]
    assert pubsub.depth(push.name) == 0


def test_a_door_that_is_closed_is_a_failure(topology: Topology, pubsub: PubSubEmulator, push: Subscription) -> None:
    """Asiento's emulator keeps a message whose endpoint does not listen."""
    push_config = PushConfig(push_endpoint="http://127.0.0.1:9/nobody")
    name = f"{push.name}-nobody"
    topology.subscriber.create_subscription(
        request=Subscription(name=name, topic=topology.topic, push_config=push_config)
    )
    topology.bus().publish_all([delivery().announcement])
    assert pubsub.push_due(name) == 0
    assert pubsub.depth(name) == 1


def test_what_is_not_there_or_there_twice_is_refused(topology: Topology) -> None:
    """Asiento's emulator tells absent topics, absent subscriptions, and names that are taken."""
    with pytest.raises(exceptions.NotFound):
        topology.subscriber.pull(subscription="projects/asiento-test/subscriptions/none", max_messages=1)
    with pytest.raises(exceptions.AlreadyExists):
        topology.publisher.create_topic(name=topology.topic)
    assert topology.publisher.get_topic(topic=topology.topic).name == topology.topic


def test_a_filter_that_is_not_spoken_is_refused(topology: Topology) -> None:
    """Asiento's emulator does not pretend to understand a filter."""
    wanted = Subscription(
        name=f"projects/asiento-test/subscriptions/{fresh_name('odd')}",
        topic=topology.topic,
        filter='hasPrefix(attributes.provider, "b")',
    )
    with pytest.raises(exceptions.InvalidArgument, match="does not understand"):
        topology.subscriber.create_subscription(request=wanted)


def test_an_extended_deadline_holds(topology: Topology, pubsub: PubSubEmulator) -> None:
    """Asiento's emulator keeps a message with its holder as long as the deadline was extended."""
    topology.bus().publish_all([delivery().announcement])
    (held,) = topology.subscriber.pull(subscription=topology.subscription, max_messages=1).received_messages
    topology.subscriber.modify_ack_deadline(
        subscription=topology.subscription, ack_ids=[held.ack_id], ack_deadline_seconds=300
    )
    pubsub.clock.advance(250)
    assert not topology.subscriber.pull(subscription=topology.subscription, max_messages=1).received_messages
    pubsub.clock.advance(100)
    (again,) = topology.subscriber.pull(subscription=topology.subscription, max_messages=1).received_messages
    assert isinstance(again.message, PubsubMessage)
    assert again.delivery_attempt == 2
