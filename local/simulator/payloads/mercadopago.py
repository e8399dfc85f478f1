"""Mercado Pago's documents: a thin notification, and the payment that its API answers with, in decimal pesos."""

from typing import Any

from local.simulator.exact_json import major
from local.simulator.moments import mercado_pago_text
from local.simulator.records import WalletNotice, WalletPayment
from local.simulator.world import CURRENCY

COLLECTOR_ID = 810_882_223

Document = dict[str, Any]

_METHODS = {"debit": ("debvisa", "debit_card"), "credit": ("visa", "credit_card")}


def notification(number: int, at_ms: int, notice: WalletNotice) -> Document:
    """Return what is posted: which payment changed, and nothing of what it is now."""
    return {
        "id": number,
        "live_mode": True,
        "type": "payment",
        "date_created": mercado_pago_text(at_ms),
        "user_id": str(COLLECTOR_ID),
        "api_version": "v1",
        "action": notice.action,
        "data": {"id": str(notice.payment_id)},
    }


def payment(record: WalletPayment) -> Document:
    """Return a payment as it stands."""
    method_id, method_type = _METHODS[record.method]
    refunded_minor = record.refunded_minor
    is_refunded = refunded_minor == record.amount_minor
    return {
        "id": record.id,
        "date_created": mercado_pago_text(record.created_at_ms),
        "date_approved": mercado_pago_text(record.approved_at_ms),
        "date_last_updated": mercado_pago_text(record.updated_at_ms),
        "operation_type": "regular_payment",
        "payment_method_id": method_id,
        "payment_type_id": method_type,
        "status": "refunded" if is_refunded else "approved",
        "status_detail": _status_detail(record, is_refunded=is_refunded),
        "currency_id": CURRENCY,
        "description": "Pasaje",
        "live_mode": True,
        "collector_id": COLLECTOR_ID,
        "metadata": {"account_id": record.account.id},
        "external_reference": record.sale_id,
        "transaction_amount": major(record.amount_minor),
        "transaction_amount_refunded": major(refunded_minor),
        "installments": 1,
        "transaction_details": {
            "net_received_amount": major(record.amount_minor - record.fee_minor),
            "total_paid_amount": major(record.amount_minor),
        },
        "fee_details": [{"type": "mercadopago_fee", "amount": major(record.fee_minor), "fee_payer": "collector"}],
        "captured": True,
        "refunds": refunds(record),
    }


def refunds(record: WalletPayment) -> list[Document]:
    """Return the refunds of a payment."""
    return [
        {
            "id": refund.id,
            "payment_id": record.id,
            "amount": major(refund.amount_minor),
            "status": "approved",
            "date_created": mercado_pago_text(refund.at_ms),
        }
        for refund in record.refunds
    ]


def _status_detail(record: WalletPayment, *, is_refunded: bool) -> str:
    if is_refunded:
        return "refunded"
    return "partially_refunded" if record.refunds else "accredited"
