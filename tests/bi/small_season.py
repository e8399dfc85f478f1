"""A season of two business units, small enough to be worked out by hand.

| sale | unit | issued | tickets | paid | then |
|---|---|---|---|---|---|
| 1 | A | 5 Jan | T1 12,345.67 dep. 10 Jan; T2 8,000.00 dep. 2 Feb | 10,000.00 cash, 10,345.67 Stripe | T1 travels |
| 2 | A | 6 Jan | T3 5,000.00 dep. 20 Jan | 5,000.00 cash | given back on 8 Jan: 500.00 kept, 4,500.00 back |
| 3 | B | 31 Jan 23:30 | T4 3,000.50 dep. 1 Feb 00:30 | 3,000.50 Mercado Pago | travels |
| 4 | A | 3 Feb | T5 7,000.00 dep. 10 Feb | 7,000.00 cash | changed on 4 Feb to T6 7,000.00 dep. 20 Feb, a no-show |

Days are those of Buenos Aires. Every webhook is signed as its provider signs and read by the real providers.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from local.simulator.deliveries import Emission
from local.simulator.signing import sign
from shared.adapters.embedded.casebook import SqliteCasebook
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.adapters.embedded.secrets import EnvironmentSecrets
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.domain.deliveries import Channel, Delivery
from shared.domain.times import to_ms
from shared.pipeline.derive import Deriving, derive_deliveries
from shared.pipeline.rebuild_bi import Rebuilding, RebuildResult, rebuild
from shared.pipeline.trace import Tracing
from shared.providers.toolkit import registry
from tests.bi.complete_days import certify_days

A, B = "60b8d295f1c0a70012a1170a", "60b8d295f1c0a70012a1170b"
SECRETS = {"betterez": "btrz-key", "stripe": "whsec_key", "mercadopago": "mp-key"}
AS_OF = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""Noon of 2 March in Buenos Aires: January and February are closed."""

Json = dict[str, Any]


def at(text: str) -> datetime:
    """Return the instant of a Buenos Aires wall time, `2026-01-05 10:00`."""
    return datetime.fromisoformat(f"{text}-03:00").astimezone(UTC)


def hex_id(name: str) -> str:
    """Return the platform's id of something that the table above names."""
    return sha256(name.encode()).hexdigest()[:24]


def moment(text: str) -> Json:
    """Return an instant in the platform's form."""
    return {"value": f"{at(text):%Y-%m-%dT%H:%M:%S.000Z}", "offset": 0}


def scaled(minor: int) -> int:
    """Return centavos in the platform's 1/100,000 pesos."""
    return minor * 1_000


# ruff: noqa: PLR0917  a line of the table above is a line here: its columns in order


def ticket(name: str, sale: str, unit: str, fare_minor: int, issued: str, departs: str, **changes: Any) -> Json:
    """Return a ticket document."""
    return {
        "_id": hex_id(name),
        "ticketNumber": name,
        "trxId": hex_id(sale),
        "accountId": unit,
        "status": "paid",
        "total": scaled(fare_minor),
        "currency": "ARS",
        "channel": "backoffice",
        "routeId": "route-1",
        "scheduleId": "service-1",
        "departureTimestamp": moment(departs)["value"],
        "createdAt": moment(issued),
        "updatedAt": moment(issued),
        "firstName": "Passenger",
        **changes,
    }


def payment(amount: str, paid: str, provider: str = "inperson", reference: object = "") -> Json:
    """Return a payment of a transaction; the amount is in pesos, written as it stands."""
    return {
        "provider": provider,
        "type": "cash" if provider == "inperson" else "credit",
        "status": "success",
        "amount": Decimal(amount),
        "currencyCode": "ARS",
        "referenceNumber": reference,
        "createdAt": moment(paid),
    }


def transaction(
    name: str,
    unit: str,
    kind: str,
    made: str,
    total_minor: int,
    payments: list[Json],
    *,
    original: str = "",
    **items: Any,
) -> Json:
    """Return the data of a transaction's event."""
    return {
        "transaction": {
            "_id": hex_id(name),
            "transactionId": name,
            "accountId": unit,
            "type": kind,
            "status": "paid",
            "total": scaled(total_minor),
            "currency": "ARS",
            "associatedTrxId": hex_id(original) if original else "",
            "payments": payments,
            "createdAt": moment(made),
            "updatedAt": moment(made),
        },
        "tickets": items.get("tickets", []),
        "refunds": items.get("refunds", []),
    }


def refund(
    name: str,
    of: str,
    holder: str,
    original: str,
    unit: str,
    given: str,
    kind: str,
    item_minor: int,
    penalty_minor: int,
) -> Json:
    """Return a refund document; cash goes back in cash."""
    back = item_minor - penalty_minor
    return {
        "_id": hex_id(name),
        "ticketId": hex_id(of),
        "trxId": hex_id(holder),
        "associatedTrxId": hex_id(original),
        "accountId": unit,
        "type": kind,
        "status": "success",
        "amount": scaled(item_minor),
        "penalty": scaled(penalty_minor),
        "amountToRefund": scaled(back),
        "currency": "ARS",
        "payment": []
        if kind == "change"
        else [{"type": "cash", "provider": "inperson", "amount": Decimal(back) / 100}],
        "createdAt": moment(given),
        "updatedAt": moment(given),
    }


def encode(document: Json) -> bytes:
    """Return JSON whose decimals stand as written."""
    marked = json.dumps(document, default=lambda number: f"\0{number}\0", ensure_ascii=True)
    return marked.replace('"\\u0000', "").replace('\\u0000"', "").encode()


@dataclass(slots=True)
class SmallSeason:
    """The season, its stores, and what a test may do to it before it derives and rebuilds."""

    deliveries: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let everything of the table happen."""
        self._sales_of_january()
        self._sales_of_the_turn()
        self._sales_of_february()

    def platform(self, name: str, event: str, told: str, data: object, **envelope: Any) -> Delivery:
        """Have the platform tell of something; `name` makes the event's id."""
        body = {"id": f"event-{name}", "attemptId": "1", "livemode": True, "created": to_ms(at(told)) // 1000}
        return self.post("betterez", event, encode({**body, "event": event, "data": data, **envelope}), told)

    def post(self, provider: str, event: str, body: bytes, told: str, query: str = "") -> Delivery:
        """Keep a webhook, signed as its provider signs."""
        received_at = at(told) + timedelta(seconds=5)
        request = sign(Emission(provider, event, "", query, body, at(told)), SECRETS, received_at)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self.keep(
            Delivery(self._next_id(), provider, Channel.WEBHOOK, received_at, request.target, headers, request.body)
        )

    def fetch(self, provider: str, target: str, document: Json, when: str) -> Delivery:
        """Keep an answer of a provider's API."""
        return self.keep(Delivery(self._next_id(), provider, Channel.FETCH, at(when), target, {}, encode(document)))

    def keep(self, delivery: Delivery) -> Delivery:
        """Add a delivery."""
        self.deliveries.append(delivery)
        return delivery

    def _next_id(self) -> str:
        return f"delivery-{len(self.deliveries):04d}"

    def _sales_of_january(self) -> None:
        t1 = ticket("T1", "S1", A, 1_234_567, "2026-01-05 10:00", "2026-01-10 08:00")
        t2 = ticket("T2", "S1", A, 800_000, "2026-01-05 10:00", "2026-02-02 08:00")
        paid = [payment("10000", "2026-01-05 10:00"), payment("10345.67", "2026-01-05 10:00", "stripe", "ch_1")]
        data = transaction("S1", A, "sale", "2026-01-05 10:00", 2_034_567, paid, tickets=[t1, t2])
        self.platform("s1", "transaction.completed", "2026-01-05 10:00", data)
        self.platform("t1", "ticket.created", "2026-01-05 10:00", t1)
        boarded = {**t1, "status": "redeemed", "updatedAt": moment("2026-01-10 08:05")}
        self.platform("t1-boarded", "ticket.scan.created", "2026-01-10 08:05", boarded)
        self.charge("ch_1", 1_034_567, "2026-01-05 10:00")

        t3 = ticket("T3", "S2", A, 500_000, "2026-01-06 09:00", "2026-01-20 08:00")
        sold = transaction(
            "S2", A, "sale", "2026-01-06 09:00", 500_000, [payment("5000.00", "2026-01-06 09:00")], tickets=[t3]
        )
        self.platform("s2", "transaction.completed", "2026-01-06 09:00", sold)
        back = refund("R3", "T3", "C2", "S2", A, "2026-01-08 12:00", "cancellation", 500_000, 50_000)
        gone = {**t3, "status": "cancelled", "refundId": hex_id("R3"), "updatedAt": moment("2026-01-08 12:00")}
        self.platform("t3-gone", "ticket.updated", "2026-01-08 12:00", gone)
        self.platform("r3", "refund.created", "2026-01-08 12:00", back)
        cancelled = transaction(
            "C2", A, "cancellation", "2026-01-08 12:00", -450_000, [], original="S2", refunds=[back]
        )
        self.platform("c2", "transaction.completed", "2026-01-08 12:00", cancelled)

    def _sales_of_the_turn(self) -> None:
        t4 = ticket("T4", "S3", B, 300_050, "2026-01-31 23:30", "2026-02-01 00:30")
        paid = [payment("3000.5", "2026-01-31 23:30", "mercadopago", 88)]
        data = transaction("S3", B, "sale", "2026-01-31 23:30", 300_050, paid, tickets=[t4])
        self.platform("s3", "transaction.completed", "2026-01-31 23:30", data)
        note = {"id": 1, "live_mode": True, "type": "payment", "data": {"id": "88"}}
        self.post("mercadopago", "payment", encode(note), "2026-01-31 23:30", "data.id=88&type=payment")
        wallet = {
            "id": 88,
            "status": "approved",
            "transaction_amount": Decimal("3000.50"),
            "currency_id": "ARS",
            "live_mode": True,
            "external_reference": hex_id("S3"),
            "date_created": "2026-01-31T22:30:00.000-04:00",
            "date_approved": "2026-01-31T22:30:00.000-04:00",
            "date_last_updated": "2026-01-31T22:30:00.000-04:00",
        }
        self.fetch("mercadopago", "GET /v1/payments/88", wallet, "2026-01-31 23:31")

    def _sales_of_february(self) -> None:
        t5 = ticket("T5", "S4", A, 700_000, "2026-02-03 10:00", "2026-02-10 08:00")
        sold = transaction(
            "S4", A, "sale", "2026-02-03 10:00", 700_000, [payment("7000", "2026-02-03 10:00")], tickets=[t5]
        )
        self.platform("s4", "transaction.completed", "2026-02-03 10:00", sold)
        given = refund("R5", "T5", "X4", "S4", A, "2026-02-04 11:00", "change", 700_000, 0)
        t6 = ticket("T6", "X4", A, 700_000, "2026-02-04 11:00", "2026-02-20 08:00", changedFromTicketId=hex_id("T5"))
        changed = transaction(
            "X4", A, "change", "2026-02-04 11:00", 0, [], original="S4", tickets=[t6], refunds=[given]
        )
        self.platform("x4", "transaction.completed", "2026-02-04 11:00", changed)
        gone = {**t5, "status": "changed", "refundId": hex_id("R5"), "updatedAt": moment("2026-02-04 11:00")}
        self.platform("t5-gone", "ticket.updated", "2026-02-04 11:00", gone)
        missed = {**t6, "status": "noshow", "updatedAt": moment("2026-02-20 09:00")}
        self.platform("t6-missed", "ticket.updated", "2026-02-20 09:00", missed)

    def tell_of_seats_and_settlements(self) -> None:
        """Have the platform tell of three trips, one of them without a passenger, and Stripe settle and pay out its charge.

        It is no part of the table above: the tests that ask about seats and settlements call it.
        """
        for name, travel_day, seats in (("M1", "2026-01-10", 40), ("M2", "2026-01-15", 44), ("M6", "2026-02-20", 3)):
            self.manifest(name, A, travel_day, seats, "2026-01-05 08:00")
        movement = {
            "id": "txn_1",
            "object": "balance_transaction",
            "type": "charge",
            "amount": 1_034_567,
            "fee": 34_567,
            "net": 1_000_000,
            "currency": "ars",
            "source": "ch_1",
            "status": "available",
            "created": to_ms(at("2026-01-07 10:00")) // 1000,
        }
        self.fetch("stripe", "GET /v1/balance_transactions/txn_1", movement, "2026-01-07 11:00")
        payout = {
            "id": "po_1",
            "object": "payout",
            "amount": 1_000_000,
            "currency": "ars",
            "status": "paid",
            "livemode": True,
            "metadata": {"account_id": A},
            "arrival_date": to_ms(at("2026-01-09 00:00")) // 1000,
            "created": to_ms(at("2026-01-08 10:00")) // 1000,
        }
        self.fetch("stripe", "GET /v1/payouts/po_1", payout, "2026-01-09 11:00")

    def manifest(
        self, name: str, unit: str, travel_day: str, seats: int, told: str, status: str = "published"
    ) -> Delivery:
        """Fetch the manifest of the one service's trip of a day."""
        document = {
            "_id": hex_id(name),
            "accountId": unit,
            "routeId": "route-1",
            "scheduleId": "service-1",
            "manifestDate": travel_day,
            "status": status,
            "capacity": seats,
            "updatedAt": moment(told),
        }
        return self.fetch("betterez", f"GET /operations/manifests/{hex_id(name)}", document, told)

    def charge(self, charge_id: str, amount_minor: int, made: str) -> Delivery:
        """Have Stripe tell of a charge."""
        thing = {
            "id": charge_id,
            "object": "charge",
            "amount": amount_minor,
            "amount_captured": amount_minor,
            "amount_refunded": 0,
            "captured": True,
            "refunded": False,
            "currency": "ars",
            "created": to_ms(at(made)) // 1000,
            "status": "succeeded",
            "livemode": True,
            "metadata": {},
        }
        event = {"id": f"evt_{charge_id}", "type": "charge.succeeded", "created": to_ms(at(made)) // 1000}
        body = encode({**event, "object": "event", "livemode": True, "data": {"object": thing}})
        return self.post("stripe", "charge.succeeded", body, made)


class SmallWorld:
    """Real stores in a folder, what was derived into them, and the builds made of it."""

    def __init__(self, folder: Path, uncertified: Collection[date] = ()) -> None:
        """Open empty stores; every day is certified complete, but for some."""
        self.raw = SqliteRawStore(folder / "raw.db")
        self.ledger = SqliteLedgerStore(folder / "ledger.db")
        self.casebook = SqliteCasebook(folder / "cases.db")
        self.warehouse = DuckDbWarehouse(folder / "warehouse.duckdb")
        self.providers = {name: registry.load(name) for name in SECRETS}
        self.secrets = EnvironmentSecrets(
            {f"ASIENTO_SECRET_{name.upper()}_WEBHOOK": secret for name, secret in SECRETS.items()}
        )

        certify_days(self.casebook, date(2025, 11, 1), date(2026, 2, 28), AS_OF - timedelta(hours=2), uncertified)

    @property
    def rebuilding(self) -> Rebuilding:
        """Return what rebuilding needs."""
        return Rebuilding(self.raw, self.ledger, self.casebook, self.warehouse, "code-of-the-test")

    @property
    def tracing(self) -> Tracing:
        """Return what tracing needs."""
        return Tracing(self.warehouse, self.ledger, self.raw, self.providers, self.secrets)

    def keep_and_derive(self, deliveries: list[Delivery], now: datetime = AS_OF) -> None:
        """Keep deliveries and derive them, in one batch."""
        self.raw.create_all(deliveries)
        self.derive(deliveries, now)

    def derive(self, deliveries: list[Delivery], now: datetime = AS_OF) -> None:
        """Derive deliveries that are kept elsewhere, or not at all."""
        derive_deliveries(deliveries, Deriving(self.providers, self.raw, self.ledger, "code-of-the-test"), now)

    def misread(self, provider: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Put a defect into the ledger path: every fact's values go through `change`."""
        sound = self.providers[provider]

        def read(delivery: Delivery) -> Any:
            reading = sound.read(delivery)
            facts = tuple(fact._replace(values=change(fact.values)) for fact in reading.facts)
            return reading._replace(facts=facts)

        self.providers[provider] = replace(sound, read=read)

    def rebuild(self, build_id: str, **changes: Any) -> RebuildResult:
        """Rebuild as of 2 March."""
        return rebuild(replace(self.rebuilding, **changes), build_id=build_id, as_of=AS_OF)

    def shown(self) -> list[str]:
        """Return every row that viz shows, as text."""
        rows: list[str] = []
        for view in ("viz.revenue_by_day_route", "viz.cash_by_day"):
            rows += sorted(f"{view} {row}" for row in self.warehouse.query(f"SELECT * FROM {view}", {}))  # noqa: S608  known
        return rows

    def close(self) -> None:
        """Close the stores."""
        for store in (self.raw, self.ledger, self.casebook, self.warehouse):
            store.close()
