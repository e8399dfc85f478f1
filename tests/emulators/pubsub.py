"""Pub/Sub's google.pubsub.v1 over gRPC, with push over HTTP in the real envelope.

Faithful where Asiento leans on it: what is not acknowledged by its deadline comes again with its attempt counted, what
was given back comes again after the subscription's pause, and after the last attempt it goes to the dead-letter topic.
"""

import base64
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from threading import Condition
from typing import Any

import grpc
import httpx
from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

from tests.emulators.clock import EmulatorClock
from tests.emulators.grpc_server import GrpcEmulator, Method, RpcRefused

EMPTY_PULL_S = 0.01
"""How long a pull waits for a first message before it returns none."""

_CONDITION = re.compile(r'\s*attributes\.(\w+)\s*=\s*"([^"]*)"\s*')
_PUSH_SUCCESS = frozenset({102, 200, 201, 202, 204})

# The emulators read and write the plain protobuf classes beneath the client library's wrappers.
_Message, _Received = types.PubsubMessage.pb(), types.ReceivedMessage.pb()


@dataclass(slots=True)
class Queued:
    """One message in one subscription."""

    message: Any
    due_at: datetime
    attempts: int = 0
    ack_id: str = ""
    """Empty while it waits; else the lease under which it is out until `due_at`."""


@dataclass(slots=True)
class SubscriptionState:
    """One subscription: its declaration, and what is in it by message id."""

    declared: Any
    wants: Mapping[str, str]
    queued: dict[str, Queued] = field(default_factory=dict)


class PubSubEmulator(GrpcEmulator):
    """The server. `clock` can be put forward; `push_due` makes one round of pushes."""

    def __init__(self) -> None:
        """Start without topics."""
        self.clock = EmulatorClock()
        self._sender = httpx.Client(trust_env=False, timeout=60)
        self._changed = Condition()
        self._topics: dict[str, Any] = {}
        self._subscriptions: dict[str, SubscriptionState] = {}
        self._by_topic: dict[str, list[SubscriptionState]] = defaultdict(list)
        self._ids = count(1)
        publisher = {
            "CreateTopic": Method(types.Topic.pb(), types.Topic.pb(), self._create_topic),
            "GetTopic": Method(types.GetTopicRequest.pb(), types.Topic.pb(), self._get_topic),
            "Publish": Method(types.PublishRequest.pb(), types.PublishResponse.pb(), self._publish),
        }
        subscriber = {
            "CreateSubscription": Method(types.Subscription.pb(), types.Subscription.pb(), self._create_subscription),
            "Pull": Method(types.PullRequest.pb(), types.PullResponse.pb(), self._pull),
            "Acknowledge": Method(types.AcknowledgeRequest.pb(), Empty, self._acknowledge),
            "ModifyAckDeadline": Method(types.ModifyAckDeadlineRequest.pb(), Empty, self._modify_ack_deadline),
        }
        super().__init__({"google.pubsub.v1.Publisher": publisher, "google.pubsub.v1.Subscriber": subscriber})

    def __exit__(self, *raised: object) -> None:
        """Stop serving and free the port and the connections."""
        super().__exit__(*raised)
        self._sender.close()

    def push_due(self, subscription: str, token: Callable[[str], str] | None = None, limit: int | None = None) -> int:
        """Post what is due to the subscription's endpoint, one by one; return how many were acknowledged.

        `limit` leaves the rest to another caller, who may push at the same time. `token` makes the bearer token for an
        audience, as the service does with OIDC.
        """
        with self._changed:
            state = self._subscription(subscription)
            due = self._lease_due(state, limit=len(state.queued) if limit is None else limit)
        config = state.declared.push_config
        headers = {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token(config.oidc_token.audience or config.push_endpoint)}"
        return sum([self._push(headers, state, queued) for queued in due])

    def depth(self, subscription: str) -> int:
        """Return how many messages a subscription holds, out on lease or not."""
        with self._changed:
            return len(self._subscription(subscription).queued)

    def _push(self, headers: Mapping[str, str], state: SubscriptionState, queued: Queued) -> bool:
        envelope = push_envelope(queued, state.declared)
        endpoint = state.declared.push_config.push_endpoint
        try:
            status = self._sender.post(endpoint, json=envelope, headers=headers).status_code
        except httpx.TransportError:
            status = 503
        with self._changed:
            if status in _PUSH_SUCCESS:
                state.queued.pop(queued.message.message_id, None)
            else:
                self._requeue(state, queued, self.clock.now())
        return status in _PUSH_SUCCESS

    def _create_topic(self, request: Any) -> Any:
        with self._changed:
            if request.name in self._topics:
                raise RpcRefused(grpc.StatusCode.ALREADY_EXISTS, f"topic {request.name} exists")
            self._topics[request.name] = request
        return request

    def _get_topic(self, request: Any) -> Any:
        with self._changed:
            return self._topic(request.topic)

    def _create_subscription(self, request: Any) -> Any:
        with self._changed:
            self._topic(request.topic)
            if request.name in self._subscriptions:
                raise RpcRefused(grpc.StatusCode.ALREADY_EXISTS, f"subscription {request.name} exists")
            request.ack_deadline_seconds = request.ack_deadline_seconds or 10
            state = SubscriptionState(request, _parse_filter(request.filter))
            self._subscriptions[request.name] = state
            self._by_topic[request.topic].append(state)
        return request

    def _publish(self, request: Any) -> Any:
        with self._changed:
            self._topic(request.topic)
            return types.PublishResponse.pb()(
                message_ids=[self._accept(request.topic, each) for each in request.messages]
            )

    def _accept(self, topic: str, message: Any) -> str:
        """Give a message its id and put it into every subscription that wants it."""
        kept = _Message()
        kept.CopyFrom(message)
        kept.message_id = str(next(self._ids))
        kept.publish_time.FromDatetime(self.clock.now())
        for state in self._by_topic[topic]:
            if all(kept.attributes.get(name) == value for name, value in state.wants.items()):
                state.queued[kept.message_id] = Queued(kept, self.clock.now())
        self._changed.notify_all()
        return str(kept.message_id)

    def _pull(self, request: Any) -> Any:
        with self._changed:
            state = self._subscription(request.subscription)
            due = self._lease_due(state, request.max_messages)
            if not due and not request.return_immediately:
                self._changed.wait(EMPTY_PULL_S)
                due = self._lease_due(state, request.max_messages)
            counts = bool(state.declared.dead_letter_policy.dead_letter_topic)
            received = [
                _Received(ack_id=each.ack_id, message=each.message, delivery_attempt=each.attempts if counts else 0)
                for each in due
            ]
        return types.PullResponse.pb()(received_messages=received)

    def _acknowledge(self, request: Any) -> Any:
        with self._changed:
            state = self._subscription(request.subscription)
            for queued in self._leased(state, request.ack_ids):
                del state.queued[queued.message.message_id]
        return Empty()

    def _modify_ack_deadline(self, request: Any) -> Any:
        with self._changed:
            state = self._subscription(request.subscription)
            for queued in self._leased(state, request.ack_ids):
                if request.ack_deadline_seconds:
                    queued.due_at = self.clock.now() + timedelta(seconds=request.ack_deadline_seconds)
                else:
                    self._requeue(state, queued, self.clock.now())
        return Empty()

    def _lease_due(self, state: SubscriptionState, limit: int) -> list[Queued]:
        """Take back what is overdue, then hand out what is due, each under a new lease."""
        now = self.clock.now()
        for queued in [each for each in state.queued.values() if each.ack_id and each.due_at <= now]:
            self._requeue(state, queued, queued.due_at)
        due = [each for each in state.queued.values() if not each.ack_id and each.due_at <= now][:limit]
        for queued in due:
            queued.attempts += 1
            queued.ack_id = f"lease-{next(self._ids)}"
            queued.due_at = now + timedelta(seconds=state.declared.ack_deadline_seconds)
        return due

    def _requeue(self, state: SubscriptionState, queued: Queued, since: datetime) -> None:
        """Let what failed at an instant wait for its next attempt; after the last one it is a dead letter."""
        policy = state.declared.dead_letter_policy
        if policy.dead_letter_topic and queued.attempts >= (policy.max_delivery_attempts or 5):
            del state.queued[queued.message.message_id]
            dead = _Message(data=queued.message.data, attributes=queued.message.attributes)
            dead.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = str(queued.attempts)
            dead.attributes["CloudPubSubDeadLetterSourceSubscription"] = state.declared.name.rpartition("/")[2]
            self._accept(policy.dead_letter_topic, dead)
            return
        queued.ack_id = ""
        queued.due_at = since + self._pause(state, queued.attempts)

    @staticmethod
    def _pause(state: SubscriptionState, attempts: int) -> timedelta:
        if not state.declared.HasField("retry_policy"):
            return timedelta()
        policy = state.declared.retry_policy
        shortest: timedelta = policy.minimum_backoff.ToTimedelta()
        longest: timedelta = policy.maximum_backoff.ToTimedelta()
        return min(longest, shortest * (1 << (attempts - 1)))

    def _leased(self, state: SubscriptionState, ack_ids: Any) -> list[Queued]:
        """Return what is out under these leases; expired ones are passed over, as the service does."""
        wanted, now = set(ack_ids), self.clock.now()
        return [each for each in state.queued.values() if each.ack_id in wanted and each.due_at > now]

    def _topic(self, name: str) -> Any:
        if name not in self._topics:
            raise RpcRefused(grpc.StatusCode.NOT_FOUND, f"no topic {name}")
        return self._topics[name]

    def _subscription(self, name: str) -> SubscriptionState:
        if name not in self._subscriptions:
            raise RpcRefused(grpc.StatusCode.NOT_FOUND, f"no subscription {name}")
        return self._subscriptions[name]


def push_envelope(queued: Queued, subscription: Any) -> dict[str, Any]:
    """Return the JSON body of a push, with both spellings of the fields that the service sends twice."""
    published = queued.message.publish_time.ToJsonString()
    envelope: dict[str, Any] = {
        "message": {
            "attributes": dict(queued.message.attributes),
            "data": base64.b64encode(queued.message.data).decode(),
            "messageId": queued.message.message_id,
            "message_id": queued.message.message_id,
            "publishTime": published,
            "publish_time": published,
        },
        "subscription": subscription.name,
    }
    if subscription.dead_letter_policy.dead_letter_topic:
        envelope["deliveryAttempt"] = queued.attempts
    return envelope


def _parse_filter(text: str) -> dict[str, str]:
    """Read a filter of equalities joined by AND; others are not spoken here."""
    if not text:
        return {}
    parts = [_CONDITION.fullmatch(part) for part in text.split(" AND ")]
    if not all(parts):
        raise RpcRefused(grpc.StatusCode.INVALID_ARGUMENT, f"this emulator does not understand the filter {text}")
    return {match[1]: match[2] for match in parts if match}
