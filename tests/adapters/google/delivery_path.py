"""The path of a delivery through the real verbs, with the retries that surround it: sender, door, bus, worker, sweep.

What must hold, whatever fails: no acknowledged event is lost and none is applied twice.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.domain.deliveries import Delivery
from shared.domain.errors import TransientError
from shared.domain.times import Window
from shared.pipeline.derive import Deriving, derive
from shared.pipeline.receive import Call, Receiving, receive
from shared.ports.event_bus import EventBus, Leased, Subscription
from tests.conformance.samples import NOON, after
from tests.functions.signed import event, payment, signature

POSTS_MAX = 60
ROUNDS_MAX = 60
QUIET_ROUNDS = 2
DAY = Window(NOON, after(days=1))


@dataclass(frozen=True, slots=True)
class DeliveryPath:
    """All that a delivery passes through, and a hand on the bus's clock."""

    receiving: Receiving
    bus: EventBus
    deriving: Deriving
    subscription: Subscription
    put_forward: Callable[[int], None]

    def post(self, number: int) -> Delivery:
        """Post an event as its sender does: again, as another delivery, until it is answered with success."""
        body = body_of(number)
        call = Call("betterez", "/betterez", signature(body, NOON), body)
        for _ in range(POSTS_MAX):
            try:
                return asyncio.run(receive(call, self.receiving, NOON))
            except TransientError:
                continue
        raise AssertionError(f"event {number} was never accepted")

    def work_until_quiet(self) -> None:
        """Derive what is announced, then announce again what was kept and has no outcome, until there is none."""
        for _ in range(ROUNDS_MAX):
            try:
                self._drain()
                if not self._announce_stragglers():
                    return
            except TransientError:
                self.put_forward(3600)
        raise AssertionError("something was never derived")

    def _announce_stragglers(self) -> int:
        kept = list(self.deriving.raw.deliveries(DAY))
        stragglers = self.deriving.ledger.without_verdict([each.delivery_id for each in kept])
        self.bus.publish_all([each.announcement for each in kept if each.delivery_id in stragglers])
        return len(stragglers)

    def _drain(self) -> None:
        """Work on what is due until time passes and brings nothing more: what was given back comes after its pause."""
        quiet_rounds = 0
        while quiet_rounds < QUIET_ROUNDS:
            leased = self.subscription.lease(10, NOON)
            self._handle(leased)
            quiet_rounds = 0 if leased else quiet_rounds + 1
            if not leased:
                self.put_forward(3600)

    def _handle(self, leased: Sequence[Leased]) -> None:
        for each in leased:
            try:
                derive([each.announcement.object_name], self.deriving, NOON)
                self.subscription.acknowledge([each.lease_id])
            except TransientError:
                self._give_back(each)

    def _give_back(self, leased: Leased) -> None:
        try:
            self.subscription.release([leased.lease_id], NOON)
        except TransientError:
            return  # it comes again by itself after its deadline


def body_of(number: int) -> bytes:
    """Return an event: the number-th state of one of three sales, with a payment of its own."""
    moment = {"value": f"{NOON - timedelta(minutes=60 - number):%Y-%m-%dT%H:%M:%S}.000Z", "offset": 0}
    told = event(f"event-{number}", payment(amount=number, referenceNumber=f"R{number}"))
    transaction = told["data"]["transaction"]
    transaction |= {"_id": f"65f0c2aa0123456789abcde{number % 3}", "total": number * 100_000, "updatedAt": moment}
    return json.dumps(told).encode()


def number_of(delivery: Delivery) -> int:
    """Return which event a delivery carries."""
    (paid,) = json.loads(delivery.body)["data"]["transaction"]["payments"]
    return int(paid["referenceNumber"].removeprefix("R"))
