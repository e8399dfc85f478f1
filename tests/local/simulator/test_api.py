"""The APIs serve what the events told last, to whoever may ask, and misbehave when told to."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

import httpx
import pytest

from local.simulator import Access, Api, ApiServer, Chaos, Plan, Season
from local.simulator.moments import day_of

ACCESS = Access()
KEY = {"X-API-KEY": ACCESS.api_key}
STRIPE = {"Authorization": f"Bearer {ACCESS.stripe_key}"}
MERCADO_PAGO = {"Authorization": f"Bearer {ACCESS.mercado_pago_token}"}


class _Client:
    """Asks the platform as a logged-in service user does, and reads numbers exactly."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{server.port}")
        self.session = self.log_in().json()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.close()

    def log_in(self, password: str = ACCESS.password) -> httpx.Response:
        return self.http.post(
            "/betterez/accounts/users", json={"audience": "betterez-app"}, headers=KEY, auth=(ACCESS.user, password)
        )

    def ask(self, path: str, **params: str) -> httpx.Response:
        headers = {**KEY, "Authorization": f"Bearer {self.session['shortToken']}"}
        return self.http.get(f"/betterez{path}", params=params, headers=headers)

    def get(self, path: str, **params: str) -> Any:
        return _read(self.ask(path, **params))


def _read(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return json.loads(answer.content, parse_float=Decimal)


@pytest.fixture(scope="module")
def plan(season: Season) -> Plan:
    """Return a plan that loses some events."""
    return Plan(season, Chaos(seed=1, loss_share=0.02))


@pytest.fixture
def client(season: Season, plan: Plan) -> Iterator[_Client]:
    """Yield a client of the season's APIs, each test with a server of its own."""
    with ApiServer(Api(season.company, undelivered=plan.undelivered())) as server, _Client(server) as client:
        yield client


@pytest.fixture(scope="module")
def last_told(season: Season) -> dict[str, dict[str, Any]]:
    """Return the last document that the platform's events tell of each transaction, ticket and refund, by id."""
    told: dict[str, dict[str, Any]] = {}
    for emission in season.emissions():
        if emission.provider == "betterez":
            data = json.loads(emission.body, parse_float=Decimal)["data"]
            if "transaction" in data:
                told[data["transaction"]["_id"]] = data["transaction"]
                for item in (*data["tickets"], *data["refunds"]):
                    told[item["_id"]] = item
            elif emission.event_type.startswith(("ticket.", "refund.")):
                told[data["_id"]] = data
    return told


def test_transactions_are_served_as_they_were_told_last(
    season: Season, client: _Client, last_told: dict[str, dict[str, Any]]
) -> None:
    """Asiento's simulator answers for a transaction with exactly what the last events said of it and all its items."""
    sale_ids = [sale.id for sale in season.company.sales.values() if sale.refund_ids or len(sale.payments) > 1]
    for sale_id in sale_ids[:150]:
        data = client.get(f"/operations/transactions/{sale_id}")
        _assert_told(data["transaction"], last_told)
        for item in (*data["tickets"], *data["refunds"]):
            assert item == last_told[item["_id"]]


def _assert_told(sale: dict[str, Any], last_told: dict[str, dict[str, Any]]) -> None:
    told = last_told[sale["_id"]]
    # After a move only the id is told, so that the version alone may be newer than any document.
    assert {**sale, "updatedAt": None} == {**told, "updatedAt": None}
    assert sale["updatedAt"]["value"] >= told["updatedAt"]["value"]


def test_manifests_hold_every_ticket_once(
    season: Season, client: _Client, last_told: dict[str, dict[str, Any]]
) -> None:
    """Asiento's simulator lists each ticket, whatever its status, on the trip for which it stands."""
    days = sorted({day_of(trip.day_start_ms) for trip in season.company.trips.values()})
    listed: dict[str, dict[str, Any]] = {}
    first = days[0]
    while first <= days[-1]:
        last = first + timedelta(days=30)
        for manifest in client.get("/operations/manifests", dateFrom=str(first), dateTo=str(last))["manifests"]:
            for ticket in manifest["tickets"]:
                assert ticket["_id"] not in listed
                listed[ticket["_id"]] = ticket
        first = last + timedelta(days=1)

    assert listed == {ticket_id: last_told[ticket_id] for ticket_id in season.company.tickets}


def test_shifts_list_their_transactions_and_add_up(season: Season, client: _Client) -> None:
    """Asiento's simulator answers for a shift with its transactions, and with a summary that its payments add up to."""
    shift_id = max(
        (sale.counter.shift.id for sale in season.company.sales.values() if sale.counter.shift),
        key=lambda shift_id: sum(
            sale.counter.shift is not None and sale.counter.shift.id == shift_id
            for sale in season.company.sales.values()
        ),
    )
    path = f"/accounts/shifts/{shift_id}"

    transactions = client.get(f"{path}/transactions")["transactions"]
    summary = client.get(f"{path}/sales-summary")
    payments = client.get(f"{path}/payments")["payments"]

    assert len(transactions) > 1
    assert {transaction["shiftId"] for transaction in transactions} == {shift_id}
    assert sum(part["amount"] for part in summary["payments"]) == sum(payment["amount"] for payment in payments)
    assert len(payments) == sum(len(transaction["payments"]) for transaction in transactions)
    assert client.get(path)["_id"] == shift_id


def test_shifts_are_listed_by_day_and_state(season: Season, client: _Client) -> None:
    """Asiento's simulator lists the shifts opened in a span of days, open and closed ones apart if asked."""
    span = {"fromDate": str(season.first_day), "toDate": str(season.last_day)}

    everything = client.get("/accounts/shifts", **span, includeActivity="false")["shifts"]
    still_open = client.get("/accounts/shifts", **span, status="open")["shifts"]
    closed = client.get("/accounts/shifts", **span, status="closed")["shifts"]

    assert len(everything) == len(season.company.shifts) == len(still_open) + len(closed)
    assert still_open
    assert all(shift["closedAt"] == {} for shift in still_open)


def test_undeliverables_can_be_read_and_sent_again(client: _Client, plan: Plan) -> None:
    """Asiento's simulator lists undeliverables with their payload, and hands over those that are to be sent again."""
    undelivered = client.get("/webhooks/undelivered")["undelivered"]
    assert [entry["payload"]["id"] for entry in undelivered] == [emission.event_id for emission in plan.undelivered()]

    path = f"/webhooks/undelivered/{undelivered[0]['_id']}"
    assert client.get(path) == undelivered[0]
    headers = {**KEY, "Authorization": f"Bearer {client.session['shortToken']}"}
    assert client.http.put(f"/betterez{path}/retry", headers=headers).status_code == 200

    assert client.ask(path).status_code == 404
    assert client.server.api.retried == plan.undelivered()[:1]


def test_nobody_asks_without_key_and_token(client: _Client) -> None:
    """Asiento's simulator answers 401 to whoever lacks the key, the token, or the right password."""
    path = "/betterez/accounts/shifts"

    assert client.http.get(path).status_code == 401
    assert client.http.get(path, headers=KEY).status_code == 401
    assert client.log_in("wrong").status_code == 401
    assert client.http.get("/stripe/v1/charges").status_code == 401
    assert client.http.get("/mercadopago/v1/payments/1").status_code == 401


def test_a_refresh_token_serves_once(client: _Client) -> None:
    """Asiento's simulator gives a new session for a refresh token, and refuses it the second time."""
    body = {"refreshToken": client.session["refreshToken"]}

    first, second = (client.http.post("/betterez/accounts/refresh-token", json=body, headers=KEY) for _ in range(2))

    assert first.status_code == 200
    assert first.json()["refreshToken"] != client.session["refreshToken"]
    assert second.status_code == 400
    assert second.json()["code"] == "WRONG_DATA"


def test_tokens_end(season: Season) -> None:
    """Asiento's simulator refuses a token that has expired, and one that was revoked before its time."""
    with ApiServer(Api(season.company, access=Access(token_life_s=-1))) as server, _Client(server) as late:
        assert late.ask("/webhooks/undelivered").status_code == 401
    with ApiServer(Api(season.company)) as server, _Client(server) as revoked:
        assert revoked.ask("/webhooks/undelivered").status_code == 200
        server.api.sessions.revoke_tokens()
        assert revoked.ask("/webhooks/undelivered").status_code == 401


def test_misbehaviour_lasts_as_long_as_it_was_told_to(client: _Client) -> None:
    """Asiento's simulator asks for patience and fails for the planned number of requests, then answers."""
    client.server.api.misbehaviour.limit_rate(1, retry_after_s=7)
    client.server.api.misbehaviour.fail(2, status=502)

    answers = [client.ask("/webhooks/undelivered") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 502, 502, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert client.server.api.misbehaviour.shown == 3


def test_stripe_lists_in_pages_newest_first(season: Season, client: _Client) -> None:
    """Asiento's simulator lists every charge once, newest first, as its last event told it, with its movement if asked."""
    told = {}
    for emission in season.emissions():
        if emission.event_type in ("charge.succeeded", "charge.refunded"):
            thing = json.loads(emission.body)["data"]["object"]
            told[thing["id"]] = thing
    listed: list[dict[str, Any]] = []
    params: dict[str, str] = {"limit": "100"}
    while True:
        page = _read(client.http.get("/stripe/v1/charges", params=params, headers=STRIPE))
        listed += page["data"]
        if not page["has_more"]:
            break
        params["starting_after"] = page["data"][-1]["id"]

    assert len(listed) > 100
    assert [charge["created"] for charge in listed] == sorted((charge["created"] for charge in listed), reverse=True)
    disputed = {charge_id for charge_id, charge in season.company.stripe.charges.items() if charge.is_disputed}
    assert {charge["id"]: charge for charge in listed} == {
        charge_id: {**charge, "disputed": charge_id in disputed} for charge_id, charge in told.items()
    }
    expanded = _read(
        client.http.get(
            f"/stripe/v1/charges/{listed[0]['id']}", params={"expand[]": "balance_transaction"}, headers=STRIPE
        )
    )
    movement = expanded["balance_transaction"]
    assert movement["amount"] - movement["fee"] == movement["net"]


def test_stripe_lists_by_time_and_link(season: Season, client: _Client) -> None:
    """Asiento's simulator narrows lists by time and by what they belong to, and refuses what it does not know."""
    payout = next(iter(season.company.stripe.payouts.values()))
    span = {"created[gte]": str(payout.created_s), "created[lt]": str(payout.created_s + 1)}

    payouts = _read(client.http.get("/stripe/v1/payouts", params=span, headers=STRIPE))
    movements = _read(
        client.http.get("/stripe/v1/balance_transactions", params={"payout": payout.id, "limit": "100"}, headers=STRIPE)
    )

    assert payout.id in [found["id"] for found in payouts["data"]]
    assert not movements["has_more"]
    assert sum(movement["net"] for movement in movements["data"]) == 0, "what came in was paid out"
    unknown = client.http.get("/stripe/v1/charges", params={"colour": "red"}, headers=STRIPE)
    assert unknown.status_code == 400
    assert client.http.get("/stripe/v1/charges/ch_none", headers=STRIPE).status_code == 404


def test_mercado_pago_searches_in_pages(season: Season, client: _Client) -> None:
    """Asiento's simulator finds every wallet payment once by its time, with amounts in exact decimals."""
    found: dict[int, dict[str, Any]] = {}
    params = {
        "range": "date_approved",
        "begin_date": "2025-12-31T00:00:00.000-04:00",
        "end_date": "2026-04-30T00:00:00Z",
        "sort": "date_approved",
        "criteria": "asc",
        "limit": "200",
    }
    while True:
        page = _read(
            client.http.get(
                "/mercadopago/v1/payments/search", params={**params, "offset": str(len(found))}, headers=MERCADO_PAGO
            )
        )
        found |= {payment["id"]: payment for payment in page["results"]}
        if len(found) >= page["paging"]["total"]:
            break

    payments = season.company.wallet.payments
    assert found.keys() == payments.keys()
    assert all(found[payment.id]["transaction_amount"] * 100 == payment.amount_minor for payment in payments.values())
    refunded = next(payment for payment in payments.values() if payment.refunds)
    one = _read(client.http.get(f"/mercadopago/v1/payments/{refunded.id}", headers=MERCADO_PAGO))
    assert one == found[refunded.id]
    assert sum(refund["amount"] for refund in one["refunds"]) == one["transaction_amount_refunded"]
    too_far = client.http.get("/mercadopago/v1/payments/search", params={"offset": "10001"}, headers=MERCADO_PAGO)
    assert too_far.status_code == 400
