"""The ticketing platform's API (docs/providers/betterez.md): login, shifts, transactions, tickets, manifests, undelivered."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from hashlib import md5
from json import JSONDecodeError
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from local.simulator.api.access import Sessions
from local.simulator.api.answers import answer, betterez_error, raw_answer
from local.simulator.api.records_served import RecordsServed
from local.simulator.deliveries import ATTEMPT_MARK, Emission
from local.simulator.exact_json import encode, major
from local.simulator.mishaps import Mishaps
from local.simulator.moments import day_of
from local.simulator.payloads import betterez as documents
from local.simulator.records import Refund, Sale, Shift, Ticket, Trip
from local.simulator.signing import attempt_id
from local.simulator.world import CURRENCY

_DAYS_MAX = 400
Handler = Callable[[Request], Awaitable[Response]]


class BetterezApi:
    """What the platform answers, from the records as they stand."""

    def __init__(
        self, served: RecordsServed, sessions: Sessions, undelivered: Sequence[Emission], mishaps: Mishaps
    ) -> None:
        """Serve the records, less what mishaps make of them.

        `undelivered` are the events that the platform failed to deliver and says so.
        """
        self._served = served
        self._mishaps = mishaps
        self._company = served.company
        self._sessions = sessions
        self._undelivered = {_undelivered_id(emission): emission for emission in undelivered}
        self._written: dict[tuple[str, bool], tuple[object, bytes]] = {}
        """Manifests as they were last written, with or without tickets, and of what."""
        self.retried: list[Emission] = []
        """Undeliverables that somebody asked to be sent again, in that order: the caller sends them."""

    def routes(self) -> list[Route]:
        """Return the routes under the platform's base path."""
        gets: dict[str, Handler] = {
            "/accounts/shifts": self._shifts,
            "/accounts/shifts/{shift_id}": self._shift,
            "/accounts/shifts/{shift_id}/transactions": self._shift_transactions,
            "/accounts/shifts/{shift_id}/tickets": self._shift_tickets,
            "/accounts/shifts/{shift_id}/payments": self._shift_payments,
            "/accounts/shifts/{shift_id}/refunds": self._shift_refunds,
            "/accounts/shifts/{shift_id}/sales-summary": self._shift_summary,
            "/operations/transactions/{sale_id}": self._transaction,
            "/operations/tickets/{ticket_id}": self._ticket,
            "/operations/manifests": self._manifests,
            "/operations/manifests/{manifest_id}": self._manifest,
            "/webhooks/undelivered": self._undelivered_list,
            "/webhooks/undelivered/{undelivered_id}": self._undelivered_one,
        }
        return [
            Route("/accounts/users", self._log_in, methods=["POST"]),
            Route("/accounts/refresh-token", self._refresh, methods=["POST"]),
            Route("/webhooks/undelivered/{undelivered_id}/retry", self._guarded(self._retry), methods=["PUT"]),
            *(Route(path, self._guarded(handler)) for path, handler in gets.items()),
        ]

    # Sessions

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if not self._sessions.has_key(request) or not self._sessions.is_logged_in(request):
                return PlainTextResponse("Unauthorized", 401)
            return await handler(request)

        return guarded

    async def _log_in(self, request: Request) -> Response:
        if not self._sessions.has_key(request) or not self._sessions.is_login(request):
            return PlainTextResponse("Unauthorized", 401)
        return answer(self._sessions.log_in())

    async def _refresh(self, request: Request) -> Response:
        if not self._sessions.has_key(request):
            return PlainTextResponse("Unauthorized", 401)
        try:
            refresh_token = (await request.json())["refreshToken"]
        except (JSONDecodeError, KeyError, TypeError):
            return betterez_error(400, "WRONG_DATA", "refreshToken is missing")
        session = self._sessions.refresh(str(refresh_token))
        return answer(session) if session else betterez_error(400, "WRONG_DATA", "refreshToken was used or never given")

    # Shifts

    async def _shifts(self, request: Request) -> Response:
        days = _days(request, "fromDate", "toDate")
        if days is None:
            return betterez_error(400, "WRONG_DATA", "fromDate and toDate are needed, as YYYY-MM-DD")
        wanted = request.query_params.get("status")
        return answer(
            {
                "shifts": [
                    documents.shift(shift) for shift in self._company.shifts.values() if _is_listed(shift, days, wanted)
                ]
            }
        )

    async def _shift(self, request: Request) -> Response:
        shift = self._company.shifts.get(request.path_params["shift_id"])
        return answer(documents.shift(shift)) if shift else _unknown("SHIFT")

    async def _shift_transactions(self, request: Request) -> Response:
        return self._of_shift(request, "transactions", lambda sales: [documents.sale(sale) for sale in sales])

    async def _shift_tickets(self, request: Request) -> Response:
        return self._of_shift(
            request, "tickets", lambda sales: [documents.ticket(item) for item in self._tickets(sales)]
        )

    async def _shift_payments(self, request: Request) -> Response:
        return self._of_shift(
            request,
            "payments",
            lambda sales: [{"trxId": sale.id, **documents.payment(part)} for sale in sales for part in sale.payments],
        )

    async def _shift_refunds(self, request: Request) -> Response:
        return self._of_shift(
            request, "refunds", lambda sales: [documents.refund(item) for item in self._refunds(sales)]
        )

    async def _shift_summary(self, request: Request) -> Response:
        shift = self._company.shifts.get(request.path_params["shift_id"])
        if shift is None:
            return _unknown("SHIFT")
        sales = self._served.sales_by_shift.get(shift.id, [])
        taken = [(part.method, part.amount_minor) for sale in sales for part in sale.payments]
        if shift.id in self._mishaps.cents_off:
            taken.append(("cash", self._mishaps.cents_off[shift.id]))
        paid_back = [(line.method, line.amount_minor) for refund in self._refunds(sales) for line in refund.paid_back]
        return answer(
            {
                "shiftId": shift.id,
                "shiftNumber": shift.number,
                "currency": CURRENCY,
                "payments": _by_type(taken),
                "refunds": _by_type(paid_back),
            }
        )

    def _of_shift(self, request: Request, name: str, items: Callable[[list[Sale]], list[Any]]) -> Response:
        shift_id = request.path_params["shift_id"]
        if shift_id not in self._company.shifts:
            return _unknown("SHIFT")
        return answer({name: items(self._served.sales_by_shift.get(shift_id, []))})

    def _tickets(self, sales: list[Sale]) -> list[Ticket]:
        return [self._company.tickets[ticket_id] for sale in sales for ticket_id in sale.ticket_ids]

    def _refunds(self, sales: list[Sale]) -> list[Refund]:
        """Return the refunds that these transactions hold, not those that give back their tickets elsewhere."""
        refunds = [self._company.refunds[refund_id] for sale in sales for refund_id in sale.refund_ids]
        held_by = {sale.id for sale in sales}
        return list({refund.id: refund for refund in refunds if refund.sale_id in held_by}.values())

    # Transactions, tickets, manifests

    async def _transaction(self, request: Request) -> Response:
        sale_id = request.path_params["sale_id"]
        if sale_id not in self._company.sales:
            return _unknown("TRANSACTION")
        return answer(documents.transaction(self._company.document(sale_id)))

    async def _ticket(self, request: Request) -> Response:
        ticket = self._company.tickets.get(request.path_params["ticket_id"])
        return answer(documents.ticket(ticket)) if ticket else _unknown("TICKET")

    async def _manifests(self, request: Request) -> Response:
        days = _days(request, "dateFrom", "dateTo") or _days(request, "date", "date")
        if days is None:
            return betterez_error(400, "WRONG_DATA", "dateFrom and dateTo are needed, as YYYY-MM-DD")
        has_tickets = request.query_params.get("manifestOnly") != "true"
        trips = [trip for day in days for trip in self._served.trips_by_day.get(day, [])]
        written = [self._manifest_written(trip, has_tickets=has_tickets) for trip in trips]
        return raw_answer(b'{"manifests":[' + b",".join(written) + b"]}")

    async def _manifest(self, request: Request) -> Response:
        trip = self._served.trips.get(request.path_params["manifest_id"])
        return raw_answer(self._manifest_written(trip, has_tickets=True)) if trip else _unknown("MANIFEST")

    def _manifest_written(self, trip: Trip, *, has_tickets: bool) -> bytes:
        """Return a manifest as JSON. It is asked for again and again, and written once for as long as its tickets stand."""
        tickets = self._mishaps.listed(trip.manifest_id, self._served.tickets_by_manifest.get(trip.manifest_id, []))
        capacity = self._mishaps.capacity(trip.manifest_id)
        status = self._company.trip_status[trip.manifest_id]
        told = (tuple(tickets) if has_tickets else None, capacity, status)
        before = self._written.get((trip.manifest_id, has_tickets))
        if before is not None and before[0] == told:
            return before[1]
        entries = [documents.ticket(ticket) for ticket in tickets] if has_tickets else None
        written = encode(documents.manifest(trip, status, capacity, entries))
        self._written[trip.manifest_id, has_tickets] = told, written
        return written

    # Undeliverables

    async def _undelivered_list(self, _request: Request) -> Response:
        entries = [_undelivered_entry(name, emission) for name, emission in self._undelivered.items()]
        return raw_answer(b'{"undelivered":[' + b",".join(entries) + b"]}")

    async def _undelivered_one(self, request: Request) -> Response:
        undelivered_id = request.path_params["undelivered_id"]
        emission = self._undelivered.get(undelivered_id)
        return raw_answer(_undelivered_entry(undelivered_id, emission)) if emission else _unknown("UNDELIVERED")

    async def _retry(self, request: Request) -> Response:
        emission = self._undelivered.pop(request.path_params["undelivered_id"], None)
        if emission is None:
            return _unknown("UNDELIVERED")
        self.retried.append(emission)
        return answer({"retried": True})


def _days(request: Request, first_name: str, last_name: str) -> list[str] | None:
    """Return the days that a request asks for; None where it does not say or asks for more than a year."""
    try:
        first = date.fromisoformat(request.query_params[first_name])
        last = date.fromisoformat(request.query_params[last_name])
    except (KeyError, ValueError):
        return None
    span = (last - first).days + 1
    return [(first + timedelta(days=offset)).isoformat() for offset in range(span)] if span <= _DAYS_MAX else None


def _is_listed(shift: Shift, days: list[str], status: str | None) -> bool:
    is_wanted = status is None or (status == "closed") == (shift.closed_at_ms is not None)
    return is_wanted and bool(days) and days[0] <= day_of(shift.opened_at_ms).isoformat() <= days[-1]


def _by_type(amounts: list[tuple[str, int]]) -> list[documents.Document]:
    totals: dict[str, int] = {}
    for method, amount_minor in amounts:
        totals[method] = totals.get(method, 0) + amount_minor
    return [{"type": method, "amount": major(total_minor)} for method, total_minor in sorted(totals.items())]


def _undelivered_id(emission: Emission) -> str:
    return md5(emission.event_id.encode(), usedforsecurity=False).hexdigest()[:24]


def _undelivered_entry(undelivered_id: str, emission: Emission) -> bytes:
    head = encode({"_id": undelivered_id, "url": f"https://hooks.example{emission.path}", "reason": "ETIMEDOUT"})
    payload = emission.body.replace(ATTEMPT_MARK.encode(), attempt_id(emission, 1).encode(), 1)
    return head[:-1] + b',"payload":' + payload + b"}"


def _unknown(what: str) -> Response:
    return betterez_error(404, f"{what}_NOT_FOUND", f"there is no such {what.lower()}")
