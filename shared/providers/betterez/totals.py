"""What a cash session came to, as Betterez sums it up: decimals of major units, by the platform's types of payment."""

from collections import Counter
from collections.abc import Iterable, Iterator

from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.money import from_major
from shared.domain.totals import REFUNDS, payments_by
from shared.ports.provider import Total
from shared.providers.betterez import payloads


def totals_of(summary: payloads.SalesSummary) -> tuple[Total, ...]:
    """Return what a session came to: payments by the ledger's methods, refunds in one, each per currency.

    Raises UnreadableError where an amount has no currency or does not fall on a minor unit.
    """
    sums: Counter[tuple[str, str]] = Counter()
    for about, currency, amount_minor in (*_payments(summary), *_refunds(summary)):
        sums[about, currency] += amount_minor
    return tuple(Total(about, currency, amount_minor) for (about, currency), amount_minor in sorted(sums.items()))


def _payments(summary: payloads.SalesSummary) -> Iterator[tuple[str, str, int]]:
    for line, currency, amount_minor in _amounts(summary, summary.payments):
        method = payloads.PAYMENT_METHODS.get(line.type.lower(), "other")
        yield payments_by(method), currency, amount_minor


def _refunds(summary: payloads.SalesSummary) -> Iterator[tuple[str, str, int]]:
    for _, currency, amount_minor in _amounts(summary, summary.refunds):
        yield REFUNDS, currency, abs(amount_minor)  # whether they are written with a minus is not documented


def _amounts(
    summary: payloads.SalesSummary, lines: Iterable[payloads.SummaryLine]
) -> Iterator[tuple[payloads.SummaryLine, str, int]]:
    for line in lines:
        currency = line.currency or summary.currency
        if currency is None:
            raise UnreadableError(Quarantine.MISSING_FIELD, f"the summary of shift {summary.shift_id} has no currency")
        yield line, currency, from_major(line.amount, currency).amount_minor
