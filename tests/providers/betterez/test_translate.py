"""Asiento reads Betterez: what each event and answer says, and what is held because it is not certain."""

import base64
import gzip
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.deliveries import Channel, Delivery
from shared.domain.entities import FIELDS
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Version
from shared.providers.betterez.translate import read
from shared.providers.toolkit.compression import UNPACKED_BYTES_MAX
from tests.providers.betterez import documents as doc
from tests.providers.deliveries import RECEIVED_AT, fetched, webhook


def event(name: str, data: Any, **changes: Any) -> Reading:
    """Read one webhook."""
    return read(webhook("betterez", doc.envelope(name, data, **changes)))


def only(reading: Reading, kind: EntityKind) -> Fact:
    """Return the one fact of a kind."""
    (fact,) = (fact for fact in reading.facts if fact.key.kind is kind)
    return fact


def held(delivery: Delivery) -> Quarantine:
    """Return why a delivery is held."""
    with pytest.raises(UnreadableError) as unreadable:
        read(delivery)
    return unreadable.value.reason


def held_event(name: str, data: Any, **changes: Any) -> Quarantine:
    """Return why a webhook is held."""
    return held(webhook("betterez", doc.envelope(name, data, **changes)))


def test_reads_a_whole_sale() -> None:
    """Asiento reads a sale, its ticket and its payment from one transaction, to the centavo."""
    reading = event("transaction.completed", doc.content(feesDetails=[{"total": 150_000}, {"total": 50_000}]))
    assert reading.event_key == "betterez:1cb1da8f-8f49-40b2-8bdc-202a771c1da0"
    assert reading.event_type == "transaction.completed"
    assert reading.occurred_at_ms == doc.CREATED_MS
    assert only(reading, EntityKind.SALE) == Fact(
        EntityKey(EntityKind.SALE, "betterez", doc.SALE_ID),
        Version(doc.CHANGED_MS, 1),
        {
            "sale_number": "9SKGPTZ5",
            "sale_type": "sale",
            "status": "paid",
            "total_minor": 2000,
            "fees_minor": 200,
            "currency": "ARS",
            "business_unit": "account-1",
            "channel": "backoffice",
            "agency_id": "agency-1",
            "shift": "shift:betterez:shift-1",
            "sold_at_ms": doc.CREATED_MS,
        },
    )
    assert only(reading, EntityKind.TICKET) == Fact(
        EntityKey(EntityKind.TICKET, "betterez", doc.TICKET_ID),
        Version(doc.CHANGED_MS, 1),
        {
            "ticket_number": "TDGA3P",
            "sale": f"sale:betterez:{doc.SALE_ID}",
            "status": "open",
            "fare_minor": 2000,
            "taxes_minor": 190,
            "commission_minor": 100,
            "currency": "ARS",
            "business_unit": "account-1",
            "channel": "backoffice",
            "agency_id": "agency-1",
            "issued_at_ms": doc.CREATED_MS,
            "departs_at_ms": 1_735_174_800_000,
            "travel_day": "2024-12-25",
            "route_id": "route-1",
            "service_id": "schedule-1",
            "origin": "Retiro",
            "destination": "Rosario",
            "seat": "12",
        },
    )
    assert only(reading, EntityKind.PAYMENT) == Fact(
        EntityKey(EntityKind.PAYMENT, "betterez", f"{doc.SALE_ID}:0"),
        Version(doc.CHANGED_MS, 2),
        {
            "sale": f"sale:betterez:{doc.SALE_ID}",
            "amount_minor": 2000,
            "currency": "ARS",
            "business_unit": "account-1",
            "method": "cash",
            "processor": "inperson",
            "status": "success",
            "paid_at_ms": doc.CREATED_MS,
        },
    )


def test_reads_a_cancellation_with_its_refund() -> None:
    """Asiento reads a completed transaction that is a cancellation as money going back, not as revenue."""
    cancellation = doc.transaction(
        _id="65f0c2a1b2c3d4e5f6a7b8ff", type="cancellation", total=-1_800_000, payments=[], associatedTrxId=doc.SALE_ID
    )
    reading = event("transaction.completed", doc.content(cancellation, tickets=[], refunds=[doc.refund()]))
    sale, refund = only(reading, EntityKind.SALE), only(reading, EntityKind.REFUND)
    assert sale.values["total_minor"] == -1800
    assert sale.values["original_sale"] == f"sale:betterez:{doc.SALE_ID}"
    assert refund.version == (doc.CREATED_MS, 1)
    assert refund.values == {
        "sale": "sale:betterez:65f0c2a1b2c3d4e5f6a7b8ff",
        "original_sale": f"sale:betterez:{doc.SALE_ID}",
        "ticket": f"ticket:betterez:{doc.TICKET_ID}",
        "refund_type": "cash",
        "item_minor": 2000,
        "penalty_minor": 200,
        "amount_minor": 1800,
        "currency": "ARS",
        "business_unit": "account-1",
        "status": "success",
        "refunded_at_ms": doc.CREATED_MS,
    }


def test_a_change_gives_back_no_cash() -> None:
    """Asiento reads the refund of a change as an exchange."""
    reading = event("refund.created", doc.refund(type="change", payment=[], penalty=0, amountToRefund=2_000_000))
    assert only(reading, EntityKind.REFUND).values["refund_type"] == "exchange"


def test_a_refund_without_times_stands_at_its_event() -> None:
    """Asiento places a refund that tells no time at the time of its event."""
    refund = only(event("refund.created", doc.refund(createdAt=None)), EntityKind.REFUND)
    assert refund.version.at_ms == refund.values["refunded_at_ms"] == doc.CREATED_MS


@pytest.mark.parametrize(
    "changes",
    [
        {"penalty": 100_000},
        {"payment": [{"amount": 17}]},
        {"payment": []},
        {"type": "change"},
    ],
    ids=["penalty", "payments fall short", "succeeded without payments", "a change with cash"],
)
def test_holds_a_refund_that_does_not_add_up(changes: Mapping[str, Any]) -> None:
    """Asiento holds a refund whose parts contradict each other."""
    assert held_event("refund.created", doc.refund(**changes)) is Quarantine.IDENTITY_BROKEN


def test_a_pending_refund_may_have_no_payments_yet() -> None:
    """Asiento takes a refund whose money has not moved yet as a debt."""
    refund = only(event("refund.created", doc.refund(status="pending", payment=[])), EntityKind.REFUND)
    assert (refund.values["status"], refund.values["amount_minor"]) == ("pending", 1800)


def test_takes_paid_back_amounts_of_either_sign() -> None:
    """Asiento knows from the kind of the event which way money goes, not from a sign that is not documented."""
    assert event("refund.created", doc.refund(payment=[{"amount": -10}, {"amount": 8}])).facts


def test_every_payment_is_its_own() -> None:
    """Asiento keeps several payments of one sale apart: by reference, else by position."""
    payments = [doc.payment(amount=5), doc.payment(amount=15, provider="stripe", type="credit", referenceNumber="ch_1")]
    reading = event("transaction.updated", doc.content(doc.transaction(payments=payments)))
    found = {fact.key.entity_id: fact.values for fact in reading.facts if fact.key.kind is EntityKind.PAYMENT}
    assert set(found) == {f"{doc.SALE_ID}:0", f"{doc.SALE_ID}:ch_1"}
    card = found[f"{doc.SALE_ID}:ch_1"]
    assert (card["amount_minor"], card["method"], card["processor"]) == (1500, "card", "stripe")
    assert (card["processor_payment"], card["reference"]) == ("payment:stripe:ch_1", "ch_1")
    assert "processor_payment" not in found[f"{doc.SALE_ID}:0"]


def test_links_a_processor_payment_by_number() -> None:
    """Asiento links a payment whose processor calls it by a number."""
    payments = [doc.payment(provider="mercadopago", referenceNumber=88_000_000_001)]
    reading = event("transaction.updated", doc.content(doc.transaction(payments=payments)))
    assert only(reading, EntityKind.PAYMENT).values["processor_payment"] == "payment:mercadopago:88000000001"


def test_holds_two_payments_of_one_reference() -> None:
    """Asiento never takes two payments for one because they carry the same reference."""
    payments = [doc.payment(referenceNumber="7"), doc.payment(referenceNumber="7")]
    assert (
        held_event("transaction.completed", doc.content(doc.transaction(payments=payments)))
        is Quarantine.IDENTITY_BROKEN
    )


def test_holds_a_cancellation_with_payments() -> None:
    """Asiento holds a cancellation that carries payments: its money goes back through refunds."""
    data = doc.content(doc.transaction(type="cancellation"))
    assert held_event("transaction.completed", data) is Quarantine.IDENTITY_BROKEN


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("paid", "open"),
        ("PAID", "open"),
        ("redeemed", "boarded"),
        ("boarded", "boarded"),
        ("noshow", "no_show"),
        ("no-show", "no_show"),
        ("no_show", "no_show"),
        ("cancelled", "refunded"),
        ("canceled", "refunded"),
        ("changed", "exchanged"),
        ("Void", "void"),
        ("voided", "void"),
        ("expired", "expired"),
    ],
)
def test_knows_every_ticket_status(theirs: str, ours: str) -> None:
    """Asiento reads the ticket statuses of the contract, of any case."""
    assert only(event("ticket.updated", doc.ticket(status=theirs)), EntityKind.TICKET).values["status"] == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("paid", "paid"),
        ("created", "pending"),
        ("waiting_for_payment", "pending"),
        ("payment expired", "expired"),
        ("reversed", "reversed"),
    ],
)
def test_knows_every_transaction_status(theirs: str, ours: str) -> None:
    """Asiento reads the transaction statuses of the contract."""
    reading = event("transaction.updated", doc.content(doc.transaction(status=theirs)))
    assert only(reading, EntityKind.SALE).values["status"] == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("success", "success"),
        ("error", "failed"),
        ("pending", "pending"),
        ("review", "pending"),
        ("refunded", "refunded"),
    ],
)
def test_knows_every_payment_status(theirs: str, ours: str) -> None:
    """Asiento reads the payment statuses of the contract."""
    reading = event("transaction.updated", doc.content(doc.transaction(payments=[doc.payment(status=theirs)])))
    assert only(reading, EntityKind.PAYMENT).values["status"] == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("cash", "cash"),
        ("credit", "card"),
        ("debit", "card"),
        ("transfer", "transfer"),
        ("voucher", "voucher"),
        ("gift_certificate", "gift_certificate"),
        ("wallet", "wallet"),
        ("account_money", "wallet"),
        ("boleto", "boleto"),
        ("pinpad", "other"),
        (None, "other"),
    ],
)
def test_names_every_payment_method(theirs: str | None, ours: str) -> None:
    """Asiento names the method of a payment in its own words, and what it has no word for `other`."""
    reading = event("transaction.updated", doc.content(doc.transaction(payments=[doc.payment(type=theirs)])))
    assert only(reading, EntityKind.PAYMENT).values["method"] == ours


@pytest.mark.parametrize(
    "data",
    [
        doc.content(doc.transaction(status="half paid")),
        doc.content(doc.transaction(type="loan")),
        doc.content(doc.transaction(payments=[doc.payment(status="perhaps")])),
        doc.content(tickets=[doc.ticket(status="standby")]),
        doc.content(refunds=[doc.refund(status="perhaps")]),
    ],
)
def test_holds_a_status_that_it_does_not_know(data: Any) -> None:
    """Asiento never guesses what a new status means; above all it is never revenue."""
    assert held_event("transaction.updated", data) is Quarantine.UNKNOWN_STATUS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (doc.content(doc.transaction(total=Decimal("2000000.5"))), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(total="2000000")), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(total=True)), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(total=2_000_001)), Quarantine.EXCESS_PRECISION),
        (doc.content(doc.transaction(total=10**22)), Quarantine.AMOUNT_OUT_OF_RANGE),
        (doc.content(doc.transaction(currency="XAU")), Quarantine.UNKNOWN_CURRENCY),
        (doc.content(doc.transaction(currency=None, shiftLocation={})), Quarantine.MISSING_FIELD),
        (doc.content(doc.transaction(payments=[doc.payment(amount=Decimal("20.005"))])), Quarantine.EXCESS_PRECISION),
        (doc.content(doc.transaction(_id="a/b")), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(_id="a\u202eb")), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(_id="")), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(_id="a" * 129)), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(updatedAt=doc.moment("yesterday"))), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(updatedAt=doc.moment("2024-08-06T15:02:51"))), Quarantine.WRONG_TYPE),
        (doc.content(doc.transaction(updatedAt=5)), Quarantine.WRONG_TYPE),
        (doc.content({"type": "sale"}), Quarantine.MISSING_FIELD),
        ({}, Quarantine.MISSING_FIELD),
        (None, Quarantine.WRONG_TYPE),
        ([], Quarantine.WRONG_TYPE),
    ],
)
def test_holds_what_is_not_as_the_contract_says(data: Any, reason: Quarantine) -> None:
    """Asiento names why a payload that breaks its contract is held."""
    assert held_event("transaction.completed", data) is reason


def test_an_exponent_cannot_be_made_to_fill_memory() -> None:
    """Asiento refuses 1e999999999 as an item amount at once instead of writing its digits out."""
    body = json.dumps(doc.envelope("ticket.updated", doc.ticket())).replace("2000000", "1e999999999")
    assert held(webhook("betterez", body.encode())) is Quarantine.WRONG_TYPE


def test_reads_whole_numbers_that_are_written_with_a_point() -> None:
    """Asiento reads 2000000.0 as the integer that it is."""
    ticket = only(event("ticket.updated", doc.ticket(total=Decimal("2000000.0"))), EntityKind.TICKET)
    assert ticket.values["fare_minor"] == 2000


def test_falls_back_to_the_currency_of_the_place() -> None:
    """Asiento takes the currency of the place of sale where the transaction names none, for its tickets too."""
    bare = doc.ticket(currency=None, shiftLocation={})
    data = doc.content(doc.transaction(currency=None), tickets=[bare])
    reading = event("transaction.completed", data)
    assert only(reading, EntityKind.SALE).values["currency"] == "ARS"
    assert only(reading, EntityKind.TICKET).values["currency"] == "ARS"


def test_states_nothing_that_is_absent() -> None:
    """Asiento leaves out what an event leaves out, empty text included: absence overwrites nothing."""
    data = doc.content(
        {"_id": doc.SALE_ID, "status": "paid", "agencyId": "", "updatedAt": doc.CHANGED}, tickets=None, feesDetails=None
    )
    reading = event("transaction.updated", data)
    assert reading.facts == (
        Fact(EntityKey(EntityKind.SALE, "betterez", doc.SALE_ID), Version(doc.CHANGED_MS, 1), {"status": "paid"}),
    )


@pytest.mark.parametrize("name", ["transaction.updated", "transaction.completed"])
def test_fetches_a_transaction_that_is_only_named(name: str) -> None:
    """Asiento asks for a transaction of which an event tells the id alone, as after a move."""
    for data in ({"_id": doc.SALE_ID}, {"transaction": {"_id": doc.SALE_ID, "updatedAt": doc.CHANGED}}):
        reading = event(name, data)
        assert reading.facts == ()
        assert [want.key for want in reading.wants] == [EntityKey(EntityKind.SALE, "betterez", doc.SALE_ID)]


def test_fetches_a_ticket_that_is_only_named() -> None:
    """Asiento asks for a ticket of which an event tells the id alone."""
    reading = event("ticket.moved", {"_id": doc.TICKET_ID})
    assert [want.key for want in reading.wants] == [EntityKey(EntityKind.TICKET, "betterez", doc.TICKET_ID)]


def test_a_reversal_is_reversed() -> None:
    """Asiento holds a reversal of a transaction that does not call itself reversed."""
    reading = event("transaction.reversed", doc.content(doc.transaction(status="reversed")))
    assert only(reading, EntityKind.SALE).values["status"] == "reversed"
    assert held_event("transaction.reversed", doc.content()) is Quarantine.IDENTITY_BROKEN


def test_notes_the_boarding() -> None:
    """Asiento notes when a ticket was first boarded."""
    scans = [{"redeemedAt": "2024-12-26T00:59:00.000Z"}, {"redeemedAt": doc.moment("2024-12-26T00:58:00.000Z")}, {}]
    ticket = only(event("ticket.scan.created", doc.ticket(status="redeemed", redemptions=scans)), EntityKind.TICKET)
    assert ticket.values["boarded_at_ms"] == 1_735_174_680_000


def test_reads_the_status_of_a_trip() -> None:
    """Asiento orders manifest statuses by the time of their events: they tell no other."""
    data = {
        "manifestId": "m-1",
        "routeId": "route-1",
        "scheduleId": "schedule-1",
        "manifestDate": doc.moment("2024-08-07T00:00:00.000Z"),
        "status": "paused",
    }
    reading = event("manifestStatus.updated", data)
    manifest = only(reading, EntityKind.MANIFEST)
    assert [want.key for want in reading.wants] == [manifest.key], "what the event does not tell is asked for"
    assert manifest.version.at_ms == doc.CREATED_MS
    assert manifest.values == {
        "route_id": "route-1",
        "service_id": "schedule-1",
        "travel_day": "2024-08-07",
        "status": "paused",
    }


@pytest.mark.parametrize("name", ["shift.created", "shift.updated", "shift.closed", "shifts.updated", "shifts.closed"])
def test_reads_shifts_under_each_of_their_names(name: str) -> None:
    """Asiento reads shift events in the singular and in the plural."""
    data = {
        "_id": "shift-1",
        "shiftNumber": "S-0000001",
        "agencyId": "agency-1",
        "accountId": "account-1",
        "location": {"name": "Retiro"},
        "user": {"username": "ana"},
        "closed": False,
        "closedAt": {},
        "createdAt": doc.moment(),
        "updatedAt": doc.CHANGED,
    }
    assert only(event(name, data), EntityKind.SHIFT).values == {
        "shift_number": "S-0000001",
        "location": "Retiro",
        "agency_id": "agency-1",
        "business_unit": "account-1",
        "is_closed": False,
        "opened_at_ms": doc.CREATED_MS,
    }


@pytest.mark.parametrize(
    "name",
    [
        "customer.created",
        "customers.merged",
        "product.updated",
        "user.updated",
        "invoices.created",
        "fallbackcode.used",
    ],
)
def test_applies_events_without_money(name: str) -> None:
    """Asiento knows the events that say nothing about money, and reads no facts from them."""
    reading = event(name, {"_id": "x", "email": "ana@example.org"})
    assert (reading.facts, reading.wants) == ((), ())


@pytest.mark.parametrize(
    "name",
    [
        "parcel.created",
        "pass.updated",
        "redeemableitem.created",
        "solditem.created",
        "giftcertificate.updated",
        "accountingitem.created",
        "payments.updated",
        "orders.modified",
        "shifts.deposit.created",
        "something.new",
    ],
)
def test_holds_events_whose_money_has_no_place_yet(name: str) -> None:
    """Asiento never drops an event that carries money which is not modelled, nor one that it does not know."""
    assert held_event(name, [{"amount": 10}]) is Quarantine.UNKNOWN_EVENT_TYPE


def test_holds_a_sale_with_items_that_have_no_place_yet() -> None:
    """Asiento does not take a sale with a parcel for one without."""
    assert held_event("transaction.completed", doc.content(parcels=[{"total": 1}])) is Quarantine.UNKNOWN_EVENT_TYPE


def test_keeps_test_mode_out() -> None:
    """Asiento holds events of test mode."""
    assert held_event("ticket.created", doc.ticket(), livemode=False) is Quarantine.TEST_MODE


@pytest.mark.parametrize("channel", [Channel.FILE, Channel.MANUAL])
def test_holds_channels_that_are_not_read_yet(channel: Channel) -> None:
    """Asiento keeps files and manual deliveries until it knows how to read them."""
    body = json.dumps(doc.envelope("ticket.created", doc.ticket())).encode()
    delivery = Delivery("d", "betterez", channel, RECEIVED_AT, "report.csv", {}, body)
    assert held(delivery) is Quarantine.UNSUPPORTED_ENCODING


def _packed(data: Any, encoding: str) -> str:
    plain = json.dumps(data).encode()
    packed = gzip.compress(plain) if encoding == "gzip" else zstandard.compress(plain)
    return base64.b64encode(packed).decode()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_reads_compressed_data(encoding: str) -> None:
    """Asiento unpacks compressed data and reads the same facts from it."""
    plain = event("ticket.created", doc.ticket())
    packed = event("ticket.created", _packed(doc.ticket(), encoding), enc=encoding)
    assert packed.facts == plain.facts


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_holds_a_bomb(encoding: str) -> None:
    """Asiento stops unpacking at its bound."""
    bomb = _packed("0" * (UNPACKED_BYTES_MAX + 1), encoding)
    assert held_event("ticket.created", bomb, enc=encoding) is Quarantine.UNSUPPORTED_ENCODING


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_holds_broken_compressed_data(encoding: str) -> None:
    """Asiento holds compressed data that is cut short, garbled, no base64 or of an unknown encoding."""
    packed = base64.b64decode(_packed(doc.ticket(), encoding))
    for broken in (packed[:-9], b"garbage" + packed, b""):
        text = base64.b64encode(broken).decode()
        assert held_event("ticket.created", text, enc=encoding) is Quarantine.UNSUPPORTED_ENCODING
    assert held_event("ticket.created", "***", enc=encoding) is Quarantine.UNSUPPORTED_ENCODING
    assert held_event("ticket.created", doc.ticket(), enc=encoding) is Quarantine.UNSUPPORTED_ENCODING
    assert held_event("ticket.created", "AAAA", enc="brotli") is Quarantine.UNSUPPORTED_ENCODING


def test_a_second_attempt_is_the_same_event() -> None:
    """Asiento sees that two attempts tell one event, and that other content under its id is another story."""
    first = event("ticket.created", doc.ticket())
    again = event("ticket.created", doc.ticket(), attemptId="another")
    other = event("ticket.created", doc.ticket(total=3_000_000))
    assert (again.event_key, again.content_digest) == (first.event_key, first.content_digest)
    assert other.event_key == first.event_key
    assert other.content_digest != first.content_digest


@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_means_nothing(random: Any) -> None:
    """Asiento sees one content however the keys of a body are ordered."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            items = [(name, shuffled(part)) for name, part in value.items()]
            random.shuffle(items)
            return dict(items)
        return [shuffled(part) for part in value] if isinstance(value, list) else value

    document = doc.envelope("transaction.completed", doc.content(refunds=[doc.refund()]))
    assert read(webhook("betterez", shuffled(document))) == read(webhook("betterez", document))


def test_reads_a_fetched_transaction_as_it_reads_its_event() -> None:
    """Asiento reads the same facts from a fetched transaction as from its webhook."""
    pushed = event("transaction.completed", doc.content())
    pulled = read(fetched("betterez", f"/operations/transactions/{doc.SALE_ID}", doc.content()))
    assert pulled.facts == pushed.facts
    assert pulled.event_type == "fetch.sale"
    fingerprint = pulled.content_digest[:16]
    assert pulled.event_key == f"betterez:fetch:sale:{doc.SALE_ID}:{doc.CHANGED_MS}:{fingerprint}"


def test_fetching_one_state_twice_is_one_event() -> None:
    """Asiento sees that two fetches found the same state, whenever they were made."""
    target = f"/operations/tickets/{doc.TICKET_ID}"
    first = read(fetched("betterez", target, doc.ticket()))
    later = read(fetched("betterez", target, doc.ticket(), RECEIVED_AT + timedelta(days=1)))
    changed = read(fetched("betterez", target, doc.ticket(status="boarded")))
    assert first.event_key == later.event_key
    assert changed.event_key != first.event_key


def test_reads_a_fetched_manifest_without_its_passengers() -> None:
    """Asiento reads the trip of a manifest with its capacity; who is listed on it is no statement about tickets.

    A manifest without a version stands at its arrival.
    """
    body = {
        "_id": "m-1",
        "accountId": "account-1",
        "routeId": "route-1",
        "scheduleId": "schedule-1",
        "manifestDate": doc.moment("2024-12-25T00:00:00.000Z"),
        "status": "published",
        "capacity": 60,
        "tickets": [doc.ticket(accountId=None)],
    }
    reading = read(fetched("betterez", "/operations/manifests/m-1", body))
    (manifest,) = reading.facts
    assert manifest.values == {
        "route_id": "route-1",
        "service_id": "schedule-1",
        "travel_day": "2024-12-25",
        "status": "published",
        "capacity": 60,
        "business_unit": "account-1",
    }
    assert manifest.version.at_ms == 1_722_956_580_000
    assert reading.wants == ()


def undelivered(payload: Any, **changes: Any) -> Delivery:
    """Return an entry of the list of undelivered webhooks, fetched."""
    entry = {"_id": "u-1", "url": "https://hooks.example", "reason": "ETIMEDOUT", "payload": payload, **changes}
    return fetched("betterez", "/webhooks/undelivered/u-1", entry)


def test_reads_an_undelivered_webhook_as_the_webhook() -> None:
    """Asiento reads the same event from the list of undelivered webhooks as from the webhook, and knows that it was told."""
    envelope = doc.envelope("transaction.completed", doc.content())
    pushed = read(webhook("betterez", envelope))
    listed = read(undelivered({**envelope, "attemptId": "another"}))
    assert listed._replace(repeats_webhook=False) == pushed
    assert listed.repeats_webhook
    assert not pushed.repeats_webhook


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (undelivered(doc.envelope("ticket.created", doc.ticket()), _id="u-2"), Quarantine.IDENTITY_BROKEN),
        (undelivered(doc.envelope("ticket.created", doc.ticket(status="standby"))), Quarantine.UNKNOWN_STATUS),
        (undelivered(doc.envelope("ticket.created", doc.ticket(), livemode=False)), Quarantine.TEST_MODE),
        (undelivered(None), Quarantine.MISSING_FIELD),
        (undelivered("text"), Quarantine.MISSING_FIELD),
        (undelivered({"data": {}}), Quarantine.MISSING_FIELD),
    ],
)
def test_holds_an_undelivered_webhook_as_it_holds_the_webhook(delivery: Delivery, reason: Quarantine) -> None:
    """Asiento quarantines an entry about another one, without a payload, or whose payload it would quarantine itself."""
    assert held(delivery) is reason


def test_reads_a_fetched_shift() -> None:
    """Asiento reads a fetched shift."""
    body = {"_id": "shift-1", "closed": True, "closedAt": doc.moment(), "updatedAt": doc.CHANGED}
    shift = only(read(fetched("betterez", "/accounts/shifts/shift-1", body)), EntityKind.SHIFT)
    assert shift.values == {"is_closed": True, "closed_at_ms": doc.CREATED_MS}


@pytest.mark.parametrize(
    ("target", "body", "reason"),
    [
        ("/operations/transactions/other", doc.content(), Quarantine.IDENTITY_BROKEN),
        (f"/operations/transactions/{doc.SALE_ID}", {"_id": doc.SALE_ID}, Quarantine.MISSING_FIELD),
        ("/operations/parcels/x", {"_id": "x"}, Quarantine.UNKNOWN_EVENT_TYPE),
        ("/x", {"_id": "x"}, Quarantine.UNKNOWN_EVENT_TYPE),
    ],
)
def test_holds_answers_that_are_not_what_was_asked_for(target: str, body: Any, reason: Quarantine) -> None:
    """Asiento holds an answer about another thing, one that says nothing, and one that it does not know."""
    assert held(fetched("betterez", target, body)) is reason


def test_states_only_declared_fields_and_nothing_personal() -> None:
    """Asiento never makes a passenger's name or address a fact, and states nothing outside its vocabulary."""
    data = doc.content(refunds=[doc.refund()])
    for fact in event("transaction.completed", data).facts:
        declared = FIELDS[fact.key.kind]
        for name, value in fact.values.items():
            assert type(value) is declared[name].type
            assert not any(person in str(value) for person in ("Ana", "Peralta", "example.org"))
