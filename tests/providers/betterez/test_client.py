"""Asiento asks Betterez: one session that renews itself, two sweeps, and fetches by id."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import jwt
import pytest

from shared.domain.errors import NotFoundError, SettingsError, TerminalError, TransientError, UnreadableError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window, from_ms
from shared.ports.provider import (
    AlsoTells,
    ApiAccess,
    Listed,
    ManifestApi,
    Total,
    TotalsApi,
    Undelivered,
    UndeliveredApi,
)
from shared.providers.betterez import PROVIDER
from shared.providers.betterez.client import BetterezApi
from tests.providers.api_server import Answer, ApiServer, Request, serving
from tests.providers.betterez import documents as doc

CREDENTIALS = json.dumps({"api_key": "key-1", "user": "svc", "password": "pässword"})
LIFETIME_S = 3600
AUGUST_6 = Window.of_days(date(2024, 8, 6), date(2024, 8, 6))
SALE = EntityKey(EntityKind.SALE, "betterez", doc.SALE_ID)


@dataclass
class Platform:
    """The platform's side: it issues tokens, takes each refresh token once, and can revoke what it issued."""

    answers: dict[str, Answer] = field(default_factory=dict)
    live_token: str = ""
    refresh_token: str = ""
    issued: int = 0
    gives_refresh_tokens: bool = True

    def __call__(self, request: Request) -> Answer:
        """Answer one request as the platform does."""
        if request.headers.get("x-api-key") != "key-1":
            return Answer(b"Unauthorized", 401)
        if request.path == "/accounts/users":
            return self._login(request)
        if request.path == "/accounts/refresh-token":
            return self._refresh(request)
        if request.headers.get("authorization") != f"Bearer {self.live_token}":
            return Answer({"error": "Unauthorized"}, 401)
        return self.answers.get(request.path, Answer({"code": "NOT_FOUND"}, 404))

    def _login(self, request: Request) -> Answer:
        expected = "Basic " + base64.b64encode("svc:pässword".encode()).decode()
        if request.headers.get("authorization") != expected or json.loads(request.body) != {"audience": "betterez-app"}:
            return Answer({"code": "MFA_REQUIRED"}, 401)
        return self._tokens()

    def _refresh(self, request: Request) -> Answer:
        if not self.refresh_token or json.loads(request.body) != {"refreshToken": self.refresh_token}:
            return Answer({"code": "WRONG_DATA"}, 400)
        return self._tokens()

    def _tokens(self) -> Answer:
        self.issued += 1
        claims = {"iat": 1000, "exp": 1000 + LIFETIME_S, "jti": str(self.issued)}
        self.live_token = jwt.encode(claims, "k" * 64, algorithm="HS512")
        self.refresh_token = f"refresh-{self.issued}" if self.gives_refresh_tokens else ""
        answer = {"user": {"email": "svc@example.org"}, "token": "long", "shortToken": self.live_token}
        return Answer({**answer, "refreshToken": self.refresh_token} if self.gives_refresh_tokens else answer)


@dataclass
class Stopwatch:
    """A stopwatch that moves only when it is told to."""

    seconds: float = 0.0

    def __call__(self) -> float:
        """Return the seconds so far."""
        return self.seconds


@contextmanager
def opened(platform: Platform, stopwatch: Stopwatch | None = None) -> Iterator[tuple[BetterezApi, ApiServer]]:
    """Open a client against a running platform."""
    with serving(platform) as server:
        api = BetterezApi(ApiAccess(server.base_url, CREDENTIALS), stopwatch or Stopwatch())
        try:
            yield api, server
        finally:
            api.close()


def with_sale() -> Platform:
    """Return a platform that knows one transaction."""
    return Platform({f"/operations/transactions/{doc.SALE_ID}": Answer(doc.content())})


def test_logs_in_once_and_fetches() -> None:
    """Asiento logs in when it first asks, and asks on with the same token."""
    with opened(with_sale()) as (api, server):
        first, second = api.fetch(SALE), api.fetch(SALE)
        assert first == second
        assert first.target == f"GET /operations/transactions/{doc.SALE_ID}"
        assert json.loads(first.body) == doc.content()
        assert len(server.asked("/accounts/users")) == 1


def test_renews_a_token_before_it_ends() -> None:
    """Asiento renews its token by the refresh token shortly before it ends, not earlier."""
    platform, stopwatch = with_sale(), Stopwatch()
    with opened(platform, stopwatch) as (api, server):
        api.fetch(SALE)
        stopwatch.seconds = LIFETIME_S - 61
        api.fetch(SALE)
        assert not server.asked("/accounts/refresh-token")
        stopwatch.seconds = LIFETIME_S - 59
        api.fetch(SALE)
        assert len(server.asked("/accounts/refresh-token")) == 1
        assert len(server.asked("/accounts/users")) == 1


def test_survives_a_refused_token() -> None:
    """Asiento renews a token that is refused, and asks again once."""
    platform = with_sale()
    with opened(platform) as (api, server):
        api.fetch(SALE)
        platform.live_token = "revoked"
        assert json.loads(api.fetch(SALE).body) == doc.content()
        assert len(server.asked("/accounts/refresh-token")) == 1


def test_never_offers_a_refresh_token_twice() -> None:
    """Asiento logs in again where the refresh token is not taken, and does not show it a second time."""
    platform = with_sale()
    with opened(platform) as (api, server):
        api.fetch(SALE)
        platform.live_token, platform.refresh_token = "revoked", "revoked too"
        assert json.loads(api.fetch(SALE).body) == doc.content()
        offered = [request.body for request in server.asked("/accounts/refresh-token")]
        assert len(offered) == 1
        assert len(server.asked("/accounts/users")) == 2


def test_works_without_refresh_tokens() -> None:
    """Asiento logs in again where the platform issues no refresh tokens."""
    platform = with_sale()
    platform.gives_refresh_tokens = False
    with opened(platform) as (api, server):
        api.fetch(SALE)
        platform.live_token = "revoked"
        api.fetch(SALE)
        assert len(server.asked("/accounts/users")) == 2
        assert not server.asked("/accounts/refresh-token")


def test_gives_up_on_wrong_credentials() -> None:
    """Asiento says that its credentials are not accepted, without showing them, and does not hammer the login."""
    with serving(with_sale()) as server:
        wrong = json.dumps({"api_key": "key-1", "user": "svc", "password": "wrong-password"})
        api = BetterezApi(ApiAccess(server.base_url, wrong))
        with pytest.raises(TerminalError, match="credentials are not accepted") as refused:
            api.fetch(SALE)
        assert "wrong-password" not in str(refused.value)
        assert len(server.asked("/accounts/users")) == 1
        api.close()


def test_a_token_that_stays_refused_ends_the_attempt() -> None:
    """Asiento does not renew for ever where every token is refused."""
    platform = Platform({"/operations/transactions/x": Answer({}, 401)})
    with opened(platform) as (api, server):
        with pytest.raises(TerminalError):
            api.fetch(EntityKey(EntityKind.SALE, "betterez", "x"))
        assert len(server.asked("/operations/transactions/x")) == 2


def test_refuses_a_token_that_is_none() -> None:
    """Asiento says that the platform broke its contract where the token is no JWT."""

    def answer(_: Request) -> Answer:
        return Answer({"shortToken": "no jwt"})

    with serving(answer) as server:
        api = BetterezApi(ApiAccess(server.base_url, CREDENTIALS))
        with pytest.raises(TerminalError, match="no JWT"):
            api.fetch(SALE)
        api.close()


@pytest.mark.usefixtures("no_pauses")
def test_is_patient_with_a_busy_platform() -> None:
    """Asiento asks a busy platform a few times and then says that later can help."""
    platform = Platform({"/operations/transactions/x": Answer({}, 429, {"retry-after": "0"})})
    with opened(platform) as (api, server):
        with pytest.raises(TransientError):
            api.fetch(EntityKey(EntityKind.SALE, "betterez", "x"))
        assert len(server.asked("/operations/transactions/x")) == 4


def test_names_what_is_not_there() -> None:
    """Asiento tells what the platform does not know from what went wrong."""
    with opened(Platform()) as (api, _), pytest.raises(NotFoundError):
        api.fetch(SALE)


@pytest.mark.parametrize("kind", [EntityKind.REFUND, EntityKind.PAYMENT, EntityKind.SETTLEMENT_LINE])
def test_says_that_there_is_no_such_endpoint(kind: EntityKind) -> None:
    """Asiento says what to fetch instead of a refund or payment, which the platform does not serve by id."""
    with opened(Platform()) as (api, _), pytest.raises(TerminalError, match="fetch the sale"):
        api.fetch(EntityKey(kind, "betterez", "x"))


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (EntityKind.TICKET, "/operations/tickets/x"),
        (EntityKind.MANIFEST, "/operations/manifests/x"),
        (EntityKind.SHIFT, "/accounts/shifts/x"),
    ],
)
def test_fetches_each_kind_by_its_path(kind: EntityKind, path: str) -> None:
    """Asiento knows where each kind is asked for."""
    with opened(Platform({path: Answer({"_id": "x"})})) as (api, _):
        assert api.fetch(EntityKey(kind, "betterez", "x")).target == f"GET {path}"


def listed(platform: Platform, kind: EntityKind, window: Window) -> tuple[list[Listed], ApiServer]:
    """List a window, and return what was asked."""
    with opened(platform) as (api, server):
        return list(api.list_window(kind, window)), server


def test_lists_sales_by_shift() -> None:
    """Asiento lists the sales of a day through the shifts around it, and keeps those that were made in the window."""
    before = doc.transaction(_id="a" * 24, createdAt=doc.moment("2024-08-06T02:59:59.999Z"))
    unreadable = doc.transaction(_id="b" * 24, status="half paid")
    platform = Platform(
        {
            "/accounts/shifts": Answer({"shifts": [{"_id": "shift-1"}, {"_id": "shift-2"}]}),
            "/accounts/shifts/shift-1/transactions": Answer({"transactions": [doc.transaction(), before]}),
            "/accounts/shifts/shift-2/transactions": Answer({"transactions": [unreadable]}),
        }
    )
    found, server = listed(platform, EntityKind.SALE, AUGUST_6)
    (request,) = server.asked("/accounts/shifts")
    assert request.query == {"fromDate": "2024-08-05", "toDate": "2024-08-07", "includeActivity": "false"}
    unreadable_key = EntityKey(EntityKind.SALE, "betterez", "b" * 24)
    assert found == [
        Listed(SALE, doc.CHANGED_MS, 2000, "ARS", "paid", SALE, found[0].occurred_at_ms),
        Listed(unreadable_key, 0, None, None, "", unreadable_key, found[0].occurred_at_ms),
    ]
    assert found[0].occurred_at_ms is not None
    assert AUGUST_6.start <= from_ms(found[0].occurred_at_ms) < AUGUST_6.end


def test_lists_tickets_by_day_of_travel() -> None:
    """Asiento lists tickets through the manifests of their travel days, in spans of a week, each to be fetched with its sale."""
    late = doc.ticket(_id="c" * 24, departureTimestamp="2025-02-01T03:00:00.000Z")
    manifest = {"_id": "m-1", "accountId": "account-1", "status": "published", "tickets": [doc.ticket(), late]}
    platform = Platform({"/operations/manifests": Answer({"manifests": [manifest]})})
    window = Window.of_days(date(2024, 12, 25), date(2024, 12, 31))
    found, server = listed(platform, EntityKind.TICKET, window)
    spans = [(request.query["dateFrom"], request.query["dateTo"]) for request in server.asked("/operations/manifests")]
    assert spans == [("2024-12-24", "2024-12-30"), ("2024-12-31", "2025-01-01")]
    key = EntityKey(EntityKind.TICKET, "betterez", doc.TICKET_ID)
    assert found[0] == Listed(key, doc.CHANGED_MS, 2000, "ARS", "open", SALE, found[0].occurred_at_ms)
    assert found[0].occurred_at_ms is not None
    assert window.start <= from_ms(found[0].occurred_at_ms) < window.end
    assert {entry.key for entry in found} == {key}


def test_lists_a_ticket_without_its_sale_by_itself() -> None:
    """Asiento fetches a listed ticket alone where it names no sale, and lists one that it cannot read."""
    tickets = [doc.ticket(trxId=""), doc.ticket(_id="c" * 24, status="standby")]
    platform = Platform({"/operations/manifests": Answer({"manifests": [{"_id": "m-1", "tickets": tickets}]})})
    found, _ = listed(platform, EntityKind.TICKET, Window.of_days(date(2024, 12, 25), date(2024, 12, 25)))
    assert [(entry.fetch.kind, entry.version_at_ms) for entry in found] == [
        (EntityKind.TICKET, doc.CHANGED_MS),
        (EntityKind.SALE, 0),
    ]


def test_lists_manifests_of_the_days_alone() -> None:
    """Asiento lists manifests of exactly the days asked for."""
    platform = Platform({"/operations/manifests": Answer({"manifests": [{"_id": "m-1", "status": "paused"}]})})
    found, server = listed(platform, EntityKind.MANIFEST, AUGUST_6)
    key = EntityKey(EntityKind.MANIFEST, "betterez", "m-1")
    assert found == [Listed(key, 0, None, None, "paused", key)]
    assert [request.query for request in server.asked("/operations/manifests")] == [
        {"dateFrom": "2024-08-06", "dateTo": "2024-08-06"}
    ]


def test_lists_who_sits_where() -> None:
    """Asiento lists a day's trips with the seat of every ticket, given back or not, and nothing of the passenger."""
    tickets = [
        doc.ticket(arrivalTimestamp="2024-12-26T05:00:00.000Z"),
        doc.ticket(_id="c" * 24, seat=None, status="cancelled", updatedAt=None),
    ]
    manifest = {
        "_id": "m-1",
        "routeId": "route-1",
        "scheduleId": "schedule-1",
        "status": "Published",
        "capacity": 45,
        "tickets": tickets,
    }
    with opened(Platform({"/operations/manifests": Answer({"manifests": [manifest, {"_id": "m-2"}]})})) as (
        api,
        server,
    ):
        first, second = api.list_manifests(date(2024, 12, 25))
        assert [request.query for request in server.asked("/operations/manifests")] == [
            {"dateFrom": "2024-12-25", "dateTo": "2024-12-25"}
        ]
    key = EntityKey(EntityKind.MANIFEST, "betterez", "m-1")
    assert first.listed == Listed(key, 0, None, None, "published", key)
    assert (first.travel_day, first.route_id, first.service_id) == (date(2024, 12, 25), "route-1", "schedule-1")
    assert first.capacity == 45
    seats = [(seat.ticket.status, seat.seat, seat.origin, seat.destination) for seat in first.seats]
    assert seats == [("open", "12", "Retiro", "Rosario"), ("refunded", "", "Retiro", "Rosario")]
    assert [seat.arrives_at_ms for seat in first.seats] == [1_735_189_200_000, None]
    assert "Peralta" not in repr(first)
    assert (second.capacity, second.seats) == (None, ())


def test_lists_what_could_not_be_delivered() -> None:
    """Asiento lists undelivered webhooks by the key of their event, and fetches each byte for byte."""
    entry = {"_id": "u-1", "reason": "ETIMEDOUT", "payload": doc.envelope("ticket.created", doc.ticket())}
    platform = Platform(
        {
            "/webhooks/undelivered": Answer({"undelivered": [entry, {"_id": "u-2", "payload": {"id": 7}}]}),
            "/webhooks/undelivered/u-1": Answer(entry),
        }
    )
    with opened(platform) as (api, _):
        event_key = f"betterez:{doc.envelope('ticket.created', {})['id']}"
        assert list(api.list_undelivered()) == [Undelivered("u-1", event_key), Undelivered("u-2", "")]
        fetched = api.fetch_undelivered("u-1")
        assert fetched.target == "GET /webhooks/undelivered/u-1"
        assert json.loads(fetched.body) == entry
        with pytest.raises(NotFoundError):
            api.fetch_undelivered("u-3")


def summary(**changes: object) -> bytes:
    """Return what a session came to, as text, for the amounts are decimals."""
    parts = {
        "shiftId": '"shift-1"',
        "currency": '"ARS"',
        "payments": '[{"type": "cash", "amount": 100.1}, {"type": "debit", "amount": 20}, {"type": "credit", "amount": 0.05}]',
        "refunds": '[{"type": "cash", "amount": -18.00}, {"type": "debit", "amount": 2}]',
        **changes,
    }
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in parts.items()) + "}").encode()


def with_shifts(answer: bytes) -> Platform:
    """Return a platform with one closed shift of the day, one that is open, and one of the evening before."""
    shifts = [
        {
            "_id": "shift-1",
            "createdAt": doc.moment(),
            "closed": True,
            "closedAt": doc.moment("2024-08-06T20:00:00.000Z"),
        },
        {"_id": "shift-2", "createdAt": doc.moment(), "closed": False, "closedAt": {}},
        {"_id": "shift-3", "createdAt": doc.moment("2024-08-06T02:00:00.000Z"), "closedAt": doc.moment()},
    ]
    return Platform(
        {
            "/accounts/shifts": Answer({"shifts": shifts}),
            "/accounts/shifts/shift-1/sales-summary": Answer(answer),
        }
    )


def test_lists_what_each_session_came_to() -> None:
    """Asiento lists a day's sessions with their totals: payments by its own methods, refunds in one, open ones without."""
    with opened(with_shifts(summary())) as (api, _):
        closed, still_open = api.list_totals(date(2024, 8, 6))
    assert closed.totals == (
        Total("card payments", "ARS", 2_005),
        Total("cash payments", "ARS", 10_010),
        Total("refunds", "ARS", 2_000),
    )
    assert (still_open.key.entity_id, still_open.closed_at_ms, still_open.totals) == ("shift-2", None, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "null"},
        {"currency": '"XQZ"'},
        {"payments": '[{"type": "cash", "amount": 1.005}]'},
        {"payments": '[{"type": "cash", "amount": "1.00"}]'},
        {"refunds": "null"},
    ],
    ids=["no currency", "unknown currency", "half a cent", "text", "no refunds"],
)
def test_refuses_a_total_that_is_not_certain(changes: dict[str, str]) -> None:
    """Asiento guesses no total: one without a known currency, with a fraction of a cent or as text ends the comparison."""
    with opened(with_shifts(summary(**changes))) as (api, _), pytest.raises(UnreadableError):
        list(api.list_totals(date(2024, 8, 6)))


@pytest.mark.parametrize("kind", [EntityKind.SALE, EntityKind.TICKET, EntityKind.MANIFEST])
def test_an_empty_window_asks_nothing(kind: EntityKind) -> None:
    """Asiento asks nothing for a window that holds no instant."""
    instant = datetime(2024, 8, 6, tzinfo=UTC)
    found, server = listed(Platform(), kind, Window(instant, instant))
    assert found == []
    assert server.requests == []


def test_declares_which_sales_its_listing_covers() -> None:
    """Asiento expects only sales of a shift in the listing of sales, and every ticket in that of tickets."""
    covers = PROVIDER.capabilities.listing_covers
    assert covers(EntityKind.SALE, {"shift": "shift:betterez:s-1"})
    assert not covers(EntityKind.SALE, {})
    assert covers(EntityKind.TICKET, {})


def test_does_not_list_what_it_cannot() -> None:
    """Asiento refuses to list a kind that the platform has no listing of, at once."""
    with opened(Platform()) as (api, _), pytest.raises(TerminalError, match="no listing"):
        api.list_window(EntityKind.REFUND, AUGUST_6)


def test_refuses_credentials_of_another_form() -> None:
    """Asiento says what form the credentials have, and shows nothing of what it found."""
    with pytest.raises(SettingsError) as refused:
        BetterezApi(ApiAccess("https://api.example.org", '{"api_key": "leaky"}'))
    assert "leaky" not in str(refused.value)


def test_opens_through_its_provider() -> None:
    """Asiento opens the API as the provider declares it."""
    assert PROVIDER.open_api is not None
    PROVIDER.open_api(ApiAccess("https://api.example.org", CREDENTIALS)).close()


def test_tells_what_it_declares() -> None:
    """Asiento's client of Betterez has the methods of all that the provider declares to tell beside entities."""
    assert set(PROVIDER.capabilities.also_tells) == set(AlsoTells)
    protocols = (ManifestApi, UndeliveredApi, TotalsApi)
    methods = {name for each in protocols for name in vars(each) if not name.startswith("_")}
    assert methods == {"list_manifests", "list_undelivered", "fetch_undelivered", "list_totals"}
    assert all(callable(getattr(BetterezApi, name)) for name in methods)
