"""Small deliveries to keep and announce, and what reading them says, for the suites."""

from datetime import UTC, datetime, timedelta

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value, Version, Want
from shared.domain.outcomes import Verdict
from shared.domain.settle import Derivation, settle, touch_of
from shared.domain.times import to_ms
from shared.ports.ledger_store import LedgerStore

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
"""The moment at which the suites begin."""


def delivery(
    number: int = 1,
    *,
    body: bytes = b'{"id":"evt_1"}',
    received_at: datetime = NOON,
    provider: str = "betterez",
    channel: Channel = Channel.WEBHOOK,
    target: str = "/betterez?stream=a",
    headers: dict[str, str] | None = None,
) -> Delivery:
    """Return a delivery whose id is in order of its number, as the ids of real ones are in order of time."""
    return Delivery(
        delivery_id=f"019cec00-0000-7000-8000-{number:012x}",
        provider=provider,
        channel=channel,
        received_at=received_at,
        target=target,
        headers={"x-signature": "t=1,v1=ab"} if headers is None else headers,
        body=body,
    )


def after(**span: int) -> datetime:
    """Return the moment that much after noon: `after(minutes=5)`."""
    return NOON + timedelta(**span)


def derived(
    number: int,
    event: str,
    *facts: Fact,
    digest: str = "content-a",
    wants: tuple[Want, ...] = (),
    result: UnreadableError | Exception | None = None,
) -> Derivation:
    """Return what reading delivery `number` gave: these facts from this event, or the result that is passed."""
    came = delivery(number)
    reading = Reading(f"betterez:{event}", "transaction.completed", 1, digest, facts, wants)
    return Derivation(came.delivery_id, came.object_name, 0, to_ms(came.received_at), result or reading)


def apply(
    ledger: LedgerStore, *derivations: Derivation, now: datetime = NOON, is_replay: bool = False
) -> list[Verdict]:
    """Settle derivations in one transaction, as the derive verb does; return a verdict for each."""
    effects = ledger.transact(
        touch_of(derivations),
        lambda snapshot: settle(derivations, snapshot, now_ms=to_ms(now), code_version="test", is_replay=is_replay),
    )
    return effects.verdicts


def sale(name: str, provider: str = "betterez") -> EntityKey:
    """Return the key of a sale."""
    return EntityKey(EntityKind.SALE, provider, name)


def ticket(name: str) -> EntityKey:
    """Return the key of a ticket."""
    return EntityKey(EntityKind.TICKET, "betterez", name)


def fact(key: EntityKey, at_ms: int = 1, **values: Value) -> Fact:
    """Return a fact: `fact(sale("s1"), status="paid")`."""
    return Fact(key, Version(at_ms), values)
