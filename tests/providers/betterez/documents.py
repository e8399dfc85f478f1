"""Documents of Betterez for tests, in the shapes of docs/providers/betterez.md."""

from typing import Any

SALE_ID = "65f0c2a1b2c3d4e5f6a7b8c9"
TICKET_ID = "65f0c2a1b2c3d4e5f6a7b801"
REFUND_ID = "65f0c2a1b2c3d4e5f6a7b802"
CREATED_S = 1_722_956_571
CREATED_MS = CREATED_S * 1000
CHANGED_MS = CREATED_MS + 4_250

Document = dict[str, Any]


def moment(text: str = "2024-08-06T15:02:51.000Z") -> Document:
    """Return an instant in the platform's form; the default is CREATED_S."""
    return {"value": text, "offset": 0}


CHANGED = moment("2024-08-06T15:02:55.250Z")


def envelope(event: str, data: Any, **changes: Any) -> Document:
    """Return a webhook around `data`."""
    return {
        "id": "1cb1da8f-8f49-40b2-8bdc-202a771c1da0",
        "attemptId": "42af834a-5134-4471-8bbb-49d16b0c6b87",
        "livemode": True,
        "created": CREATED_S,
        "event": event,
        "data": data,
        **changes,
    }


def payment(**changes: Any) -> Document:
    """Return a payment of 20.00 in cash."""
    return {
        "provider": "inperson",
        "type": "cash",
        "status": "success",
        "amount": 20,
        "currencyCode": "ARS",
        "createdAt": moment(),
        **changes,
    }


def ticket(**changes: Any) -> Document:
    """Return a ticket of 20.00 with its passenger."""
    return {
        "_id": TICKET_ID,
        "ticketNumber": "TDGA3P",
        "trxId": SALE_ID,
        "transactionId": "9SKGPTZ5",
        "accountId": "account-1",
        "status": "paid",
        "total": 2_000_000,
        "taxes": [{"name": "IVA", "value": 10_500, "calculated": 190_000}],
        "commission": 100_000,
        "currency": "ARS",
        "channel": "backoffice",
        "agencyId": "agency-1",
        "shiftId": "shift-1",
        "shiftLocation": {"name": "Retiro", "primaryCurrencyCode": "ARS"},
        "changedFromTicketId": None,
        "refundId": "",
        "routeId": "route-1",
        "scheduleId": "schedule-1",
        "from": "Retiro",
        "to": "Rosario",
        "seat": "12",
        "travelDate": moment("2024-12-25T22:00:00.000Z"),
        "manifestDate": moment("2024-12-25T00:00:00.000Z"),
        "departureTimestamp": "2024-12-26T01:00:00.000Z",
        "redemptions": [],
        "firstName": "Ana",
        "lastName": "Peralta",
        "email": "ana@example.org",
        "createdAt": moment(),
        "updatedAt": CHANGED,
        **changes,
    }


def refund(**changes: Any) -> Document:
    """Return a refund of that ticket: 20.00 less 2.00 kept, 18.00 back in cash."""
    return {
        "_id": REFUND_ID,
        "ticketId": TICKET_ID,
        "trxId": "65f0c2a1b2c3d4e5f6a7b8ff",
        "associatedTrxId": SALE_ID,
        "accountId": "account-1",
        "type": "cancel",
        "amount": 2_000_000,
        "penalty": 200_000,
        "amountToRefund": 1_800_000,
        "payment": [{"type": "cash", "provider": "inperson", "amount": 18, "firstName": "Ana"}],
        "status": "success",
        "currency": "ARS",
        "createdAt": moment(),
        **changes,
    }


def transaction(**changes: Any) -> Document:
    """Return a sale of 20.00, paid, without its items."""
    return {
        "_id": SALE_ID,
        "transactionId": "9SKGPTZ5",
        "accountId": "account-1",
        "type": "sale",
        "status": "paid",
        "total": 2_000_000,
        "currency": "ARS",
        "channel": "backoffice",
        "agencyId": "agency-1",
        "shiftId": "shift-1",
        "shiftLocation": {"name": "Retiro", "primaryCurrencyCode": "ARS"},
        "customer": {"name": "Ana Peralta"},
        "payments": [payment()],
        "createdAt": moment(),
        "updatedAt": CHANGED,
        **changes,
    }


def content(transaction_document: Document | None = None, **changes: Any) -> Document:
    """Return the `data` of a transaction's events."""
    return {
        "transaction": transaction() if transaction_document is None else transaction_document,
        "tickets": [ticket()],
        "refunds": [],
        "feesDetails": [],
        "taxesDetails": [],
        "flexPasses": [],
        **changes,
    }
