"""Requests as Betterez signs them, for tests at the door."""

import hmac
import json
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_OID, uuid5

KEY = "private-key-of-betterez-webhooks-application"


def signature(body: bytes, at: datetime, key: str = KEY) -> dict[str, str]:
    """Return the signature header over a body at an instant."""
    signed_at = str(int(at.timestamp()))
    digest = hmac.new(key.encode(), signed_at.encode() + b"." + body, sha256).hexdigest()
    return {"x-btrz-signature": f"t={signed_at},s=deprecated,s2={digest}"}


def payment(**changes: Any) -> dict[str, Any]:
    """Return one payment of a transaction."""
    return {
        "provider": "inperson",
        "type": "cash",
        "status": "success",
        "amount": 61,
        "currencyCode": "ARS",
        "referenceNumber": "R1",
        "createdAt": {"value": "2026-03-01T12:00:00.000Z", "offset": 0},
        **changes,
    }


def event(name: str = "e1", *payments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the envelope of a completed sale with its payments; the same name gives the same event id."""
    moment = {"value": "2026-03-01T12:00:00.000Z", "offset": 0}
    transaction = {
        "_id": "65f0c2aa0123456789abcdef",
        "transactionId": "9SKGPTZ5",
        "accountId": "litoral",
        "type": "sale",
        "status": "paid",
        "total": 6_100_000,
        "currency": "ARS",
        "channel": "websales",
        "payments": list(payments),
        "createdAt": moment,
        "updatedAt": moment,
    }
    return {
        "id": str(uuid5(NAMESPACE_OID, name)),
        "attemptId": "1cb1da8f-8f49-40b2-8bdc-202a771c1da0",
        "livemode": True,
        "created": 1772366400,
        "event": "transaction.completed",
        "data": {"transaction": transaction, "tickets": [], "refunds": []},
        **changes,
    }


def encoded(document: dict[str, Any]) -> bytes:
    """Return the bytes of a document."""
    return json.dumps(document).encode()
