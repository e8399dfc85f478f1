"""Stripe's objects: integer centavos, times in Unix seconds, the platform's ids in `metadata`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.simulator.records import BalanceTransaction, Charge, ChargeRefund, Dispute, Payout
from local.simulator.world import Account

API_VERSION = "2025-03-31.basil"
_CURRENCY = "ars"

Document = dict[str, Any]


def event(event_id: str, event_type: str, created_s: int, thing: Document) -> Document:
    """Return the event around an object."""
    return {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": created_s,
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
        "data": {"object": thing},
    }


def charge(record: Charge) -> Document:
    """Return a charge."""
    refunded_minor = record.refunded_minor
    return {
        "id": record.id,
        "object": "charge",
        "amount": record.amount_minor,
        "amount_captured": record.amount_minor,
        "amount_refunded": refunded_minor,
        "balance_transaction": record.balance_id,
        "captured": True,
        "created": record.created_s,
        "currency": _CURRENCY,
        "description": "Pasaje",
        "disputed": record.is_disputed,
        "failure_code": None,
        "livemode": True,
        "metadata": _metadata(record.sale_id, record.account),
        "paid": True,
        "payment_intent": record.intent_id,
        "payment_method_details": {
            "type": "card",
            "card": {"brand": "visa", "funding": record.method, "country": "AR"},
        },
        "refunded": refunded_minor == record.amount_minor,
        "status": "succeeded",
    }


def refund(record: ChargeRefund) -> Document:
    """Return a refund."""
    return {
        "id": record.id,
        "object": "refund",
        "amount": record.amount_minor,
        "balance_transaction": record.balance_id,
        "charge": record.charge_id,
        "created": record.created_s,
        "currency": _CURRENCY,
        "metadata": _metadata(record.sale_id, record.account),
        "reason": "requested_by_customer",
        "status": "succeeded",
    }


def dispute(record: Dispute) -> Document:
    """Return a dispute with the movements that it made in the balance."""
    return {
        "id": record.id,
        "object": "dispute",
        "amount": record.amount_minor,
        "balance_transactions": [
            {
                "id": record.balance_id,
                "object": "balance_transaction",
                "amount": -record.amount_minor,
                "fee": record.fee_minor,
                "net": -record.amount_minor - record.fee_minor,
                "currency": _CURRENCY,
                "created": record.created_s,
                "type": "adjustment",
                "source": record.id,
            }
        ],
        "charge": record.charge_id,
        "created": record.created_s,
        "currency": _CURRENCY,
        "is_charge_refundable": False,
        "livemode": True,
        "metadata": _metadata(record.sale_id, record.account),
        "reason": "fraudulent",
        "status": "needs_response",
    }


def payout(record: Payout) -> Document:
    """Return a payout that has arrived at the bank."""
    return {
        "id": record.id,
        "object": "payout",
        "amount": record.amount_minor,
        "arrival_date": record.created_s,
        "automatic": True,
        "balance_transaction": record.balance_id,
        "created": record.created_s,
        "currency": _CURRENCY,
        "description": "STRIPE PAYOUT",
        "livemode": True,
        "metadata": {"account_id": record.account.id},
        "method": "standard",
        "reconciliation_status": "completed",
        "status": "paid",
        "type": "bank_account",
    }


def balance_transaction(record: BalanceTransaction) -> Document:
    """Return one movement of the balance."""
    return {
        "id": record.id,
        "object": "balance_transaction",
        "amount": record.amount_minor,
        "available_on": record.created_s,
        "created": record.created_s,
        "currency": _CURRENCY,
        "fee": record.fee_minor,
        "net": record.net_minor,
        "source": record.source_id,
        "status": "available",
        "type": record.type,
    }


def page(url: str, things: Iterable[Document], *, has_more: bool) -> Document:
    """Return one page of a list."""
    return {"object": "list", "url": url, "has_more": has_more, "data": list(things)}


def _metadata(sale_id: str, account: Account) -> Document:
    return {"trx_id": sale_id, "account_id": account.id}


OBJECTS: Mapping[type, Callable[[Any], Document]] = {
    Charge: charge,
    ChargeRefund: refund,
    Dispute: dispute,
    Payout: payout,
}
"""How the object of an event about each kind of record is written."""
