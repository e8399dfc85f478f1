"""A whole project on the emulators: its buckets, the topic and its push subscriptions, a database and the secrets.

What is made here has the names and the rules of `infra/terraform`; what is asked of it goes through the official clients.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic, sleep
from typing import Self
from unittest.mock import patch

from google.cloud.secretmanager_v1 import Replication, Secret, SecretPayload
from google.protobuf.duration_pb2 import Duration
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.types import DeadLetterPolicy, PushConfig, RetryPolicy, Subscription

from shared.adapters.google.event_bus import open_publisher
from shared.adapters.google.raw_store import open_client as open_storage
from shared.adapters.google.secrets import open_client as open_secrets
from tests.emulators.bigquery import BigQueryEmulator
from tests.emulators.bigquery_process import CannotBeMadeError, ready_environment, running
from tests.emulators.firestore import FirestoreEmulator
from tests.emulators.pubsub import PubSubEmulator
from tests.emulators.secret_manager import SecretManagerEmulator
from tests.emulators.storage import StorageEmulator

STREAMS = ("webhook", "fetch")
"""The streams of the season; a stream is the subscription to one channel."""
DEAD_LETTER_SUBSCRIPTION = "dead-letters"
PUSHERS_PER_STREAM = 2
_PUSHED_AT_ONCE = 10
_IDLE_S = 0.01
_PAUSE_S = 10
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Emulators:
    """The servers, BigQuery's among them where bqemulator can be made here."""

    bigquery: BigQueryEmulator | None
    storage: StorageEmulator = field(default_factory=StorageEmulator)
    pubsub: PubSubEmulator = field(default_factory=PubSubEmulator)
    firestore: FirestoreEmulator = field(default_factory=FirestoreEmulator)
    secret_manager: SecretManagerEmulator = field(default_factory=SecretManagerEmulator)

    @classmethod
    @contextmanager
    def running(cls, *, with_bigquery: bool = True) -> Iterator[Self]:
        """Start them all and point this process, and those that it starts, at them."""
        with ExitStack() as stack:
            these = cls(_bigquery(stack) if with_bigquery else None)
            if these.bigquery:
                these.bigquery.jobs.buckets = these.storage.buckets
            for server in (these.storage, these.pubsub, these.firestore, these.secret_manager):
                stack.enter_context(server)
            stack.enter_context(patch.dict(os.environ, these.addresses()))
            yield these

    def addresses(self) -> dict[str, str]:
        """Return the variables by which the clients find the servers."""
        addresses = {
            "STORAGE_EMULATOR_HOST": self.storage.url,
            "PUBSUB_EMULATOR_HOST": self.pubsub.host,
            "FIRESTORE_EMULATOR_HOST": self.firestore.host,
            "SECRET_MANAGER_EMULATOR_HOST": self.secret_manager.host,
        }
        return addresses | ({"BIGQUERY_EMULATOR_HOST": self.bigquery.url} if self.bigquery else {})

    def operations(self) -> Counter[tuple[str, str]]:
        """Return how often each operation of each service was asked for, and what Firestore bills, since the start."""
        counted = {
            "Cloud Storage": self.storage.faults.calls,
            "Pub/Sub": self.pubsub.faults.calls,
            "Firestore": self.firestore.faults.calls,
            "Firestore, billed": self.firestore.billed,
            "Secret Manager": self.secret_manager.faults.calls,
            "BigQuery": self.bigquery.faults.calls if self.bigquery else {},
        }
        return Counter(
            {(service, operation): count for service, calls in counted.items() for operation, count in calls.items()}
        )


def _bigquery(stack: ExitStack) -> BigQueryEmulator | None:
    """Start BigQuery's emulator; there is none where bqemulator's environment cannot be made."""
    try:
        python = ready_environment()
    except CannotBeMadeError:
        return None
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="asiento-bqemulator-")))
    return stack.enter_context(BigQueryEmulator(stack.enter_context(running(python, folder, "asiento"))))


@dataclass(frozen=True, slots=True)
class Project:
    """One project on the emulators. Several can be there at once; they share servers and no data."""

    name: str
    emulators: Emulators

    def make(self, secrets: Mapping[str, str]) -> None:
        """Make the buckets, the topics and the secrets."""
        with closing(open_storage(self.name)) as storage:
            for bucket in (self.raw_bucket, self.rejected_bucket, self.key_bucket, self.seal_bucket):
                storage.create_bucket(bucket)
        publisher = open_publisher()
        for topic in ("deliveries", "dead-letters"):
            publisher.create_topic(name=self._path("topics", topic))
        publisher.stop()
        publisher.transport.close()
        subscriber = SubscriberClient()
        subscriber.create_subscription(
            request=Subscription(
                name=self._path("subscriptions", DEAD_LETTER_SUBSCRIPTION),
                topic=self._path("topics", "dead-letters"),
                ack_deadline_seconds=600,
            )
        )
        subscriber.transport.close()  # type: ignore[no-untyped-call] # the library declares no types here
        client = open_secrets()
        automatic = Secret(replication=Replication(automatic=Replication.Automatic()))
        for name, value in secrets.items():
            made = client.create_secret(parent=f"projects/{self.name}", secret_id=name, secret=automatic)
            client.add_secret_version(parent=made.name, payload=SecretPayload(data=value.encode()))
        client.transport.close()  # type: ignore[no-untyped-call] # the library declares no types here

    @property
    def raw_bucket(self) -> str:
        """Return the name of the raw bucket."""
        return f"{self.name}-raw"

    @property
    def rejected_bucket(self) -> str:
        """Return the name of the bucket of what the door rejected."""
        return f"{self.name}-rejected"

    @property
    def key_bucket(self) -> str:
        """Return the name of the bucket of people's keys."""
        return f"{self.name}-keys"

    @property
    def seal_bucket(self) -> str:
        """Return the name of the bucket of seals."""
        return f"{self.name}-seals"

    def settings(self) -> dict[str, str]:
        """Return the variables that `infra/terraform/functions.tf` gives to the functions."""
        return {
            "ASIENTO_WORLD": "google",
            "ASIENTO_PROJECT": self.name,
            "ASIENTO_RAW_BUCKET": self.raw_bucket,
            "ASIENTO_REJECTED_BUCKET": self.rejected_bucket,
            "ASIENTO_KEY_BUCKET": self.key_bucket,
            "ASIENTO_SEAL_BUCKET": self.seal_bucket,
            "ASIENTO_BQ_LOCATION": "southamerica-east1",
        }

    def push_to(self, derive_url: str) -> "Pushing":
        """Subscribe the derive door to every stream, and return who pushes."""
        subscriber = SubscriberClient()
        subscriptions = [self._path("subscriptions", f"derive-{stream}") for stream in STREAMS]
        for stream, subscription in zip(STREAMS, subscriptions, strict=True):
            subscriber.create_subscription(request=self._push_subscription(subscription, stream, derive_url))
        subscriber.transport.close()  # type: ignore[no-untyped-call] # the library declares no types here
        return Pushing(self.emulators.pubsub, subscriptions, self._path("subscriptions", DEAD_LETTER_SUBSCRIPTION))

    def _push_subscription(self, name: str, stream: str, endpoint: str) -> Subscription:
        return Subscription(
            name=name,
            topic=self._path("topics", "deliveries"),
            filter=f'attributes.channel = "{stream}"',
            ack_deadline_seconds=90,
            push_config=PushConfig(push_endpoint=endpoint, oidc_token=PushConfig.OidcToken(audience=endpoint)),
            retry_policy=RetryPolicy(minimum_backoff=Duration(seconds=_PAUSE_S), maximum_backoff=Duration(seconds=600)),
            dead_letter_policy=DeadLetterPolicy(
                dead_letter_topic=self._path("topics", "dead-letters"), max_delivery_attempts=20
            ),
        )

    def _path(self, kind: str, name: str) -> str:
        return f"projects/{self.name}/{kind}/{name}"


class Pushing:
    """The service's side of push subscriptions, on threads of its own: `with project.push_to(url) as pushing`."""

    def __init__(self, pubsub: PubSubEmulator, subscriptions: list[str], dead_letters: str) -> None:
        """Take the subscriptions; nothing is pushed before the block is entered."""
        self._pubsub = pubsub
        self._subscriptions = subscriptions
        self._dead_letters = dead_letters
        self._stop = Event()
        self._accepted: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self._settled = 0
        self._pool = ThreadPoolExecutor(PUSHERS_PER_STREAM * len(subscriptions), thread_name_prefix="push")
        self._pushers: list[Future[None]] = []

    def __enter__(self) -> Self:
        """Start pushing."""
        for subscription in self._subscriptions:
            for number in range(PUSHERS_PER_STREAM):
                self._pushers.append(self._pool.submit(self._push, subscription, f"{subscription} {number}"))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop pushing; what is left stays."""
        self._stop.set()
        self._pool.shutdown(wait=True)

    @property
    def accepted(self) -> int:
        """Return how many pushes the door answered with success."""
        return self._accepted.total()

    @property
    def dead_letters(self) -> int:
        """Return how many messages were given up."""
        return self._pubsub.depth(self._dead_letters)

    def settle(self) -> int:
        """Wait until everything announced is derived; return how many pushes were accepted since this was last asked.

        What the door gave back waits for its pause: the emulator's clock is put forward while nothing else moves. Raises
        TimeoutError if nothing is accepted for too long.
        """
        moved_at_s = put_forward_at_s = monotonic()
        accepted = self.accepted
        while any(map(self._pubsub.depth, self._subscriptions)):
            self._raise_what_stopped_a_pusher()
            if self.accepted != accepted:
                moved_at_s, accepted = monotonic(), self.accepted
            elif monotonic() - max(moved_at_s, put_forward_at_s) > 1 and not self._busy.total():
                self._pubsub.clock.advance(_PAUSE_S)
                put_forward_at_s = monotonic()
            if monotonic() - moved_at_s > _PATIENCE_S:
                raise TimeoutError("the derive door does not accept what is pushed to it; its log says why")
            sleep(_IDLE_S)
        before, self._settled = self._settled, self.accepted
        return self._settled - before

    def _push(self, subscription: str, pusher: str) -> None:
        while not self._stop.is_set():
            self._busy[pusher] = 1
            accepted = self._pubsub.push_due(subscription, limit=_PUSHED_AT_ONCE)
            self._accepted[pusher] += accepted
            self._busy[pusher] = 0
            if not accepted:
                sleep(_IDLE_S)

    def _raise_what_stopped_a_pusher(self) -> None:
        for pusher in self._pushers:
            if pusher.done():
                pusher.result()
