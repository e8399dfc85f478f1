"""The books against the documents: what was entered as things happened is what the providers tell, added up afresh."""

import json
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from local.simulator import Season

_ITEM_UNITS_A_CENTAVO = 1_000
Latest = dict[str, dict[str, Any]]


class _Told:
    """What a reader of the documents knows at the end: the last word on each thing, by id."""

    def __init__(self, season: Season) -> None:
        self.tickets: Latest = {}
        self.refunds: Latest = {}
        self.payments: dict[tuple[str, int], dict[str, Any]] = {}
        self.accounts: dict[str, str] = {}
        self.charges: Latest = {}
        for emission in season.emissions():
            body = json.loads(emission.body, parse_float=Decimal)
            if emission.provider == "betterez":
                self._hear(emission.event_type, body["data"])
            elif emission.event_type.startswith("charge.") and "dispute" not in emission.event_type:
                self.charges[body["data"]["object"]["id"]] = body["data"]["object"]

    def _hear(self, event_type: str, data: dict[str, Any]) -> None:
        if event_type.startswith("ticket."):
            self.tickets[data["_id"]] = data
        elif event_type == "refund.created":
            self.refunds[data["_id"]] = data
        elif "transaction" in data:
            sale = data["transaction"]
            self.accounts[sale["_id"]] = sale["accountId"]
            for position, payment in enumerate(sale["payments"]):
                self.payments[sale["_id"], position] = payment


@pytest.fixture(scope="module")
def told(season: Season) -> _Told:
    """Return what the documents of the season say in the end."""
    return _Told(season)


def test_totals_are_those_of_the_documents(season: Season, told: _Told) -> None:
    """Asiento's simulator keeps books that agree to the centavo with the documents that it emits."""
    standing = [ticket for ticket in told.tickets.values() if ticket["status"] not in ("cancelled", "changed")]
    cash = [refund for refund in told.refunds.values() if refund["type"] != "change"]
    exchange = [refund for refund in told.refunds.values() if refund["type"] == "change"]
    wallet = season.company.wallet.payments.values()
    totals = season.books.totals()

    assert totals == {
        "tickets_issued": len(told.tickets),
        "tickets_issued_minor": _items(told.tickets.values(), "total"),
        "cash_refunds": len(cash),
        "cash_refund_item_minor": _items(cash, "amount"),
        "cash_refund_penalty_minor": _items(cash, "penalty"),
        "cash_refund_amount_minor": _items(cash, "amountToRefund"),
        "exchange_refunds": len(exchange),
        "exchange_refund_item_minor": _items(exchange, "amount"),
        "exchange_refund_penalty_minor": _items(exchange, "penalty"),
        "exchange_refund_amount_minor": _items(exchange, "amountToRefund"),
        "payments_captured": len(told.payments),
        "payments_captured_minor": sum(_centavos(payment["amount"]) for payment in told.payments.values()),
        "tickets_earned": len(standing),
        "tickets_earned_minor": _items(standing, "total"),
        "processor_payments": len(told.charges) + len(wallet),
        "processor_captured_minor": sum(charge["amount"] for charge in told.charges.values())
        + sum(payment.amount_minor for payment in wallet),
        "processor_refunded_minor": sum(charge["amount_refunded"] for charge in told.charges.values())
        + sum(payment.refunded_minor for payment in wallet),
    }
    assert min(totals.values()) > 0


def test_months_are_those_of_the_documents(season: Season, told: _Told) -> None:
    """Asiento's simulator books each ticket and payment into its Argentine month and its business unit."""
    issued: Counter[tuple[str, str]] = Counter()
    earned: Counter[tuple[str, str]] = Counter()
    paid: Counter[tuple[str, str]] = Counter()
    for ticket in told.tickets.values():
        issued[_month(ticket["createdAt"]["value"]), ticket["accountId"]] += ticket["total"] // _ITEM_UNITS_A_CENTAVO
        if ticket["status"] not in ("cancelled", "changed"):
            earned[_month(ticket["departureTimestamp"]), ticket["accountId"]] += (
                ticket["total"] // _ITEM_UNITS_A_CENTAVO
            )
    for (sale_id, _), payment in told.payments.items():
        paid[_month(payment["createdAt"]["value"]), told.accounts[sale_id]] += _centavos(payment["amount"])

    months = season.books.months
    assert {(month, unit): figures.tickets_issued_minor for (month, _, unit), figures in months.items()} == {
        key: issued[key] for key in _units(season)
    }
    assert {(month, unit): figures.tickets_earned_minor for (month, _, unit), figures in months.items()} == {
        key: earned[key] for key in _units(season)
    }
    assert {(month, unit): figures.payments_captured_minor for (month, _, unit), figures in months.items()} == {
        key: paid[key] for key in _units(season)
    }


def test_days_add_up_to_totals(season: Season) -> None:
    """Asiento's simulator keeps books by day and route that add up to the totals."""
    books, totals = season.books, season.books.totals()

    assert sum(entry.amount_minor for entry in books.issued.values()) == totals["tickets_issued_minor"]
    assert sum(entry.amount_minor for entry in books.earned.values()) == totals["tickets_earned_minor"]
    assert sum(entry.count for entry in books.earned.values()) == totals["tickets_earned"]
    assert sum(entry.amount_minor for entry in books.payments.values()) == totals["payments_captured_minor"]


def _units(season: Season) -> list[tuple[str, str]]:
    return [(month, unit) for month, _, unit in season.books.months]


def _items(things: Any, field: str) -> int:
    units = [thing[field] for thing in things]
    assert all(unit % _ITEM_UNITS_A_CENTAVO == 0 for unit in units), "an item falls between two centavos"
    return int(sum(units)) // _ITEM_UNITS_A_CENTAVO


def _centavos(amount: Decimal | int) -> int:
    centavos = Decimal(amount) * 100
    assert centavos == centavos.to_integral_value()
    return int(centavos)


def _month(text: str) -> str:
    return (datetime.fromisoformat(text) - timedelta(hours=3)).strftime("%Y-%m")
