"""What is read of Betterez' payloads (docs/providers/betterez.md), and nothing else: no field of a passenger is here.

Item amounts are integers of 1/100,000 of a major unit; amounts of payments are decimals of major units.
"""

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.providers.toolkit.payload_models import Amount, Count, EpochSeconds, Id, LinkId, Payload
from shared.providers.toolkit.values import instant_ms

ITEM_SCALE = 100_000
"""Item amounts count 1/100,000 of a major unit."""

# The platform's words (lower case) and the ledger's. Spellings are open sets: what is not here is held, never guessed.

SALE_TYPES = {"sale": "sale", "cancellation": "cancellation", "change": "change"}
SALE_STATUSES = {
    "paid": "paid",
    "created": "pending",
    "waiting_for_payment": "pending",
    "waiting for payment": "pending",
    "payment expired": "expired",
    "reversed": "reversed",
}
TICKET_STATUSES = {
    "paid": "open",
    "redeemed": "boarded",
    "boarded": "boarded",
    "noshow": "no_show",
    "no-show": "no_show",
    "no_show": "no_show",
    "cancelled": "refunded",
    "canceled": "refunded",
    "changed": "exchanged",
    "void": "void",
    "voided": "void",
    "expired": "expired",
}
PAYMENT_STATUSES = {
    "success": "success",
    "error": "failed",
    "pending": "pending",
    "review": "pending",
    "refunded": "refunded",
}
REFUND_STATUSES = {
    "success": "success",
    "paid": "success",
    "refunded": "success",
    "completed": "success",
    "created": "pending",
    "pending": "pending",
    "review": "pending",
    "error": "failed",
}
MANIFEST_STATUSES = {status: status for status in ("published", "paused", "planned", "canceled")}
PAYMENT_METHODS = {
    "cash": "cash",
    "credit": "card",
    "debit": "card",
    "transfer": "transfer",
    "voucher": "voucher",
    "gift_certificate": "gift_certificate",
    "wallet": "wallet",
    "account_money": "wallet",
    "boleto": "boleto",
}
"""Any other method is `other`: the method decides nothing about how much money moved."""

PROCESSORS = ("stripe", "mercadopago")
"""Payment providers whose own id of the payment is its reference number, so that the two can be linked."""

# The parts


def _text_of(moment: object) -> str | None:
    """Return the text of `{value, offset}` or of plain text; None for null, an empty object or empty text."""
    text = moment.get("value") if isinstance(moment, dict) else moment
    if text is None or text == "":
        return None
    if isinstance(text, str):
        return text
    msg = "a date is text or an object with a value"
    raise ValueError(msg)


def _moment_ms(moment: object) -> int | None:
    text = _text_of(moment)
    return None if text is None else instant_ms(text)


def _local_day(moment: object) -> str | None:
    """Return the date part alone: a travel date is local wall time wearing a Z, so its hour means nothing."""
    text = _text_of(moment)
    return None if text is None else date.fromisoformat(text[:10]).isoformat()


MomentMs = Annotated[int | None, BeforeValidator(_moment_ms)]
LocalDay = Annotated[str | None, BeforeValidator(_local_day)]


class _Part(Payload):
    model_config = ConfigDict(alias_generator=to_camel)


class Envelope(_Part):
    """What every webhook is wrapped in. `data` is an object, for some events an array, compressed a text beside `enc`."""

    id: Id
    livemode: bool
    created: EpochSeconds
    event: str
    data: Any
    enc: str | None = None


class Location(_Part):
    """Where a sale was made; empty on the web."""

    name: str | None = None
    primary_currency_code: str | None = None


class Payment(_Part):
    """One payment of a transaction, or one amount that a refund gave back. `amount` is in major units."""

    provider: str | None = None
    type: str | None = None
    status: str
    amount: Amount
    currency_code: str | None = None
    reference_number: LinkId | int | None = None
    created_at: MomentMs = None


class PaidBack(_Part):
    """One amount that a refund gave back, in major units."""

    amount: Amount


class Transaction(_Part):
    """One transaction: a sale, a cancellation or a change. Thin after a move: the id alone."""

    id: Id = Field(alias="_id")
    transaction_id: str | None = None
    account_id: str | None = None
    type: str | None = None
    status: str | None = None
    total: Amount | None = None
    currency: str | None = None
    channel: str | None = None
    agency_id: str | None = None
    shift_id: LinkId | None = None
    shift_location: Location | None = None
    associated_trx_id: LinkId | None = None
    payments: list[Payment] | None = None
    created_at: MomentMs = None
    updated_at: MomentMs = None


class Tax(_Part):
    """One tax of an item; `calculated` is its amount."""

    calculated: Amount


class Redemption(_Part):
    """One boarding."""

    redeemed_at: MomentMs = None


class Ticket(_Part):
    """One ticket, without its passenger."""

    id: Id = Field(alias="_id")
    ticket_number: str | None = None
    trx_id: LinkId | None = None
    account_id: str | None = None
    status: str | None = None
    total: Amount | None = None
    taxes: list[Tax] | None = None
    commission: Amount | None = None
    currency: str | None = None
    channel: str | None = None
    agency_id: str | None = None
    shift_location: Location | None = None
    changed_from_ticket_id: LinkId | None = None
    refund_id: LinkId | None = None
    route_id: str | None = None
    schedule_id: str | None = None
    origin: str | None = Field(default=None, alias="from")
    destination: str | None = Field(default=None, alias="to")
    seat: str | int | None = None
    travel_date: LocalDay = None
    manifest_date: LocalDay = None
    departure_timestamp: MomentMs = None
    arrival_timestamp: MomentMs = None
    redemptions: list[Redemption] | None = None
    created_at: MomentMs = None
    updated_at: MomentMs = None


class Refund(_Part):
    """One item given back: its value, what the company keeps, what goes back, and by which payments."""

    id: Id = Field(alias="_id")
    ticket_id: LinkId | None = None
    trx_id: LinkId | None = None
    associated_trx_id: LinkId | None = None
    account_id: str | None = None
    type: str | None = None
    status: str | None = None
    amount: Amount
    penalty: Amount = 0
    amount_to_refund: Amount
    currency: str | None = None
    shift_location: Location | None = None
    payment: list[PaidBack] | None = None
    created_at: MomentMs = None
    updated_at: MomentMs = None


class Fee(_Part):
    """One fee of a whole transaction, outside its items."""

    total: Amount


class TransactionContent(_Part):
    """The `data` of a transaction's events: the transaction with all that belongs to it."""

    transaction: Transaction
    tickets: list[Ticket] | None = None
    refunds: list[Refund] | None = None
    fees_details: list[Fee] | None = None
    flex_passes: list[Any] | None = None
    parcels: list[Any] | None = None
    sold_items: list[Any] | None = None
    redeemable_items: list[Any] | None = None
    gift_certificates: list[Any] | None = None
    manual_tickets: list[Any] | None = None
    loans: list[Any] | None = None


class ManifestStatus(_Part):
    """The status of one trip as an event tells it."""

    manifest_id: Id
    account_id: str | None = None
    route_id: str | None = None
    schedule_id: str | None = None
    manifest_date: LocalDay = None
    status: str | None = None


class BareManifest(_Part):
    """One trip as the API tells it, its tickets left unread."""

    id: Id = Field(alias="_id")
    account_id: str | None = None
    route_id: str | None = None
    schedule_id: str | None = None
    manifest_date: LocalDay = None
    status: str | None = None
    capacity: Count | None = None
    updated_at: MomentMs = None


class Manifest(BareManifest):
    """One trip as the API tells it, with its tickets of every status."""

    tickets: list[Ticket] | None = None


class Shift(_Part):
    """A seller's cash session, without the seller."""

    id: Id = Field(alias="_id")
    shift_number: str | None = None
    agency_id: str | None = None
    account_id: str | None = None
    location: Location | None = None
    closed: bool | None = None
    closed_at: MomentMs = None
    created_at: MomentMs = None
    updated_at: MomentMs = None


class ShiftList(_Part):
    """The answer that lists shifts."""

    shifts: list[Shift]


class TransactionList(_Part):
    """The answer that lists the transactions of one shift."""

    transactions: list[Transaction]


class ManifestList(_Part):
    """The answer that lists the manifests of a span of travel days."""

    manifests: list[Manifest]


class BareManifestList(_Part):
    """The same answer, the tickets left unread."""

    manifests: list[BareManifest]


class UndeliveredEntry(_Part):
    """One webhook of the list of those that could not be delivered."""

    id: Id = Field(alias="_id")
    payload: dict[str, Any]


class UndeliveredList(_Part):
    """The answer that lists the webhooks that could not be delivered."""

    undelivered: list[UndeliveredEntry]


class SummaryLine(_Part):
    """What one type of payment of a cash session comes to, in major units."""

    type: str
    amount: Amount
    currency: str | None = None


class SalesSummary(_Part):
    """What one cash session came to."""

    shift_id: Id
    currency: str | None = None
    payments: list[SummaryLine]
    refunds: list[SummaryLine]
