"""Beancount: the certified journal of a month as text that `bean-check` accepts and Fava opens (docs/accounts.md).

    viz.trial_balance ─opening─▶ one transaction ┐
    viz.posting ───────entries─▶ transactions    ├─▶ text
    viz.trial_balance ─closing─▶ balance assertions ┘

What `bean-check` holds against each other are two things of ours: the journal and the trial balance.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from shared.domain.errors import NotFoundError
from shared.domain.money import decimals_of
from shared.ports.warehouse import Cell, Row, Warehouse

BALANCES = """
SELECT account, business_unit, currency, account_type, opening_minor, closing_minor
FROM viz.trial_balance
WHERE month = @month
ORDER BY business_unit, currency, account
"""
"""The accounts of a certified month with what stood on them before and after."""

POSTINGS = """
SELECT entry_day, entry_id, entry_type, source, account, business_unit, currency, amount_minor
FROM viz.posting
WHERE month = @month
ORDER BY entry_day, entry_id, account
"""
"""The journal of a certified month, entry by entry."""

_ROOTS = {"asset": "Assets", "liability": "Liabilities", "income": "Income", "expense": "Expenses"}
_PLAIN_WORD = re.compile(r"[a-z][a-z0-9]*")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]")


class _Leg(NamedTuple):
    """One line of a transaction."""

    account: str
    amount_minor: int
    currency: str


def beancount(warehouse: Warehouse, month: str) -> Iterator[str]:
    """Yield the lines of a month, `YYYY-MM`: every business unit and currency of it that is certified.

    The same certified month gives the same text. Raises NotFoundError where nothing of the month is certified.
    """
    balances = list(warehouse.query(BALANCES, {"month": month}))
    if not balances:
        raise NotFoundError(
            f"nothing of {month} is certified, so there is nothing to export; `asiento certify` says why"
        )
    first = date.fromisoformat(f"{month}-01")
    names = {(row["account"], row["business_unit"]): _account_name(row) for row in balances}
    yield from _head(month, balances)
    yield from _openings(first, balances, sorted(set(names.values())))
    for _, legs in groupby(warehouse.query(POSTINGS, {"month": month}), key=itemgetter("entry_id")):
        yield from _entry(list(legs), names)
    yield from _closings(_month_after(first), balances)


def _head(month: str, balances: Sequence[Row]) -> Iterator[str]:
    yield f'option "title" "Asiento: certified journal of {month}"'
    for currency in sorted({str(row["currency"]) for row in balances}):
        yield f'option "operating_currency" "{currency}"'
    yield ""


def _openings(first: date, balances: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """Open every account, then bring in what stood on it, a transaction for each business unit and currency."""
    for name in names:
        yield f"{first} open {name}"
    yield ""
    for (unit, currency), rows in groupby(balances, key=itemgetter("business_unit", "currency")):
        legs = [_Leg(_account_name(row), _whole(row["opening_minor"]), str(currency)) for row in rows]
        if any(leg.amount_minor for leg in legs):
            about = {"source": "viz.trial_balance", "business_unit": str(unit)}
            yield from _transaction(first, "opening_balances", about, [leg for leg in legs if leg.amount_minor])


def _entry(rows: Sequence[Row], names: Mapping[tuple[Cell, Cell], str]) -> Iterator[str]:
    entry = rows[0]
    legs = [
        _Leg(names[row["account"], row["business_unit"]], _whole(row["amount_minor"]), str(row["currency"]))
        for row in rows
    ]
    about = {"source": str(entry["source"]), "business_unit": str(entry["business_unit"])}
    yield from _transaction(_day(entry["entry_day"]), str(entry["entry_type"]), about, legs)


def _closings(after: date, balances: Sequence[Row]) -> Iterator[str]:
    """Assert what stands when the month is over: Beancount holds a balance against all that came before its day.

    Without `~ 0` it would let a balance be a cent off.
    """
    for row in balances:
        currency = str(row["currency"])
        yield f"{after} balance {_account_name(row)}  {_major(_whole(row['closing_minor']), currency)} ~ 0 {currency}"


def _transaction(day: date, narration: str, about: Mapping[str, str], legs: Sequence[_Leg]) -> Iterator[str]:
    yield f"{day} * {_quoted(narration)}"
    for name, value in about.items():
        yield f"  {name}: {_quoted(value)}"
    for leg in legs:
        yield f"  {leg.account}  {_major(leg.amount_minor, leg.currency)} {leg.currency}"
    yield ""


def _account_name(row: Row) -> str:
    """Return `Assets:Clearing:Stripe:Unit-60b8…`: type, account, processor, business unit. No two accounts share a name."""
    account, _, processor = str(row["account"]).partition(":")
    words = "-".join(word.capitalize() for word in account.split("_"))
    unit = f"Unit-{_escaped(str(row['business_unit']))}"
    return ":".join((_ROOTS[str(row["account_type"])], words, *([_component(processor)] if processor else []), unit))


def _component(word: str) -> str:
    return word.capitalize() if _PLAIN_WORD.fullmatch(word) else f"X-{_escaped(word)}"


def _escaped(text: str) -> str:
    """Return text as a name may hold it: what is no letter or digit of ASCII as its code between hyphens."""
    return _NOT_IN_NAMES.sub(lambda found: f"-{ord(found[0]):x}-", text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _major(amount_minor: int, currency: str) -> str:
    """Return an amount of minor units in major units, digit by digit: `-1234.50`."""
    decimals = decimals_of(currency)
    whole, part = divmod(abs(amount_minor), 10**decimals)
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def _month_after(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _whole(cell: Cell) -> int:
    if type(cell) is not int:
        msg = f"an amount is a whole number of minor units, not {type(cell).__name__}"
        raise TypeError(msg)
    return cell


def _day(cell: Cell) -> date:
    if not isinstance(cell, date):
        msg = f"the day of an entry is a date, not {type(cell).__name__}"
        raise TypeError(msg)
    return cell
