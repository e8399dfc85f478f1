"""The payment processors' side of the season: what Stripe and Mercado Pago know, and what they tell of it."""

from collections.abc import Iterable

from local.simulator.books import Books
from local.simulator.ids import Ids
from local.simulator.journal import Journal
from local.simulator.moments import SECOND_MS
from local.simulator.records import (
    BalanceTransaction,
    Charge,
    ChargeRefund,
    Dispute,
    Payout,
    WalletNotice,
    WalletPayment,
    WalletRefund,
)
from local.simulator.world import Account

_WALLET_PAYMENT_BASE = 88_000_000_000
_WALLET_REFUND_BASE = 1_200_000_000
_DISPUTE_FEE_MINOR = 1_500_000


class StripeDesk:
    """Charges, refunds, disputes and weekly payouts. Versions do not exist here: created is in whole seconds."""

    def __init__(self, ids: Ids, journal: Journal, books: Books) -> None:
        """Start with an empty balance."""
        self._ids = ids
        self._journal = journal
        self._books = books
        self.charges: dict[str, Charge] = {}
        self.refunds: dict[str, ChargeRefund] = {}
        self.disputes: dict[str, Dispute] = {}
        self.payouts: dict[str, Payout] = {}
        self.balance: dict[str, BalanceTransaction] = {}
        self._unpaid: dict[str, list[str]] = {}
        """Balance transactions of each account that no payout holds yet."""

    def charge(self, at_ms: int, *, sale_id: str, account: Account, method: str, amount_minor: int) -> Charge:
        """Take a card payment."""
        created_s = at_ms // SECOND_MS
        charge = Charge(
            id=self._ids.stripe("ch"),
            intent_id=self._ids.stripe("pi"),
            balance_id=self._ids.stripe("txn"),
            sale_id=sale_id,
            account=account,
            method=method,
            amount_minor=amount_minor,
            fee_minor=amount_minor * 39 // 1000 + 300,
            refunds=(),
            is_disputed=False,
            created_s=created_s,
        )
        self.charges[charge.id] = charge
        self._book(
            BalanceTransaction(
                charge.balance_id, "charge", charge.id, account, amount_minor, charge.fee_minor, created_s, ""
            )
        )
        self._books.processor_captured(account, amount_minor, created_s * SECOND_MS)
        self._journal.stripe(at_ms, "charge.succeeded", charge)
        return charge

    def mint_refund_id(self) -> str:
        """Return an id for a refund that is about to be made."""
        return self._ids.stripe("re")

    def refund(self, at_ms: int, *, refund_id: str, charge_id: str, sale_id: str, amount_minor: int) -> None:
        """Give back part or all of a charge; `sale_id` is the cancellation."""
        created_s = at_ms // SECOND_MS
        before = self.charges[charge_id]
        balance_id = self._ids.stripe("txn")
        refund = ChargeRefund(refund_id, balance_id, charge_id, sale_id, before.account, amount_minor, created_s)
        charge = before._replace(refunds=(*before.refunds, refund))
        self.charges[charge_id] = charge
        self.refunds[refund_id] = refund
        self._book(BalanceTransaction(balance_id, "refund", refund_id, before.account, -amount_minor, 0, created_s, ""))
        self._books.processor_refunded(before.account, amount_minor, created_s * SECOND_MS)
        self._journal.stripe(at_ms, "charge.refunded", charge)
        self._journal.stripe(at_ms, "refund.created", refund)

    def dispute(self, at_ms: int, charge_id: str) -> None:
        """Let the cardholder contest a charge of which nothing was given back."""
        created_s = at_ms // SECOND_MS
        charge = self.charges[charge_id]
        dispute = Dispute(
            id=self._ids.stripe("dp"),
            balance_id=self._ids.stripe("txn"),
            charge_id=charge_id,
            sale_id=charge.sale_id,
            account=charge.account,
            amount_minor=charge.amount_minor,
            fee_minor=_DISPUTE_FEE_MINOR,
            created_s=created_s,
        )
        self.charges[charge_id] = charge._replace(is_disputed=True)
        self.disputes[dispute.id] = dispute
        taken_minor = -dispute.amount_minor
        self._book(
            BalanceTransaction(
                dispute.balance_id,
                "adjustment",
                dispute.id,
                charge.account,
                taken_minor,
                dispute.fee_minor,
                created_s,
                "",
            )
        )
        self._books.counts["disputes"] += 1
        self._journal.stripe(at_ms, "charge.dispute.created", dispute)

    def pay_out(self, at_ms: int, account: Account) -> None:
        """Pay an operator's balance to its bank; a balance that is not positive waits for the next week."""
        created_s = at_ms // SECOND_MS
        waiting = self._unpaid.get(account.id, [])
        amount_minor = sum(self.balance[balance_id].net_minor for balance_id in waiting)
        if amount_minor <= 0:
            return
        payout = Payout(self._ids.stripe("po"), self._ids.stripe("txn"), account, amount_minor, created_s)
        self.payouts[payout.id] = payout
        self._unpaid[account.id] = []
        self._settle((*waiting, payout.balance_id), payout)
        self._books.counts["payouts"] += 1
        self._journal.stripe(at_ms, "payout.paid", payout)

    def _settle(self, balance_ids: Iterable[str], payout: Payout) -> None:
        self.balance[payout.balance_id] = BalanceTransaction(
            payout.balance_id, "payout", payout.id, payout.account, -payout.amount_minor, 0, payout.created_s, payout.id
        )
        for balance_id in balance_ids:
            self.balance[balance_id] = self.balance[balance_id]._replace(payout_id=payout.id)

    def _book(self, movement: BalanceTransaction) -> None:
        self.balance[movement.id] = movement
        self._unpaid.setdefault(movement.account.id, []).append(movement.id)


class WalletDesk:
    """Mercado Pago: payments and refunds. Its notifications are thin: they name a payment and say nothing of it."""

    def __init__(self, ids: Ids, journal: Journal, books: Books) -> None:
        """Start without payments."""
        self._ids = ids
        self._journal = journal
        self._books = books
        self.payments: dict[int, WalletPayment] = {}

    def pay(
        self, at_ms: int, *, approved_after_ms: int, sale_id: str, account: Account, method: str, amount_minor: int
    ) -> WalletPayment:
        """Take a payment that is approved at once or after a moment."""
        approved_at_ms = at_ms + approved_after_ms
        payment = WalletPayment(
            id=self._ids.number(_WALLET_PAYMENT_BASE),
            sale_id=sale_id,
            account=account,
            method=method,
            amount_minor=amount_minor,
            fee_minor=amount_minor * 629 // 10_000,
            refunds=(),
            created_at_ms=at_ms,
            approved_at_ms=approved_at_ms,
            updated_at_ms=approved_at_ms,
        )
        self.payments[payment.id] = payment
        self._books.processor_captured(account, amount_minor, approved_at_ms)
        self._notify(at_ms, payment.id, "payment.created")
        if approved_after_ms:
            self._notify(approved_at_ms, payment.id, "payment.updated")
        return payment

    def mint_refund_id(self) -> int:
        """Return an id for a refund that is about to be made."""
        return self._ids.number(_WALLET_REFUND_BASE)

    def refund(self, at_ms: int, *, refund_id: int, payment_id: int, amount_minor: int) -> None:
        """Give back part or all of a payment."""
        before = self.payments[payment_id]
        refund = WalletRefund(refund_id, amount_minor, at_ms)
        self.payments[payment_id] = before._replace(refunds=(*before.refunds, refund), updated_at_ms=at_ms)
        self._books.processor_refunded(before.account, amount_minor, at_ms)
        self._notify(at_ms, payment_id, "payment.updated")

    def _notify(self, at_ms: int, payment_id: int, action: str) -> None:
        self._journal.mercado_pago(at_ms, action, WalletNotice(payment_id, action))
