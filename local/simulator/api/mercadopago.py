"""Mercado Pago's API: payments by id, and searched by time in pages."""

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.api.access import has_bearer
from local.simulator.api.answers import answer, mercado_pago_error
from local.simulator.moments import to_ms
from local.simulator.payloads import mercadopago as documents
from local.simulator.processors import WalletDesk
from local.simulator.records import WalletPayment

_PAGE_SIZE, _PAGE_SIZE_MAX, _OFFSET_MAX = 30, 1_000, 10_000
_TIMES: Mapping[str, Callable[[WalletPayment], int]] = {
    "date_created": attrgetter("created_at_ms"),
    "date_approved": attrgetter("approved_at_ms"),
    "date_last_updated": attrgetter("updated_at_ms"),
}


class MercadoPagoApi:
    """What Mercado Pago answers, from its records as they stand."""

    def __init__(self, desk: WalletDesk, token: str) -> None:
        """Serve the records to whoever shows the token."""
        self._desk = desk
        self._token = token

    def routes(self) -> list[Route]:
        """Return the routes under Mercado Pago's base path."""
        return [
            Route("/v1/payments/search", self._search),
            Route("/v1/payments/{payment_id}", self._payment),
            Route("/v1/payments/{payment_id}/refunds", self._refunds),
        ]

    async def _payment(self, request: Request) -> Response:
        return self._of_payment(request, documents.payment)

    async def _refunds(self, request: Request) -> Response:
        return self._of_payment(request, documents.refunds)

    def _of_payment(self, request: Request, write: Callable[[WalletPayment], object]) -> Response:
        if not has_bearer(request, self._token):
            return mercado_pago_error(401, "invalid access token")
        payment_id = request.path_params["payment_id"]
        payment = self._desk.payments.get(int(payment_id)) if payment_id.isdecimal() else None
        return answer(write(payment)) if payment else mercado_pago_error(404, "Payment not found")

    async def _search(self, request: Request) -> Response:
        if not has_bearer(request, self._token):
            return mercado_pago_error(401, "invalid access token")
        asked = request.query_params
        try:
            offset = int(asked.get("offset", 0))
            limit = min(int(asked.get("limit", _PAGE_SIZE)), _PAGE_SIZE_MAX)
            found = self._found(request)
        except (KeyError, ValueError) as problem:
            return mercado_pago_error(400, f"the search cannot be made: {problem}")
        if offset > _OFFSET_MAX:
            return mercado_pago_error(400, "offset too large; narrow the range")
        page = [documents.payment(payment) for payment in found[offset : offset + limit]]
        return answer({"paging": {"total": len(found), "limit": limit, "offset": offset}, "results": page})

    def _found(self, request: Request) -> list[WalletPayment]:
        """Return the payments that a search finds, both ends of its range included."""
        asked = request.query_params
        time = _TIMES[asked.get("range", "date_created")]
        payments = list(self._desk.payments.values())
        if "begin_date" in asked and "end_date" in asked:
            begin_ms = to_ms(datetime.fromisoformat(asked["begin_date"]))
            end_ms = to_ms(datetime.fromisoformat(asked["end_date"]))
            payments = [payment for payment in payments if begin_ms <= time(payment) <= end_ms]
        if "external_reference" in asked:
            payments = [payment for payment in payments if payment.sale_id == asked["external_reference"]]
        order = _TIMES[asked.get("sort", "date_created")]
        return sorted(
            payments, key=lambda payment: (order(payment), payment.id), reverse=asked.get("criteria") == "desc"
        )
