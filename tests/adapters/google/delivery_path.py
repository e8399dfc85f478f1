"""The path of a delivery over the ports, with the retries that surround it: sender, door, bus, worker, straggler sweep.

It is the skeleton of the pipeline, small enough to be run through every fault: what it must hold is that no
acknowledged event is lost and that none is applied twice.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from shared.domain.deliveries import Delivery
from shared.domain.errors import TransientError
from shared.domain.facts import Fact, Reading
from shared.domain.settle import Derivation, settle, touch_of
from shared.domain.times import Window, to_ms
from shared.ports.event_bus import EventBus, Leased, Subscription
from shared.ports.ledger_store import LedgerStore
from shared.ports.raw_store import RawStore
from tests.conformance.samples import NOON, after, delivery, fact, sale

POSTS_MAX = 60
ROUNDS_MAX = 60
DAY = Window(NOON, after(days=1))


@dataclass(slots=True)
class DeliveryPath:
    """All that a delivery passes through."""

    raw_store: RawStore
    bus: EventBus
    subscription: Subscription
    ledger: LedgerStore
    put_forward: Callable[[int], None]
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def post(self, event: int) -> Delivery:
        """Post an event as its sender does: again, as another delivery, until it is answered with success."""
        for _ in range(POSTS_MAX):
            came = delivery(next(self._numbers), body=b"%d" % event)
            try:
                asyncio.run(self.raw_store.create(came))
                asyncio.run(self.bus.publish(came.announcement))
            except TransientError:
                continue
            return came
        raise AssertionError(f"event {event} was never accepted")

    def work_until_quiet(self) -> None:
        """Derive what is announced, then announce again what was kept and has no outcome, until there is none."""
        for _ in range(ROUNDS_MAX):
            try:
                self._drain()
                stragglers = self.ledger.without_verdict(
                    [name.rpartition("/")[2] for name in self.raw_store.names(DAY)]
                )
                if not stragglers:
                    return
                self.bus.publish_all(
                    [each.announcement for each in self.raw_store.deliveries(DAY) if each.delivery_id in stragglers]
                )
            except TransientError:
                self.put_forward(3600)
        raise AssertionError("something was never derived")

    def derive(self, object_name: str) -> None:
        """Derive one kept delivery: its body is the number of its event, which states one amount of one sale."""
        came = self.raw_store.read(object_name)
        derivations = [derivation_of(came)]
        self.ledger.transact(
            touch_of(derivations),
            lambda snapshot: settle(derivations, snapshot, now_ms=to_ms(NOON), code_version="test"),
        )

    def _drain(self) -> None:
        """Work on what is due until a whole day brings nothing more."""
        quiet_rounds = 0
        while quiet_rounds < 2:
            leased = self.subscription.lease(10, NOON)
            quiet_rounds = 0 if leased else quiet_rounds + 1
            self._handle(leased)
            if not leased:
                self.put_forward(3600)

    def _handle(self, leased: Sequence[Leased]) -> None:
        for each in leased:
            try:
                self.derive(each.announcement.object_name)
                self.subscription.acknowledge([each.lease_id])
            except TransientError:
                self._give_back(each)

    def _give_back(self, leased: Leased) -> None:
        try:
            self.subscription.release([leased.lease_id], NOON)
        except TransientError:
            return  # it comes again by itself after its deadline


def fact_of(came: Delivery) -> Fact:
    """Read a delivery of this path: event N says of sale N modulo 3 that its total is N."""
    event = int(came.body)
    return fact(sale(f"s{event % 3}"), event, total_minor=event, status="paid")


def derivation_of(came: Delivery) -> Derivation:
    """Return what settling needs of a delivery of this path."""
    event = int(came.body)
    reading = Reading(f"betterez:e{event}", "transaction.completed", 1, f"content-{event}", (fact_of(came),))
    return Derivation(came.delivery_id, came.object_name, 0, to_ms(came.received_at), reading)
