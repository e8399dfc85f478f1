"""The till: how customers pay, and by which ways their money goes back."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from local.simulator.books import Books
from local.simulator.ids import Ids
from local.simulator.journal import MERCADO_PAGO, STRIPE
from local.simulator.processors import StripeDesk, WalletDesk
from local.simulator.records import PaidBack, Payment, Sale

IN_PERSON = "inperson"
CASH = "cash"

_METHOD_IDS = {
    (IN_PERSON, CASH): "6d6f6e65-0001-4c61-8a01-7469636b6574",
    (IN_PERSON, "debit"): "6d6f6e65-0002-4c61-8a02-7469636b6574",
    (IN_PERSON, "credit"): "6d6f6e65-0003-4c61-8a03-7469636b6574",
    (STRIPE, "debit"): "6d6f6e65-0004-4c61-8a04-7469636b6574",
    (STRIPE, "credit"): "6d6f6e65-0005-4c61-8a05-7469636b6574",
    (MERCADO_PAGO, "debit"): "6d6f6e65-0006-4c61-8a06-7469636b6574",
    (MERCADO_PAGO, "credit"): "6d6f6e65-0007-4c61-8a07-7469636b6574",
}
_WALLET_LEAD_MS = 3_000
_WHOLE_NOTE_MINOR = 100_000
"""Cash that is topped up by card comes in whole notes of a thousand pesos."""


class Tender(NamedTuple):
    """One way in which a customer pays."""

    processor: str
    method: str


class GiveBack(NamedTuple):
    """Money owed for one ticket, and the sales whose payments paid for it, newest first."""

    amount_minor: int
    paid_by: tuple[Sale, ...]


class Till:
    """Takes payments and gives money back, at the counter and through the processors."""

    def __init__(self, rng: Random, ids: Ids, books: Books, stripe: StripeDesk, wallet: WalletDesk) -> None:
        """Start with nothing paid."""
        self._rng = rng
        self._ids = ids
        self._books = books
        self._stripe = stripe
        self._wallet = wallet
        self._left: dict[tuple[str, int], int] = {}
        """What may still go back of each payment, by sale id and position."""

    def take(self, at_ms: int, sale: Sale, amount_minor: int, tenders: Sequence[Tender]) -> tuple[Payment, ...]:
        """Take an amount for a sale by one or two tenders and return the payments, to be added to the sale's."""
        payments = []
        for position, (tender, part_minor) in enumerate(self._parts(amount_minor, tenders), start=len(sale.payments)):
            payment = self._take_one(at_ms, sale, part_minor, tender)
            self._left[sale.id, position] = part_minor
            self._books.paid(sale.account, payment)
            payments.append(payment)
        return tuple(payments)

    def give_back(self, at_ms: int, cancellation_id: str, owed: Sequence[GiveBack]) -> list[tuple[PaidBack, ...]]:
        """Give money back for each ticket, newest payment first; a processor is asked once for each payment it took."""
        drawn: dict[Payment, tuple[str, int]] = {}
        lines = [self._draw(debt, drawn) for debt in owed]
        for payment, (external_id, amount_minor) in drawn.items():
            if payment.processor == STRIPE:
                self._stripe.refund(
                    at_ms,
                    refund_id=external_id,
                    charge_id=payment.reference,
                    sale_id=cancellation_id,
                    amount_minor=amount_minor,
                )
            else:
                self._wallet.refund(
                    at_ms,
                    refund_id=int(external_id),
                    payment_id=int(payment.reference),
                    amount_minor=amount_minor,
                )
        return lines

    def _parts(self, amount_minor: int, tenders: Sequence[Tender]) -> list[tuple[Tender, int]]:
        if len(tenders) == 1 or amount_minor <= _WHOLE_NOTE_MINOR:
            return [(tenders[0], amount_minor)]
        notes = self._rng.randint(1, (amount_minor - 1) // _WHOLE_NOTE_MINOR)
        first_minor = notes * _WHOLE_NOTE_MINOR
        return [(tenders[0], first_minor), (tenders[1], amount_minor - first_minor)]

    def _take_one(self, at_ms: int, sale: Sale, amount_minor: int, tender: Tender) -> Payment:
        processor, method = tender
        if processor == STRIPE:
            reference = self._stripe.charge(
                at_ms, sale_id=sale.id, account=sale.account, method=method, amount_minor=amount_minor
            ).id
        elif processor == MERCADO_PAGO:
            reference = str(self._pay_by_wallet(at_ms, sale, method, amount_minor))
        else:
            reference = "" if method == CASH else f"{self._rng.randrange(10**8):08d}"
        return Payment(processor, method, amount_minor, reference, _METHOD_IDS[tender], at_ms)

    def _pay_by_wallet(self, at_ms: int, sale: Sale, method: str, amount_minor: int) -> int:
        approved_after_ms = self._rng.choice((0, self._rng.randrange(300, _WALLET_LEAD_MS)))
        return self._wallet.pay(
            at_ms - approved_after_ms,
            approved_after_ms=approved_after_ms,
            sale_id=sale.id,
            account=sale.account,
            method=method,
            amount_minor=amount_minor,
        ).id

    def _draw(self, debt: GiveBack, drawn: dict[Payment, tuple[str, int]]) -> tuple[PaidBack, ...]:
        lines: list[PaidBack] = []
        open_minor = debt.amount_minor
        for sale in debt.paid_by:
            for position in reversed(range(len(sale.payments))):
                part_minor = min(open_minor, self._left[sale.id, position])
                if part_minor:
                    self._left[sale.id, position] -= part_minor
                    open_minor -= part_minor
                    lines.append(self._line(sale.payments[position], part_minor, drawn))
        if open_minor:
            raise ValueError(
                f"{open_minor} centavos go back that nobody paid; the season's rules contradict each other"
            )
        return tuple(lines)

    def _line(self, payment: Payment, part_minor: int, drawn: dict[Payment, tuple[str, int]]) -> PaidBack:
        """Return the line of a refund by way of one payment; of a disputed charge the money goes back in cash."""
        if payment.processor == STRIPE and not self._stripe.charges[payment.reference].is_disputed:
            external_id, before_minor = drawn.get(payment) or (self._stripe.mint_refund_id(), 0)
        elif payment.processor == MERCADO_PAGO:
            external_id, before_minor = drawn.get(payment) or (str(self._wallet.mint_refund_id()), 0)
        elif payment.processor == IN_PERSON:
            return PaidBack(IN_PERSON, payment.method, part_minor, payment.reference, "")
        else:
            return PaidBack(IN_PERSON, CASH, part_minor, "", "")
        drawn[payment] = (external_id, before_minor + part_minor)
        return PaidBack(payment.processor, payment.method, part_minor, payment.reference, external_id)
