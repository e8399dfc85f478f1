"""What is read of Stripe's objects, and nothing else. Amounts are integers of minor units, zero-decimal currencies too."""

from typing import Any

from shared.providers.toolkit.payload_models import EpochSeconds, Id, Payload

CHARGE_STATUSES = {"succeeded": "success", "pending": "pending", "failed": "failed"}
REFUND_STATUSES = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "success",
    "failed": "failed",
    "canceled": "failed",
}
PAYOUT_STATUSES = {status: status for status in ("pending", "in_transit", "paid", "failed", "canceled")}
DISPUTE_STATUSES = {
    status: status
    for status in (
        "warning_needs_response",
        "warning_under_review",
        "warning_closed",
        "needs_response",
        "under_review",
        "won",
        "lost",
        "prevented",
    )
}
BALANCE_STATUSES = {"available": "available", "pending": "pending"}
METHODS = {
    "card": "card",
    "card_present": "card",
    "interac_present": "card",
    "alipay": "wallet",
    "cashapp": "wallet",
    "link": "wallet",
    "paypal": "wallet",
    "wechat_pay": "wallet",
    "ach_credit_transfer": "transfer",
    "ach_debit": "transfer",
    "acss_debit": "transfer",
    "customer_balance": "transfer",
    "pix": "transfer",
    "sepa_debit": "transfer",
    "us_bank_account": "transfer",
    "boleto": "boleto",
    "oxxo": "boleto",
}
"""Any other method is `other`: the method decides nothing about how much money moved."""


class EventData(Payload):
    """The object that an event is about, as it was when the event arose."""

    object: dict[str, Any]


class Event(Payload):
    """A webhook event."""

    id: Id
    type: str
    created: EpochSeconds
    livemode: bool
    data: EventData


class BalanceTransaction(Payload):
    """One movement of the balance: amount less fee is net."""

    id: Id
    amount: int
    fee: int
    net: int
    currency: str
    created: EpochSeconds
    status: str
    type: str
    source: str | None = None


class MethodDetails(Payload):
    """How a charge was paid."""

    type: str


class Refund(Payload):
    """Money that went back, or is on its way back."""

    id: Id
    amount: int
    currency: str
    created: EpochSeconds
    status: str | None
    charge: Id | None = None
    metadata: dict[str, str] | None = None


class RefundList(Payload):
    """The refunds inside a charge (older API versions)."""

    data: list[Refund]


class Charge(Payload):
    """Money that a customer gave. `amount_captured` is what was really taken of what was authorised."""

    id: Id
    amount: int
    amount_captured: int
    captured: bool
    refunded: bool
    currency: str
    created: EpochSeconds
    status: str
    livemode: bool
    metadata: dict[str, str] | None = None
    payment_method_details: MethodDetails | None = None
    refunds: RefundList | None = None


class Payout(Payload):
    """Money that went to the company's bank account; negative where it was taken from it."""

    id: Id
    amount: int
    currency: str
    arrival_date: EpochSeconds
    created: EpochSeconds
    status: str
    livemode: bool
    metadata: dict[str, str] | None = None


class Dispute(Payload):
    """A customer's bank takes a charge back, for now or for good."""

    id: Id
    amount: int
    charge: Id
    currency: str
    created: EpochSeconds
    status: str
    livemode: bool
    metadata: dict[str, str] | None = None


class Page(Payload):
    """One page of a listing."""

    data: list[dict[str, Any]]
    has_more: bool
