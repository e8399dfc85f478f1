"""What is read of Mercado Pago's notifications and resources. Amounts are JSON decimals of major units."""

from typing import Annotated, Any

from pydantic import StringConstraints

from shared.providers.toolkit.payload_models import Amount, Count, Id, InstantMs, Payload

PAYMENT_STATUSES = {
    "approved": "success",
    "in_mediation": "success",  # paid; a claim is open, and its end is told as another status
    "pending": "pending",
    "in_process": "pending",
    "authorized": "pending",
    "rejected": "failed",
    "cancelled": "failed",
    "refunded": "refunded",
    "charged_back": "charged_back",
}
REFUND_STATUSES = {
    "approved": "success",
    "pending": "pending",
    "in_process": "pending",
    "authorized": "pending",
    "rejected": "failed",
    "cancelled": "failed",
}
CHARGEBACK_STATUSES = {"in_review": "under_review"}
"""Other statuses are not documented; they are held until one is seen."""

METHODS = {
    "credit_card": "card",
    "debit_card": "card",
    "prepaid_card": "card",
    "account_money": "wallet",
    "digital_wallet": "wallet",
    "bank_transfer": "transfer",
    "voucher_card": "voucher",
    "ticket": "boleto",  # a payment slip, paid in cash elsewhere
}
"""Any other method is `other`: the method decides nothing about how much money moved."""

NotificationType = Annotated[str, StringConstraints(pattern=r"^[a-z_-]{1,64}$")]


class PointedAt(Payload):
    """What a notification points at."""

    id: Id | int


class Notification(Payload):
    """A webhook. Nothing in it is signed."""

    type: NotificationType
    data: PointedAt
    live_mode: bool | None = None


class Fee(Payload):
    """One fee; `fee_payer` says whose it is."""

    amount: Amount
    fee_payer: str | None = None


class Refund(Payload):
    """Money of a payment that went back. It states no currency of its own: the payment's stands."""

    id: Id | int
    payment_id: Id | int | None = None
    amount: Amount
    status: str | None = None
    date_created: InstantMs = None


class Payment(Payload):
    """A payment as the API tells it."""

    id: Id | int
    status: str
    transaction_amount: Amount | None = None
    currency_id: str | None = None
    payment_type_id: str | None = None
    external_reference: str | None = None
    live_mode: bool | None = None
    fee_details: list[Fee] | None = None
    refunds: list[Refund] | None = None
    metadata: dict[str, Any] | None = None
    date_created: InstantMs = None
    date_approved: InstantMs = None
    date_last_updated: InstantMs = None


class Chargeback(Payload):
    """A card issuer takes a payment back."""

    id: Id | int
    payment_id: Id | int | None = None
    status: str
    amount: Amount
    currency_id: str
    date_created: InstantMs = None
    last_modified: InstantMs = None


class Paging(Payload):
    """Where a page stands in its listing."""

    total: Count


class Page(Payload):
    """One page of a search."""

    paging: Paging
    results: list[dict[str, Any]]
