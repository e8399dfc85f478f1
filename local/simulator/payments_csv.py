"""Sales taken from a CSV of payments: an order is a sale, a row is one of its payments, the clock is declared.

The file has the columns `order_id, payment_sequential, payment_type, payment_installments, payment_value` and may be
gzipped. It knows no times, so they are declared: the k-th order to appear (from 0) is sold k seconds after `start`, in
BRL, by the account `olist`. The row of an order that comes first in the file becomes its `transaction.completed`, each
later one a `transaction.updated` one second after the one before; each holds the payment of its row alone, under the
row's sequential number. No `total` is stated. Rows of zero and of the type `not_defined` are kept.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import md5
from pathlib import Path
from typing import NamedTuple

from local.simulator.deliveries import Emission, betterez_emission
from local.simulator.exact_json import major
from local.simulator.ids import uuid_text
from local.simulator.moments import SECOND_MS, to_ms, utc_text

CURRENCY = "BRL"
ACCOUNT_ID = "olist"
START = datetime(2018, 1, 1, 3, tzinfo=UTC)
"""Midnight in Buenos Aires."""

_COLUMNS = ("order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value")
_METHODS = {"credit_card": "credit", "debit_card": "debit"}
"""The platform's words for the file's; every other type keeps its own."""


class PaymentRow(NamedTuple):
    """One row of the file, with its place in the declared time."""

    order_id: str
    order_number: int
    """How many orders appear in the file before this one."""
    row_of_order: int
    """How many rows of this order come before this one."""
    sequential: int
    payment_type: str
    installments: int
    value_minor: int


@dataclass(frozen=True, slots=True)
class PaymentsBooks:
    """What the file comes to."""

    orders: int
    payments: int
    total_minor: int


class PaymentsFeed:
    """A file of payments as events that can be sent: in file order, or by a plan in any other."""

    def __init__(self, rows: Iterable[PaymentRow]) -> None:
        """Hold the rows; bodies are written when they are asked for."""
        self._rows = tuple(rows)

    @classmethod
    def open(cls, path: Path) -> "PaymentsFeed":
        """Read a `.csv` or `.csv.gz` file."""
        return cls(read_payments(path))

    def __len__(self) -> int:
        """Return how many payments there are."""
        return len(self._rows)

    def emission(self, index: int) -> Emission:
        """Return the payment at a position as the platform posts it."""
        return payment_emission(self._rows[index])

    def emissions(self) -> Iterator[Emission]:
        """Yield the payments in file order."""
        return map(payment_emission, self._rows)

    def books(self) -> PaymentsBooks:
        """Return what the rows come to, added up from the file."""
        orders = {row.order_id for row in self._rows}
        return PaymentsBooks(len(orders), len(self._rows), sum(row.value_minor for row in self._rows))


def read_payments(path: Path) -> Iterator[PaymentRow]:
    """Yield the rows of a file as they are read; only the orders seen so far are remembered.

    Raises ValueError where the header is another one or a row cannot be read, naming the line.
    """
    with (
        gzip.open(path, "rt", encoding="utf-8", newline="")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8", newline="") as file
    ):
        reader = csv.reader(file, strict=True)
        header = tuple(next(reader, ()))
        if header != _COLUMNS:
            raise ValueError(f"{path.name} has the columns {header}; a file of payments has {_COLUMNS}")
        orders: dict[str, tuple[int, int]] = {}
        for cells in reader:
            try:
                order_id, sequential, payment_type, installments, value = cells
                number, rows = orders.get(order_id, (len(orders), 0))
                orders[order_id] = (number, rows + 1)
                yield PaymentRow(
                    order_id, number, rows, int(sequential), payment_type, int(installments), _centavos(value)
                )
            except (ValueError, InvalidOperation) as problem:
                raise ValueError(f"{path.name}, line {reader.line_num}: {problem}; mend the file") from None


def payment_emission(row: PaymentRow) -> Emission:
    """Return the event of one row."""
    sold_at_ms = to_ms(START + timedelta(seconds=row.order_number))
    told_at_ms = sold_at_ms + row.row_of_order * SECOND_MS
    event_id = uuid_text(
        int.from_bytes(md5(f"{row.order_id}/{row.sequential}".encode(), usedforsecurity=False).digest())
    )
    event_type = "transaction.updated" if row.row_of_order else "transaction.completed"
    return betterez_emission(
        event_id, event_type, told_at_ms // SECOND_MS, _data(row, sold_at_ms, told_at_ms), told_at_ms
    )


def _data(row: PaymentRow, sold_at_ms: int, told_at_ms: int) -> dict[str, object]:
    sold_at = {"value": utc_text(sold_at_ms), "offset": 0}
    payment = {
        "provider": "inperson",
        "type": _METHODS.get(row.payment_type, row.payment_type),
        "status": "success",
        "amount": major(row.value_minor),
        "currencyCode": CURRENCY,
        "referenceNumber": str(row.sequential),
        "installments": row.installments,
        "createdAt": sold_at,
    }
    transaction = {
        "_id": row.order_id[:24],
        "transactionId": row.order_id,
        "accountId": ACCOUNT_ID,
        "type": "sale",
        "status": "paid",
        "currency": CURRENCY,
        "channel": "websales",
        "payments": [payment],
        "createdAt": sold_at,
        "updatedAt": {"value": utc_text(told_at_ms), "offset": 0},
    }
    return {"transaction": transaction}


def _centavos(value: str) -> int:
    scaled = Decimal(value).scaleb(2)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value} has more decimals than {CURRENCY}")
    return int(scaled)
