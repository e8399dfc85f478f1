"""Control totals: what a provider says that a cash session came to, against what the ledger's parts of it come to.

ledger: payments, refunds of one shift ─ sums ─┐
                                               ├─ by method and currency ─▶ mismatches
provider: its own totals of that shift ────────┘

The ledger does not hold by which means a refund was paid, so refunds are compared in one sum per currency.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from shared.domain.facts import EntityKey, EntityKind
from shared.domain.fold import Entity
from shared.domain.reconciliation import Claim, Pair

REFUNDS = "refunds"
"""What the cash refunds of a shift are called among its totals."""

_PAID = frozenset({"success", "refunded", "charged_back"})
"""Statuses of a payment whose money came in, whatever became of it."""


def payments_by(method: str) -> str:
    """Return what the payments by one of the ledger's methods are called among the totals of a shift."""
    return f"{method} payments"


class ShiftSums:
    """What the payments and refunds of one shift come to in the ledger: minor units by name and currency."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.amounts: Counter[tuple[str, str]] = Counter()

    def add(self, part: Entity) -> None:
        """Add a payment whose money came in, or a refund that was paid in cash; anything else adds nothing."""
        values = part.values
        amount_minor, currency = values.get("amount_minor"), values.get("currency")
        if amount_minor is None or currency is None:
            return
        if part.key.kind is EntityKind.PAYMENT and values.get("status") in _PAID:
            self.amounts[payments_by(str(values.get("method", "other"))), str(currency)] += int(amount_minor)
        if part.key.kind is EntityKind.REFUND and _was_paid_in_cash(part):
            self.amounts[REFUNDS, str(currency)] += int(amount_minor)


def _was_paid_in_cash(refund: Entity) -> bool:
    return refund.values.get("status") == "success" and refund.values.get("refund_type") == "cash"


def total_pairs(
    shift: EntityKey, provider: Mapping[tuple[str, str], int], ledger: Mapping[tuple[str, str], int]
) -> Iterator[Pair]:
    """Yield both sides of every total that either side has; a side that has none of it comes to nothing."""
    for about, currency in sorted({*provider, *ledger}):
        yield Pair(
            *(
                Claim(shift, 0, side.get((about, currency), 0), currency, "", f"{about} in {currency}")
                for side in (provider, ledger)
            )
        )
