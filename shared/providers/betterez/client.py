"""The API of Betterez, read only: a session that renews itself, two sweeps that list, and fetches by id."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any, TypeVar

import jwt
from pydantic import BaseModel, ValidationError

from shared.domain.errors import SettingsError, TerminalError, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact
from shared.domain.times import Window, day_start, from_ms, to_ms
from shared.ports.provider import (
    ApiAccess,
    Fetched,
    Listed,
    ManifestListed,
    SeatListed,
    ShiftTotals,
    Undelivered,
)
from shared.providers.betterez import payloads, translate
from shared.providers.betterez.capabilities import NAME
from shared.providers.betterez.totals import totals_of
from shared.providers.toolkit.http_api import HttpApi, Query, UnauthorizedError, segment
from shared.providers.toolkit.json_body import parse_object
from shared.providers.toolkit.payload_models import Payload, read_as

RENEW_BEFORE_S = 60.0
"""A token this near to its end is renewed before it is used."""

DAYS_PER_REQUEST = 7
"""Travel days that one listing of manifests covers: an answer holds all their tickets."""

T = TypeVar("T")
Manifests = TypeVar("Manifests", bound=Payload)

_A_DAY = timedelta(days=1)
_UNDELIVERED = "/webhooks/undelivered"

_PATHS = {
    EntityKind.SALE: "/operations/transactions",
    EntityKind.TICKET: "/operations/tickets",
    EntityKind.MANIFEST: "/operations/manifests",
    EntityKind.SHIFT: "/accounts/shifts",
}


class Credentials(BaseModel):
    """The secret as stored: a JSON object of the application's key, and a service user with its password."""

    api_key: str
    user: str
    password: str


class _Tokens(Payload):
    shortToken: str  # noqa: N815  the platform's name
    refreshToken: str | None = None  # noqa: N815  the platform's name


class Session:
    """A logged-in session: one token for all threads, renewed shortly before it ends and when it is refused."""

    def __init__(self, http: HttpApi, credentials: Credentials, monotonic: Callable[[], float]) -> None:
        """Log in when first needed. `monotonic` measures how old a token is: no wall clock, so no skew."""
        self._http = http
        self._credentials = credentials
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._tokens: _Tokens | None = None
        self._ends_at_s = 0.0

    def get(self, path: str, query: Query | None = None) -> bytes:
        """Return the body of an answer; a token that is refused is renewed once."""
        return self._with_token(lambda headers: self._http.get(path, query, headers))

    def get_object(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Return the JSON object that an answer holds, in the same way."""
        return self._with_token(lambda headers: self._http.get_object(path, query, headers))

    def _with_token(self, ask: Callable[[dict[str, str]], T]) -> T:
        token = self._token()
        try:
            return ask(self._headers(token))
        except UnauthorizedError:
            return ask(self._headers(self._token(refused=token)))

    def _token(self, refused: str | None = None) -> str:
        with self._lock:
            if self._tokens is None or self._tokens.shortToken == refused or self._monotonic() >= self._ends_at_s:
                self._renew(self._tokens.refreshToken if self._tokens else None)
            assert self._tokens is not None  # noqa: S101  _renew sets it or raises; the type checker cannot see that
            return self._tokens.shortToken

    def _renew(self, refresh_token: str | None) -> None:
        self._tokens = None
        # A refresh token serves once: whatever happens, it is not offered a second time.
        tokens = self._refreshed(refresh_token) if refresh_token else None
        if tokens is None:
            tokens = self._logged_in()
        self._ends_at_s = self._monotonic() + _lifetime_s(tokens.shortToken) - RENEW_BEFORE_S
        self._tokens = tokens

    def _refreshed(self, refresh_token: str) -> _Tokens | None:
        try:
            answer = self._http.post("/accounts/refresh-token", {"refreshToken": refresh_token}, self._headers())
        except TerminalError:
            return None  # used up or expired: the login follows
        return read_as(_Tokens, parse_object(answer))

    def _logged_in(self) -> _Tokens:
        login = (self._credentials.user, self._credentials.password)
        answer = self._http.post("/accounts/users", {"audience": "betterez-app"}, self._headers(), auth=login)
        return read_as(_Tokens, parse_object(answer))

    def _headers(self, token: str | None = None) -> dict[str, str]:
        headers = {"X-API-KEY": self._credentials.api_key}
        return headers if token is None else {**headers, "Authorization": f"Bearer {token}"}


def _lifetime_s(token: str) -> float:
    """Return how long a fresh token lives by its own claims; raise TerminalError where it does not say.

    The signature is the platform's own affair: the token is shown back to it, nothing is believed on its strength.
    """
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return float(claims["exp"] - claims["iat"])
    except (jwt.InvalidTokenError, KeyError, TypeError):
        raise TerminalError(
            "the platform's shortToken is no JWT with exp and iat; check its contract in docs/providers/betterez.md"
        ) from None


class BetterezApi:
    """The API of Betterez (docs/providers/betterez.md, "The API")."""

    def __init__(self, access: ApiAccess, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Open it; credentials are JSON `{"api_key", "user", "password"}`. Raises SettingsError where they are not."""
        try:
            credentials = Credentials.model_validate_json(access.credentials)
        except ValidationError:
            raise SettingsError('the Betterez credentials must be JSON {"api_key", "user", "password"}') from None
        self._http = HttpApi(access.base_url)
        self._session = Session(self._http, credentials, monotonic)

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """Yield what the platform lists of a kind in a window.

        Sales by the day of sale, through shifts (sales on the web have none: they are found by their tickets); tickets
        and manifests by the day of travel.
        """
        if kind is EntityKind.SALE:
            return self._sales(window)
        if kind is EntityKind.TICKET:
            return self._tickets(window)
        if kind is EntityKind.MANIFEST:
            return self._manifests_listed(window)
        if kind is EntityKind.SHIFT:
            return self._shifts_listed(window)
        raise TerminalError(f"Betterez has no listing of {kind.value} by window; see its capabilities")

    def fetch(self, key: EntityKey) -> Fetched:
        """Fetch a sale, ticket, manifest or shift by id."""
        path = _PATHS.get(key.kind)
        if path is None:
            raise TerminalError(
                f"Betterez has no endpoint for {key.kind.value} by id; fetch the sale that {key} belongs to"
            )
        path = f"{path}/{segment(key.entity_id)}"
        return Fetched(f"GET {path}", self._session.get(path))

    def list_manifests(self, day: date) -> Iterator[ManifestListed]:
        """Yield the trips of one travel day with everybody on them."""
        for manifest in self._between(day, day, payloads.ManifestList).manifests:
            yield ManifestListed(
                _listed_manifest(manifest),
                day,
                manifest.route_id or "",
                manifest.schedule_id or "",
                manifest.capacity,
                tuple(_listed_seat(ticket, manifest) for ticket in manifest.tickets or ()),
            )

    def list_undelivered(self) -> Iterator[Undelivered]:
        """Yield the webhooks that the platform could not deliver; it lists all of them at once."""
        answer = read_as(payloads.UndeliveredList, self._session.get_object(_UNDELIVERED))
        for entry in answer.undelivered:
            event_id = entry.payload.get("id")
            yield Undelivered(entry.id, f"{NAME}:{event_id}" if isinstance(event_id, str) else "")

    def fetch_undelivered(self, undelivered_id: str) -> Fetched:
        """Fetch one undelivered webhook with its payload."""
        path = f"{_UNDELIVERED}/{segment(undelivered_id)}"
        return Fetched(f"GET {path}", self._session.get(path))

    def list_totals(self, day: date) -> Iterator[ShiftTotals]:
        """Yield the cash sessions that were opened on a day; of those that are closed, what they came to."""
        window = Window.of_days(day, day)
        for shift in self._shifts(window):
            if shift.created_at is None or not _is_within(window, shift.created_at):
                continue
            key = EntityKey(EntityKind.SHIFT, NAME, shift.id)
            totals = totals_of(self._summary(shift)) if shift.closed_at is not None else ()
            yield ShiftTotals(key, shift.created_at, shift.closed_at, totals)

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    def _summary(self, shift: payloads.Shift) -> payloads.SalesSummary:
        path = f"/accounts/shifts/{segment(shift.id)}/sales-summary"
        return read_as(payloads.SalesSummary, self._session.get_object(path))

    def _sales(self, window: Window) -> Iterator[Listed]:
        for shift in self._shifts(window):
            if not _was_open_in(window, shift):
                continue  # what is sold at a counter is sold within its shift
            path = f"/accounts/shifts/{segment(shift.id)}/transactions"
            answer = read_as(payloads.TransactionList, self._session.get_object(path))
            for transaction in answer.transactions:
                if _is_within(window, transaction.created_at):
                    yield _listed_sale(transaction)

    def _shifts_listed(self, window: Window) -> Iterator[Listed]:
        for shift in self._shifts(window):
            if _is_within(window, shift.created_at):
                key = EntityKey(EntityKind.SHIFT, NAME, shift.id)
                yield Listed(key, shift.updated_at or 0, None, None, "", key, shift.created_at)

    def _shifts(self, window: Window) -> list[payloads.Shift]:
        # Whether a shift is listed by its opening or its closing is not documented: a day more on each side covers both.
        days = window.days()
        if not days:
            return []
        span = {"fromDate": str(days[0] - _A_DAY), "toDate": str(days[-1] + _A_DAY), "includeActivity": "false"}
        return read_as(payloads.ShiftList, self._session.get_object("/accounts/shifts", span)).shifts

    def _tickets(self, window: Window) -> Iterator[Listed]:
        for first, last in _spans(window, margin=_A_DAY):
            for manifest in self._between(first, last, payloads.ManifestList).manifests:
                for ticket in manifest.tickets or ():
                    if _is_within(window, ticket.departure_timestamp):
                        yield _listed_ticket(ticket, manifest)

    def _manifests_listed(self, window: Window) -> Iterator[Listed]:
        for first, last in _spans(window, margin=timedelta(0)):
            yield from map(_listed_manifest, self._between(first, last, payloads.BareManifestList).manifests)

    def _between(self, first: date, last: date, model: type[Manifests]) -> Manifests:
        """Return the manifests of some travel days, of which each holds all its tickets: as much of them as a model reads."""
        span = {"dateFrom": str(first), "dateTo": str(last)}
        return read_as(model, self._session.get_object("/operations/manifests", span))


def _spans(window: Window, margin: timedelta) -> Iterator[tuple[date, date]]:
    """Yield the first and last day of each request that the travel days of a window take."""
    days = window.days()
    return _chunks(days[0] - margin, days[-1] + margin) if days else iter(())


def _chunks(first: date, last: date) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(first + timedelta(days=DAYS_PER_REQUEST - 1), last)
        yield first, end
        first = end + _A_DAY


def _is_within(window: Window, instant_ms: int | None) -> bool:
    """Return whether an instant is in the window; what has none is listed, for nobody else would look for it."""
    return instant_ms is None or window.start <= from_ms(instant_ms) < window.end


def _was_open_in(window: Window, shift: payloads.Shift) -> bool:
    opened_too_late = shift.created_at is not None and from_ms(shift.created_at) >= window.end
    closed_before = shift.closed_at is not None and from_ms(shift.closed_at) < window.start
    return not (opened_too_late or closed_before)


def _listed_sale(transaction: payloads.Transaction) -> Listed:
    key = EntityKey(EntityKind.SALE, NAME, transaction.id)
    try:
        fact = translate.sale_fact(transaction, None, translate.within_transaction(transaction, translate.Source(0)))
    except UnreadableError:
        return _unreadable(key, key, transaction.created_at)
    return _listed(fact, "total_minor", key, transaction.created_at)


def _listed_manifest(manifest: payloads.BareManifest) -> Listed:
    key = EntityKey(EntityKind.MANIFEST, NAME, manifest.id)
    status = payloads.MANIFEST_STATUSES.get((manifest.status or "").lower(), "")
    day = manifest.manifest_date
    starts_at_ms = to_ms(day_start(date.fromisoformat(day))) if day else None
    return Listed(key, manifest.updated_at or 0, None, None, status, key, starts_at_ms)


def _listed_seat(ticket: payloads.Ticket, manifest: payloads.Manifest) -> SeatListed:
    return SeatListed(
        _listed_ticket(ticket, manifest),
        "" if ticket.seat is None else str(ticket.seat),
        ticket.origin or "",
        ticket.destination or "",
        ticket.departure_timestamp,
        ticket.arrival_timestamp,
    )


def _listed_ticket(ticket: payloads.Ticket, manifest: payloads.Manifest) -> Listed:
    key = EntityKey(EntityKind.TICKET, NAME, ticket.id)
    fetch = EntityKey(EntityKind.SALE, NAME, ticket.trx_id) if ticket.trx_id else key
    try:
        fact = translate.ticket_fact(ticket, translate.Source(0, None, manifest.account_id))
    except UnreadableError:
        return _unreadable(key, fetch, ticket.departure_timestamp)
    return _listed(fact, "fare_minor", fetch, ticket.departure_timestamp)


def _listed(fact: Fact, amount_field: str, fetch: EntityKey, occurred_at_ms: int | None) -> Listed:
    amount, currency = fact.values.get(amount_field), fact.values.get("currency")
    return Listed(
        key=fact.key,
        version_at_ms=fact.version.at_ms,
        amount_minor=int(amount) if amount is not None else None,
        currency=str(currency) if currency is not None else None,
        status=str(fact.values.get("status", "")),
        fetch=fetch,
        occurred_at_ms=occurred_at_ms,
    )


def _unreadable(key: EntityKey, fetch: EntityKey, occurred_at_ms: int | None) -> Listed:
    """List what cannot be read with its identity alone: if it is missing it is fetched, and its delivery says why."""
    return Listed(key, 0, None, None, "", fetch, occurred_at_ms)
