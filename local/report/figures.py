"""What the report shows, read from viz and from the certificates by which viz shows it; nothing else is asked."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.bi.certification import Grain
from shared.bi.inputs import CERTIFICATE, PUBLISHED
from shared.bi.publication import PUBLISHED_CERTIFICATES
from shared.domain.errors import SettingsError
from shared.ports.warehouse import Cell, Row, Warehouse

UNEARNED_FARES = "unearned_fares"
"""The account that is shown first; the others are of the money with each processor."""

ROUTES_MAX = 25
"""How many routes a month shows, those with the highest fares; the others are summed."""

REVENUE = """
SELECT FORMAT_DATE('%Y-%m', business_day) AS month, currency, business_unit,
  CAST(SUM(tickets) AS INT64) AS tickets, CAST(SUM(earned_minor) AS INT64) AS earned_minor
FROM viz.revenue_by_day_route AS shown
GROUP BY month, currency, business_unit
"""
CASH = """
SELECT FORMAT_DATE('%Y-%m', business_day) AS month, currency, business_unit, processor,
  CAST(SUM(captured_minor) AS INT64) AS captured_minor, CAST(SUM(refunded_minor) AS INT64) AS refunded_minor
FROM viz.cash_by_day AS shown
GROUP BY month, currency, business_unit, processor
ORDER BY processor
"""
MOVEMENTS = """
WITH moved AS (
  SELECT month, currency, business_unit, account, entry_type AS movement, amount_minor FROM viz.account_movement
  UNION ALL
  SELECT month, currency, business_unit, account, 'opening', opening_minor FROM viz.trial_balance
  UNION ALL
  SELECT month, currency, business_unit, account, 'closing', closing_minor FROM viz.trial_balance
)
SELECT month, currency, business_unit, account, movement, amount_minor
FROM moved
WHERE account = 'unearned_fares' OR STARTS_WITH(account, 'clearing:')
"""
COVERAGE = """
SELECT FORMAT_DATE('%Y-%m', business_day) AS month, currency, business_unit, route_id,
  CAST(SUM(seats_offered) AS INT64) AS seats_offered, CAST(SUM(seats_sold) AS INT64) AS seats_sold,
  CAST(SUM(seats_sold_of_offered) AS INT64) AS seats_sold_of_offered, CAST(SUM(boarded) AS INT64) AS boarded,
  CAST(SUM(no_show) AS INT64) AS no_show, CAST(SUM(fare_minor) AS INT64) AS fare_minor
FROM viz.coverage_by_route AS shown
GROUP BY month, currency, business_unit, route_id
ORDER BY fare_minor DESC, route_id
"""
LARGEST_DAYS = """
SELECT FORMAT_DATE('%Y-%m', business_day) AS month, currency, business_unit, business_day, route_id, earned_minor
FROM viz.revenue_by_day_route AS shown
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY FORMAT_DATE('%Y-%m', business_day), currency, business_unit ORDER BY earned_minor DESC, business_day, route_id
) = 1
"""
"""The day and route with the most revenue of each month: the cell that the report traces."""


@dataclass(frozen=True, slots=True)
class Cash:
    """What one processor moved in a month, in minor units."""

    processor: str
    captured_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of an account in a month: what it added, negative where it took."""

    name: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Account:
    """How one account moved: what stood as the month began, the movements, what stood as it ended."""

    name: str
    opening_minor: int
    movements: tuple[Movement, ...]
    closing_minor: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """One route in a month. Seats are None where no manifest of the route has come."""

    route_id: str
    seats_offered: int | None
    seats_sold: int
    seats_sold_of_offered: int
    boarded: int
    no_show: int
    fare_minor: int

    @property
    def load_bp(self) -> int | None:
        """Return the load factor in basis points, rounded down; None where no seats are known."""
        return 10_000 * self.seats_sold_of_offered // self.seats_offered if self.seats_offered else None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the certificate of a shown month says."""

    certificate_id: str
    build_id: str
    certified_at_ms: int
    code_version: str
    ledger_state_hash: str
    raw_count: int
    raw_digest: str
    checks: tuple[str, ...]
    rest: Mapping[str, Any]
    """Its other columns, as far as this report knows them: what it was completed by, who accepted what."""


@dataclass(slots=True)
class MonthFigures:
    """All that is shown of one month, currency and business unit."""

    grain: Grain
    certificate: Certificate
    tickets: int = 0
    earned_minor: int = 0
    largest_day: Mapping[str, str] | None = None
    """What names the revenue cell with the highest fares, as text by column."""
    cash: list[Cash] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)

    @property
    def captured_minor(self) -> int:
        """Return what customers paid."""
        return sum(each.captured_minor for each in self.cash)

    @property
    def refunded_minor(self) -> int:
        """Return what went back to them in cash."""
        return sum(each.refunded_minor for each in self.cash)


def shown_months(warehouse: Warehouse) -> list[MonthFigures]:
    """Return every month that viz shows, by business unit, currency and month.

    Raises SettingsError where no layer was ever built: an empty report would look like an empty company.
    """
    for table in (CERTIFICATE, PUBLISHED):
        warehouse.ensure_table(table.name, table.columns)
    months = {
        _grain(row): MonthFigures(_grain(row), _certificate(row)) for row in warehouse.query(PUBLISHED_CERTIFICATES, {})
    }
    if not months:
        raise SettingsError("no month is certified, so there is nothing to report; `asiento certify` says why")

    def fill(sql: str, take: Callable[[MonthFigures, Row], None]) -> None:
        # A day of travel may lie in another month than the departure that was certified: it is then not shown.
        for row in warehouse.query(sql, {}):
            if month := months.get(_grain(row)):
                take(month, row)

    fill(REVENUE, _take_revenue)
    fill(LARGEST_DAYS, _take_largest_day)
    fill(CASH, _take_cash)
    fill(COVERAGE, _take_coverage)
    for grain, accounts in _accounts(warehouse.query(MOVEMENTS, {})).items():
        if grain in months:
            months[grain].accounts = accounts
    return sorted(months.values(), key=lambda each: (each.grain.business_unit, each.grain.currency, each.grain.month))


def _take_revenue(month: MonthFigures, row: Row) -> None:
    month.tickets, month.earned_minor = whole(row["tickets"]), whole(row["earned_minor"])


def _take_largest_day(month: MonthFigures, row: Row) -> None:
    month.largest_day = {name: str(row[name]) for name in ("business_day", "route_id", "currency", "business_unit")}


def _take_cash(month: MonthFigures, row: Row) -> None:
    month.cash.append(Cash(str(row["processor"]), whole(row["captured_minor"]), whole(row["refunded_minor"])))


def _take_coverage(month: MonthFigures, row: Row) -> None:
    month.coverage.append(
        Coverage(
            str(row["route_id"]),
            None if row["seats_offered"] is None else whole(row["seats_offered"]),
            *(
                whole(row[name] or 0)
                for name in ("seats_sold", "seats_sold_of_offered", "boarded", "no_show", "fare_minor")
            ),
        )
    )


def _accounts(rows: Iterable[Row]) -> Mapping[Grain, list[Account]]:
    """Gather the movements of each account; those of nothing are left out."""
    amounts: dict[Grain, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        account = str(row["account"])
        # In the books what is owed is negative; people read what is owed as it is.
        sign = -1 if account == UNEARNED_FARES else 1
        amounts[_grain(row)][account][str(row["movement"])] = sign * whole(row["amount_minor"])
    return {
        grain: [
            Account(
                name,
                moved.pop("opening", 0),
                _movements(moved),
                moved.get("closing", 0),
            )
            for name, moved in sorted(accounts.items(), key=lambda each: (each[0] != UNEARNED_FARES, each[0]))
        ]
        for grain, accounts in amounts.items()
    }


def _movements(moved: Mapping[str, int]) -> tuple[Movement, ...]:
    """Return what was added, then what was taken, the largest first; what moved nothing is left out."""
    found = [Movement(name, amount) for name, amount in moved.items() if amount and name != "closing"]
    return tuple(sorted(found, key=lambda each: (each.amount_minor < 0, -abs(each.amount_minor), each.name)))


def _certificate(row: Row) -> Certificate:
    return Certificate(
        certificate_id=str(row["certificate_id"]),
        build_id=str(row["build_id"]),
        certified_at_ms=whole(row["certified_at_ms"]),
        code_version=str(row["code_version"]),
        ledger_state_hash=str(row["ledger_state_hash"]),
        raw_count=whole(row["raw_count"]),
        raw_digest=str(row["raw_digest"]),
        checks=tuple(json.loads(str(row["checks"]))),
        rest=row,
    )


def _grain(row: Row) -> Grain:
    return Grain(*(str(row[part]) for part in Grain._fields))


def whole(cell: Cell) -> int:
    """Return a cell that must be a whole number."""
    if type(cell) is not int:
        msg = f"a figure is a whole number, not {type(cell).__name__}"
        raise TypeError(msg)
    return cell
