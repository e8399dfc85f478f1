"""A small company with a provider of its own: real stores, real derive, and an API over books that the tests can change.

The provider `tiny` speaks plainly: a body is `{"id", "facts": [{"key", "version", "values"}], "wants": [key]}`. Its API
answers from `Books`, which hold one version of each entity, as a provider's own database does.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path

from shared.adapters.embedded.casebook import SqliteCasebook
from shared.adapters.embedded.event_bus import SqliteEventBus
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.domain.deliveries import OPERATOR, Channel, Delivery
from shared.domain.entities import OCCURRED_AT
from shared.domain.errors import AsientoError, NotFoundError, Quarantine, TransientError, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value, Version, Want
from shared.domain.reconciliation import AMOUNT_FIELDS
from shared.domain.times import Window, to_ms
from shared.pipeline.derive import Deriving, derive
from shared.pipeline.reconcile import Counterparty, Reconciling
from shared.ports.provider import Capabilities, Fetched, Listed, Provider, lists_all
from shared.providers.toolkit import registry

NOON = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
"""Noon in Buenos Aires."""
WEEK = Window(NOON - timedelta(days=7), NOON + timedelta(days=7))


def capabilities(
    listings: tuple[EntityKind, ...] = (EntityKind.SALE,),
    fetchable: tuple[EntityKind, ...] = (EntityKind.SALE,),
    covers: Callable[[EntityKind, Mapping[str, Value]], bool] = lists_all,
) -> Capabilities:
    """Return what `tiny` declares."""
    return Capabilities(
        name="tiny",
        title="Tiny",
        signature_scheme="none",
        signed_content="nothing",
        signature_headers=(),
        tolerance_s=0,
        event_identity="id",
        version_source="version",
        has_thin_events=True,
        event_types=("statement",),
        listings=listings,
        fetchable=fetchable,
        listing_covers=covers,
    )


def sale(number: int) -> EntityKey:
    """Return the key of the sale of that number; in order of the numbers."""
    return EntityKey(EntityKind.SALE, "tiny", f"s{number:04d}")


def ticket(number: int) -> EntityKey:
    """Return the key of the ticket of that number."""
    return EntityKey(EntityKind.TICKET, "tiny", f"t{number:04d}")


def refund(number: int) -> EntityKey:
    """Return the key of the refund of that number."""
    return EntityKey(EntityKind.REFUND, "tiny", f"r{number:04d}")


def sold(amount_minor: int = 10_000, at: datetime = NOON, **values: Value) -> dict[str, Value]:
    """Return the values of a paid sale."""
    stated: dict[str, Value] = {
        "total_minor": amount_minor,
        "currency": "ARS",
        "status": "paid",
        "sold_at_ms": to_ms(at),
    }
    return {**stated, **values}


@dataclass(slots=True)
class Record:
    """What the provider's own database holds of one entity."""

    version_at_ms: int
    values: dict[str, Value]


@dataclass(slots=True)
class Books:
    """The provider's own database behind its API, with what can go wrong: `outage` is raised while it is set.

    `hidden` entities are left out of listings; `calls_before_outage` counts down to it; a listing is cut in the middle after
    `cut_after` entities.
    """

    records: dict[EntityKey, Record] = field(default_factory=dict)
    hidden: set[EntityKey] = field(default_factory=set)
    listed_twice: bool = False
    cut_after: int | None = None
    outage: AsientoError | None = None
    calls_before_outage: int | None = None
    asked: list[str] = field(default_factory=list)

    def keep(self, key: EntityKey, values: dict[str, Value], at: datetime = NOON) -> None:
        """Write one entity as of a moment, which is its version."""
        self.records[key] = Record(to_ms(at), values)

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """List in no particular order, as APIs do."""
        self._answer(f"list {kind.value} {window.start:%Y-%m-%d}")
        for place, (key, record) in enumerate(reversed(self.records.items())):
            if place == self.cut_after:
                raise TransientError("the connection broke in the middle of a page")
            at_ms = record.values.get(OCCURRED_AT[kind]) if key.kind is kind else None
            if at_ms is not None and to_ms(window.start) <= int(at_ms) < to_ms(window.end) and key not in self.hidden:
                yield from [_listed(key, record)] * (2 if self.listed_twice else 1)

    def fetch(self, key: EntityKey) -> Fetched:
        """Answer with the entity and all that link to it."""
        self._answer(f"fetch {key}")
        if key not in self.records:
            raise NotFoundError(f"{key} is not known")
        told = [other for other, record in self.records.items() if other == key or str(key) in record.values.values()]
        statement = [(other, self.records[other].version_at_ms, self.records[other].values) for other in told]
        return Fetched(f"GET /{key.kind.value}/{key.entity_id}", body("", *statement))

    def close(self) -> None:
        """There is nothing to give back."""

    def _answer(self, call: str) -> None:
        self.asked.append(call)
        if self.calls_before_outage == 0 and self.outage is not None:
            raise self.outage
        if self.calls_before_outage:
            self.calls_before_outage -= 1


def body(
    event_id: str, *statement: tuple[EntityKey, int, dict[str, Value]], wants: tuple[EntityKey, ...] = ()
) -> bytes:
    """Return the bytes that state these entities."""
    facts = [{"key": str(key), "version": version, "values": values} for key, version, values in statement]
    return json.dumps({"id": event_id, "facts": facts, "wants": [str(key) for key in wants]}).encode()


def read(delivery: Delivery) -> Reading:
    """Say what a body says; what is fetched has its content for an identity."""
    try:
        stated = json.loads(delivery.body)
    except ValueError:
        raise UnreadableError(Quarantine.MALFORMED_JSON, "the body is no JSON") from None
    digest = sha256(delivery.body).hexdigest()
    facts = tuple(
        Fact(EntityKey.parse(each["key"]), Version(each["version"]), each["values"]) for each in stated["facts"]
    )
    wants = tuple(Want(EntityKey.parse(key), "thin") for key in stated["wants"])
    return Reading(f"tiny:{stated['id'] or digest}", "statement", 0, digest, facts, wants)


@dataclass(slots=True)
class HandClock:
    """A clock that the test sets; it ticks a millisecond each time that it is read."""

    instant: datetime = NOON

    def now(self) -> datetime:
        """Return this instant."""
        self.instant += timedelta(milliseconds=1)
        return self.instant

    def put_forward(self, **span: int) -> datetime:
        """Let time pass, and return the time."""
        self.instant += timedelta(**span)
        return self.instant


class Company:
    """Asiento for one provider, on real embedded stores in one folder."""

    def __init__(self, home: Path, declared: Capabilities | None = None) -> None:
        """Open everything, empty."""
        self.books = Books()
        self.clock = HandClock()
        self.raw = SqliteRawStore(home / "raw.db")
        self.bus = SqliteEventBus(home / "bus.db")
        self.ledger = SqliteLedgerStore(home / "ledger.db")
        self.casebook = SqliteCasebook(home / "cases.db")
        self._numbers = count(1)
        declared = declared or capabilities()
        self.provider = Provider(declared, lambda *_: None, read, None)
        self.counterparties = {"tiny": Counterparty(declared, self.books)}
        self.world = Reconciling(
            counterparties=self.counterparties,
            raw=self.raw,
            bus=self.bus,
            ledger=self.ledger,
            casebook=self.casebook,
            clock=self.clock,
            new_delivery_id=self.new_id,
            new_run_id=self.new_id,
            providers=("tiny",),
        )

    def new_id(self, now: datetime) -> str:
        """Return ids in the order of time, then of asking."""
        return f"{to_ms(now):013d}-{next(self._numbers):06d}"

    def hear(self, content: bytes, *, announce: bool = True) -> str:
        """Keep a webhook and, unless it gets lost on the way, announce it; return its delivery id."""
        now = self.clock.now()
        delivery = Delivery(self.new_id(now), "tiny", Channel.WEBHOOK, now, "/tiny", {}, content)
        self.raw.create_all([delivery])
        if announce:
            self.bus.publish_all([delivery.announcement])
        return delivery.delivery_id

    def tell(self, number: int, values: dict[str, Value], at: datetime = NOON) -> None:
        """Let the ledger hear of a sale, whatever the provider's books say."""
        self.hear(body(f"e-{number}-{to_ms(at)}-{len(json.dumps(values))}", (sale(number), to_ms(at), values)))
        self.derive()

    def deriving(self, code_version: str = "test") -> Deriving:
        """Return what deriving needs of the world."""
        readers = {"tiny": self.provider, OPERATOR: registry.load(OPERATOR)}
        return Deriving(readers, self.raw, self.ledger, code_version)

    def derive(self, code_version: str = "test") -> int:
        """Derive all that is announced; return how many deliveries that were."""
        now, handled = self.clock.now(), 0
        deriving = self.deriving(code_version)
        while leased := self.bus.lease(100, now):
            derive([each.announcement.object_name for each in leased], deriving, now)
            self.bus.acknowledge([each.lease_id for each in leased])
            handled += len(leased)
        return handled

    def close(self) -> None:
        """Close the files."""
        for store in (self.raw, self.bus, self.ledger, self.casebook):
            store.close()


def _listed(key: EntityKey, record: Record) -> Listed:
    amount = next((record.values[name] for name in AMOUNT_FIELDS.get(key.kind, ()) if name in record.values), None)
    occurred_at = record.values.get(OCCURRED_AT.get(key.kind, ""))
    return Listed(
        key=key,
        version_at_ms=record.version_at_ms,
        amount_minor=None if amount is None else int(amount),
        currency=str(record.values["currency"]) if "currency" in record.values else None,
        status=str(record.values.get("status", "")),
        fetch=EntityKey.parse(str(record.values["sale"])) if "sale" in record.values else key,
        occurred_at_ms=None if occurred_at is None else int(occurred_at),
    )
