"""The bus on Pub/Sub: at least once, pointers only, filtered by attribute, given up into a dead-letter topic.

The subscription itself carries the rules (acknowledgement deadline, growing pause, attempts before a dead letter): they
are declared with the infrastructure. The dead-letter topic has a subscription of its own, in which messages wait to be
redriven.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, cast

from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.types import ReceivedMessage

from shared.adapters.google.announcements import from_message, to_message
from shared.adapters.google.calls import Patience, google_errors, passes
from shared.domain.deliveries import Announcement
from shared.ports.event_bus import Leased

if TYPE_CHECKING:
    from concurrent.futures import Future

_PUBLISH_ROLE = "roles/pubsub.publisher on the topic"
_SUBSCRIBE_ROLE = "roles/pubsub.subscriber on the subscription"
_COUNT_OF_ATTEMPTS = "CloudPubSubDeadLetterSourceDeliveryCount"
_PULLED_MAX = 1000
_IDS_PER_CALL = 1000


def open_publisher() -> PublisherClient:
    """Open a publisher that sends what was announced within ten milliseconds as one request.

    Where PUBSUB_EMULATOR_HOST is set the library calls that address, without credentials.
    """
    with google_errors("opening Pub/Sub", "a service account"):
        return PublisherClient(BatchSettings(max_messages=500, max_latency=0.01))


def open_subscriber() -> SubscriberClient:
    """Open a client that pulls; like the publisher it calls the emulator where there is one."""
    with google_errors("opening Pub/Sub", "a service account"):
        return SubscriberClient()


class GoogleEventBus:
    """EventBus on one topic, `projects/…/topics/…`. The service account that runs it needs to publish, nothing else."""

    def __init__(self, publisher: PublisherClient, topic: str, patience: Patience | None = None) -> None:
        """Take the topic."""
        self._publisher = publisher
        self._topic = topic
        self._patience = patience or Patience()

    async def publish(self, announcement: Announcement) -> None:
        """Announce one kept delivery; returns when Pub/Sub has it."""
        with self._errors():
            await asyncio.wrap_future(self._send(announcement))

    def publish_all(self, announcements: Sequence[Announcement]) -> None:
        """Announce many; all are tried, then the first that failed is raised."""
        with self._errors():
            sent = [self._send(announcement) for announcement in announcements]
            failed = next((error for error in (each.exception() for each in sent) if error), None)
            if failed is not None:
                raise failed

    def _send(self, announcement: Announcement) -> "Future[str]":
        data, attributes = to_message(announcement)
        return self._publisher.publish(  # type: ignore[no-any-return] # the library ships no types; it is such a future
            self._topic, data, retry=self._patience.retry(), timeout=self._patience.try_s_max, **attributes
        )

    def _errors(self) -> AbstractContextManager[None]:
        return google_errors(f"publishing to {self._topic}", _PUBLISH_ROLE)


class GoogleDeadLetters:
    """DeadLetters on the subscription in which they wait. Time runs on the service's clock: `now` is not used."""

    def __init__(
        self,
        subscriber: SubscriberClient,
        dead_letter_subscription: str,
        bus: GoogleEventBus,
        *,
        patience: Patience | None = None,
        wait_s: float = 1.0,
    ) -> None:
        """Take the subscription, and the bus on which dead letters are announced again.

        `wait_s` is how long an empty subscription is waited on before it counts as empty.
        """
        self._subscriber = subscriber
        self._dead_letter_subscription = dead_letter_subscription
        self._bus = bus
        self._patience = patience or Patience()
        self._wait_s = wait_s

    def dead_letters(self) -> list[Leased]:
        """Return what was given up. Each is known by its message id, which stays the same however often it is listed."""
        waiting = self._pull_all_dead()
        self._give_back(self._dead_letter_subscription, [pulled.ack_id for pulled in waiting.values()])
        return [
            Leased(message_id, from_message(pulled.message.data), _attempts(pulled))
            for message_id, pulled in waiting.items()
        ]

    def redrive(self, lease_ids: Sequence[str], now: datetime) -> None:  # noqa: ARG002  the service keeps the time
        """Announce dead letters again, then end them: a crash between the two announces one twice, never not at all."""
        waiting = self._pull_all_dead()
        chosen = [waiting.pop(lease_id) for lease_id in lease_ids if lease_id in waiting]
        self._give_back(self._dead_letter_subscription, [pulled.ack_id for pulled in waiting.values()])
        self._bus.publish_all([from_message(pulled.message.data) for pulled in chosen])
        self._acknowledge(self._dead_letter_subscription, [pulled.ack_id for pulled in chosen])

    def _pull_all_dead(self) -> dict[str, ReceivedMessage]:
        """Pull dead letters until none comes any more; ours until given back, by message id, oldest first."""
        pulled: dict[str, ReceivedMessage] = {}
        while batch := self._pull(self._dead_letter_subscription, _PULLED_MAX):
            pulled.update((received.message.message_id, received) for received in batch)
        return dict(sorted(pulled.items(), key=lambda item: _published_at(item[1])))

    def _pull(self, subscription: str, limit: int) -> list[ReceivedMessage]:
        with google_errors(f"pulling from {subscription}", _SUBSCRIBE_ROLE):
            try:
                answer = self._subscriber.pull(
                    subscription=subscription,
                    max_messages=limit,
                    retry=self._patience.retry(_passes_before_deadline),
                    timeout=self._wait_s,
                )
            except DeadlineExceeded:
                return []  # nothing came while we waited
        return list(answer.received_messages)

    def _acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> None:
        with google_errors(f"acknowledging on {subscription}", _SUBSCRIBE_ROLE):
            for chunk in _chunks(ack_ids):
                self._subscriber.acknowledge(
                    subscription=subscription,
                    ack_ids=chunk,
                    retry=self._patience.retry(),
                    timeout=self._patience.try_s_max,
                )

    def _give_back(self, subscription: str, ack_ids: Sequence[str]) -> None:
        with google_errors(f"giving back on {subscription}", _SUBSCRIBE_ROLE):
            for chunk in _chunks(ack_ids):
                self._subscriber.modify_ack_deadline(
                    subscription=subscription,
                    ack_ids=chunk,
                    ack_deadline_seconds=0,
                    retry=self._patience.retry(),
                    timeout=self._patience.try_s_max,
                )


class GoogleSubscription(GoogleDeadLetters):
    """Subscription by pull. Deadlines and pauses run on the service's clock: the `now` that is passed in is not used."""

    def __init__(
        self,
        subscriber: SubscriberClient,
        subscription: str,
        dead_letter_subscription: str,
        bus: GoogleEventBus,
        *,
        patience: Patience | None = None,
        wait_s: float = 5.0,
    ) -> None:
        """Take both subscriptions, and the bus on which dead letters are announced again.

        `wait_s` is how long an empty subscription is waited on before a lease returns nothing.
        """
        super().__init__(subscriber, dead_letter_subscription, bus, patience=patience, wait_s=wait_s)
        self._subscription = subscription

    def lease(self, limit: int, now: datetime) -> list[Leased]:  # noqa: ARG002  the service keeps the time
        """Return what is due, at most `limit` and often fewer: ask again for more."""
        return [
            Leased(pulled.ack_id, from_message(pulled.message.data), max(pulled.delivery_attempt, 1))
            for pulled in self._pull(self._subscription, limit)
        ]

    def acknowledge(self, lease_ids: Sequence[str]) -> None:
        """End these announcements; one whose deadline has passed comes again, which is harmless."""
        self._acknowledge(self._subscription, lease_ids)

    def release(self, lease_ids: Sequence[str], now: datetime) -> None:  # noqa: ARG002  the service keeps the time
        """Give back: the subscription's retry policy says when it comes again."""
        self._give_back(self._subscription, lease_ids)


def _passes_before_deadline(error: BaseException) -> bool:
    return passes(error) and not isinstance(error, DeadlineExceeded)


def _chunks(ack_ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ack_ids), _IDS_PER_CALL):
        yield list(ack_ids[start : start + _IDS_PER_CALL])


def _published_at(received: ReceivedMessage) -> datetime:
    return cast("datetime", received.message.publish_time)  # declared as a timestamp, read as a datetime


def _attempts(dead: ReceivedMessage) -> int:
    """Return how often a dead letter was tried, as the service noted when it gave up."""
    return int(dead.message.attributes.get(_COUNT_OF_ATTEMPTS, "1"))
