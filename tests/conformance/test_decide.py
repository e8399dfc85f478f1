"""A person's decision, whole, in every world: signed, kept, announced, derived, and noted on its exception."""

from dataclasses import replace

from shared.adapters.embedded.secrets import EnvironmentSecrets
from shared.domain.decisions import Choice, decision_key, decision_of
from shared.domain.deliveries import OPERATOR
from shared.domain.findings import Sighting, conflicting
from shared.domain.fold import Entity
from shared.pipeline.decide import Deciding, Wish, decide
from shared.pipeline.derive import Deriving, derive
from shared.pipeline.reconciliation.decided import note_decisions
from shared.pipeline.state_hash import state_hash
from shared.ports.casebook import Casebook
from shared.ports.ledger_store import LedgerStore
from shared.ports.raw_store import RawStore
from shared.providers.operator.signature import sign
from shared.providers.toolkit import registry
from tests.conformance.conftest import BusWorld
from tests.conformance.samples import NOON, after, apply, delivery, derived, fact, ticket
from tests.simulation.memory.ledger_store import MemoryLedgerStore


def disputed(ledger: LedgerStore) -> Entity:
    """Return a ticket about whose fare two events disagree."""
    for number, fare_minor in ((1, 100), (2, 250)):
        apply(ledger, derived(number, f"e{number}", fact(ticket("t1"), number, fare_minor=fare_minor, currency="ARS")))
    (entity,) = ledger.disputed()
    return entity


def test_a_decision_goes_the_same_way_in_every_world(
    raw_store: RawStore, bus_world: BusWorld, ledger: LedgerStore, casebook: Casebook
) -> None:
    """Asiento closes what a person decided, in every world, and comes to the state hash of a replay in memory (I11)."""
    exception = conflicting(disputed(ledger), Sighting("r1", NOON))
    casebook.see_exceptions([exception])
    world = Deciding(
        operator=registry.load(OPERATOR),
        sign=sign,
        secrets=EnvironmentSecrets({"ASIENTO_SECRET_OPERATOR_WEBHOOK": "kept in a vault"}),
        casebook=casebook,
        ledger=ledger,
        raw=raw_store,
        bus=bus_world.bus,
        new_delivery_id=lambda _: delivery(9).delivery_id,
    )
    wish = Wish(
        exception.exception_id[:12], Choice.CORRECT, "seen on paper", "mlopez", "", "seat", "12A", str(ticket("t1"))
    )
    decide(wish, world, NOON)
    decide(
        Wish(exception.exception_id, Choice.WRITE_OFF, "below the cost of asking", "mlopez"),
        _with_id(world, 10),
        after(minutes=1),
    )
    readers = {OPERATOR: registry.load(OPERATOR)}
    leased = bus_world.subscription.lease(10, bus_world.now)
    names = [each.announcement.object_name for each in leased]
    derive(names, Deriving(readers, raw_store, ledger, "test"), after(minutes=2))
    bus_world.subscription.acknowledge([each.lease_id for each in leased])

    assert note_decisions(ledger, casebook, after(minutes=3)) == {"decisions": 1, "settled": 1}
    (closed,) = casebook.exceptions(is_open=False)
    entity = ledger.entity(decision_key(exception.exception_id))
    assert entity is not None
    assert closed.decision == decision_of(entity)
    assert (closed.decision.choice, closed.is_settled) == (Choice.WRITE_OFF, True)
    assert casebook.see_exceptions([conflicting(disputed(ledger), Sighting("r2", after(hours=1)))]) == 0

    in_memory = MemoryLedgerStore()
    derive(sorted(names), Deriving(readers, raw_store, in_memory, "test"), after(minutes=2))
    disputed(in_memory)
    assert state_hash(ledger.entities()) == state_hash(in_memory.entities())


def _with_id(world: Deciding, number: int) -> Deciding:
    return replace(world, new_delivery_id=lambda _: delivery(number).delivery_id)
