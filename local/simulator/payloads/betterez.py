"""The ticketing platform's documents, in the shapes of docs/providers/betterez.md, documented and assumed ones alike.

Item amounts are integers of 1/100,000 peso; amounts of payments are decimals of pesos; dates are `{value, offset}`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from local.simulator.exact_json import major
from local.simulator.moments import utc_text, wall_text
from local.simulator.records import (
    Counter,
    ManifestStatus,
    PaidBack,
    Payment,
    Person,
    Refund,
    Sale,
    SaleDocument,
    Shift,
    ThinSale,
    Ticket,
    Trip,
)
from local.simulator.world import CURRENCY, Station

_ITEM_UNITS_A_CENTAVO = 1_000
_VAT_PERMILLE = 105
"""Long-distance transport pays the reduced rate of 10.5 %, inside the fare."""

Document = dict[str, Any]


def transaction(subject: SaleDocument) -> Document:
    """Return the `data` of a transaction's events and the API's answer for it."""
    return {
        "transaction": sale(subject.sale),
        "tickets": [ticket(item) for item in subject.tickets],
        "refunds": [refund(item) for item in subject.refunds],
        "feesDetails": [],
        "taxesDetails": [],
        "flexPasses": [],
        "parcels": [],
        "soldItems": [],
        "redeemableItems": [],
        "giftCertificates": [],
        "manualTickets": [],
        "loans": [],
        "invoices": [],
    }


def sale(record: Sale) -> Document:
    """Return the `transaction` object alone."""
    document = {
        "_id": record.id,
        "transactionId": record.number,
        "accountId": record.account.id,
        "accountName": record.account.name,
        "type": record.type,
        "status": "paid",
        "total": record.total_minor * _ITEM_UNITS_A_CENTAVO,
        "currency": CURRENCY,
        **_counter(record.counter),
        "payments": [payment(part) for part in record.payments],
        "createdAt": moment(record.created_at_ms),
        "updatedAt": moment(record.updated_at_ms),
    }
    if record.original_id:
        document["associatedTrxId"] = record.original_id
    if record.buyer is not None:
        document["customerNumber"] = record.buyer.number
    return document


def payment(record: Payment) -> Document:
    """Return one payment of a transaction; cash carries no reference."""
    document = {
        "provider": record.processor,
        "type": record.method,
        "status": "success",
        "amount": major(record.amount_minor),
        "currencyCode": CURRENCY,
        "paymentMethodId": record.method_id,
        "createdAt": moment(record.paid_at_ms),
    }
    if record.reference:
        document["referenceNumber"] = record.reference
    return document


def ticket(record: Ticket) -> Document:
    """Return one ticket with its passenger."""
    trip, route = record.trip, record.trip.service.route
    return {
        "_id": record.id,
        "ticketNumber": record.number,
        "trxId": record.sale_id,
        "transactionId": record.sale_number,
        "accountId": record.account.id,
        "status": record.status,
        "total": record.fare_minor * _ITEM_UNITS_A_CENTAVO,
        "pricesIncludeTaxes": True,
        "taxes": [
            {
                "name": "IVA",
                "value": _VAT_PERMILLE * 100,
                "calculated": record.fare_minor * _VAT_PERMILLE // (1000 + _VAT_PERMILLE) * _ITEM_UNITS_A_CENTAVO,
            }
        ],
        "commission": record.commission_minor * _ITEM_UNITS_A_CENTAVO,
        "currency": CURRENCY,
        **_counter(record.counter),
        "changedFromTicketId": record.changed_from,
        "refundId": record.refund_id,
        "routeId": route.id,
        "scheduleId": trip.service.id,
        "fromId": route.origin.id,
        "toId": route.destination.id,
        "from": route.origin.name,
        "to": route.destination.name,
        "seat": str(record.seat),
        "travelDate": {"value": wall_text(trip.departs_at_ms), "offset": 0},
        "manifestDate": {"value": wall_text(trip.day_start_ms), "offset": 0},
        "departureTimestamp": utc_text(trip.departs_at_ms),
        "redemptions": [] if record.boarded_at_ms is None else [{"redeemedAt": utc_text(record.boarded_at_ms)}],
        "firstName": record.passenger.first_name,
        "lastName": record.passenger.last_name,
        "email": record.passenger.email,
        "customerNumber": record.passenger.number,
        "createdAt": moment(record.created_at_ms),
        "updatedAt": moment(record.updated_at_ms),
    }


def refund(record: Refund) -> Document:
    """Return one refund: what was given back, what the company keeps, what goes back and by which ways."""
    back = record.amount_minor * _ITEM_UNITS_A_CENTAVO
    return {
        "_id": record.id,
        "ticketId": record.ticket_id,
        "ticketNumber": record.ticket_number,
        "itemType": "ticket",
        "trxId": record.sale_id,
        "transactionId": record.sale_number,
        "associatedTrxId": record.original_id,
        "associatedTransactionId": record.original_number,
        "accountId": record.account.id,
        "type": record.type,
        "amount": record.item_minor * _ITEM_UNITS_A_CENTAVO,
        "penalty": record.penalty_minor * _ITEM_UNITS_A_CENTAVO,
        "penaltyReason": "retención" if record.penalty_minor else "",
        "amountToRefund": back,
        "payment": [_paid_back(line, record.amount_minor) for line in record.paid_back],
        "status": "success",
        "currency": CURRENCY,
        **_counter(record.counter),
        "createdAt": moment(record.at_ms),
        "updatedAt": moment(record.at_ms),
    }


def manifest_status(subject: ManifestStatus) -> Document:
    """Return what an event tells of a trip; it carries no `updatedAt`."""
    trip = subject.trip
    return {
        "manifestId": trip.manifest_id,
        "routeId": trip.service.route.id,
        "scheduleId": trip.service.id,
        "manifestDate": {"value": wall_text(trip.day_start_ms), "offset": 0},
        "status": subject.status,
    }


def manifest(trip: Trip, status: str, capacity: int, tickets: list[Document] | None) -> Document:
    """Return what the API tells of a trip; `tickets` is None where only the manifest was asked for."""
    document = {
        "_id": trip.manifest_id,
        "accountId": trip.service.route.account.id,
        "routeId": trip.service.route.id,
        "scheduleId": trip.service.id,
        "manifestDate": {"value": wall_text(trip.day_start_ms), "offset": 0},
        "status": status,
        "capacity": capacity,
    }
    if tickets is not None:
        document["tickets"] = tickets
    return document


def shift(record: Shift) -> Document:
    """Return one cash session; `closedAt` is an empty object while it is open."""
    return {
        "_id": record.id,
        "shiftNumber": record.number,
        "accountId": record.agency.account.id,
        "agencyId": record.agency.id,
        "location": _location(record.agency.station),
        "closed": record.closed_at_ms is not None,
        "closedAt": {} if record.closed_at_ms is None else moment(record.closed_at_ms),
        "createdAt": moment(record.opened_at_ms),
        "updatedAt": moment(record.updated_at_ms),
    }


def customer(record: Person) -> Document:
    """Return one customer."""
    return {
        "_id": record.id,
        "customerNumber": record.number,
        "firstName": record.first_name,
        "lastName": record.last_name,
        "email": record.email,
        "createdAt": moment(record.created_at_ms),
        "updatedAt": moment(record.updated_at_ms),
    }


def moment(instant_ms: int) -> Document:
    """Return an instant in the platform's form."""
    return {"value": utc_text(instant_ms), "offset": 0}


def _counter(record: Counter) -> Document:
    shift_of, agency, station = record.shift, record.agency, record.station
    return {
        "channel": record.channel,
        "agencyId": agency.id if agency else "",
        "agencyName": agency.name if agency else "",
        "shiftId": shift_of.id if shift_of else "",
        "shiftNumber": shift_of.number if shift_of else "",
        "shiftLocation": _location(station) if station else {},
    }


def _location(station: Station) -> Document:
    return {
        "name": station.name,
        "stationId": station.id,
        "country": "Argentina",
        "province": station.province,
        "primaryCurrencyCode": CURRENCY,
        "timeZone": "America/Argentina/Buenos_Aires",
    }


def _paid_back(line: PaidBack, whole_minor: int) -> Document:
    return {
        "type": line.method,
        "provider": line.processor,
        "percentage": line.amount_minor * 100 // whole_minor,
        "amount": major(line.amount_minor),
        "currencyCode": CURRENCY,
        "referenceNumber": line.payment_reference,
        "externalId": line.external_id,
        "result": {},
    }


def _thin(subject: ThinSale) -> Document:
    return {"_id": subject.sale_id}


DATA: Mapping[type, Callable[[Any], Document]] = {
    SaleDocument: transaction,
    ThinSale: _thin,
    Ticket: ticket,
    Refund: refund,
    ManifestStatus: manifest_status,
    Shift: shift,
    Person: customer,
}
"""How the `data` of an event about each kind of record is written."""
