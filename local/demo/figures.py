"""What the company's own books say, beside what Asiento certified: figure by figure, to the cent."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shared.bi.certification import Judgement

COUNTED_AND_SUMMED: Mapping[str, tuple[str, str]] = {
    # Certified figure: the two lines of the books that hold its count and its sum.
    "tickets_issued": ("tickets_issued", "tickets_issued_minor"),
    "fares_earned": ("tickets_earned", "tickets_earned_minor"),
    "payments_captured": ("payments_captured", "payments_captured_minor"),
    "refunds_cash_item": ("cash_refunds", "cash_refund_item_minor"),
    "refunds_cash_penalty": ("cash_refunds", "cash_refund_penalty_minor"),
    "refunds_cash_amount": ("cash_refunds", "cash_refund_amount_minor"),
    "refunds_exchange_item": ("exchange_refunds", "exchange_refund_item_minor"),
    "refunds_exchange_penalty": ("exchange_refunds", "exchange_refund_penalty_minor"),
    "refunds_exchange_amount": ("exchange_refunds", "exchange_refund_amount_minor"),
}
AT_PROCESSORS = ("captured_by_stripe", "captured_by_mercadopago")
"""Certified figures that the books hold as one."""


class Line(NamedTuple):
    """One figure as the books have it and as it was certified."""

    name: str
    books_count: int
    certified_count: int
    books_minor: int
    certified_minor: int

    @property
    def agrees(self) -> bool:
        """Return whether count and sum are the same, to the cent."""
        return (self.books_count, self.books_minor) == (self.certified_count, self.certified_minor)


def compare(books: Mapping[str, int], certified: Iterable[Judgement]) -> list[Line]:
    """Return every figure of the books beside its sum over all certified months."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for judgement in certified:
        for figure in judgement.figures:
            counts[figure.name] += figure.ledger_count
            sums[figure.name] += figure.ledger_minor
    lines = [
        Line(name, books[in_count], counts[name], books[in_sum], sums[name])
        for name, (in_count, in_sum) in COUNTED_AND_SUMMED.items()
    ]
    at_processors = (sum(counts[name] for name in AT_PROCESSORS), sum(sums[name] for name in AT_PROCESSORS))
    books_there = (books["processor_payments"], books["processor_captured_minor"])
    lines.append(Line("captured_by_processors", books_there[0], at_processors[0], books_there[1], at_processors[1]))
    return lines
