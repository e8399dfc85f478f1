"""Stripe's API: objects by id, and lists by time in pages, newest first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator.api.access import has_bearer
from local.simulator.api.answers import answer, stripe_error
from local.simulator.payloads import stripe as documents
from local.simulator.processors import StripeDesk

_PAGE_SIZE, _PAGE_SIZE_MAX = 10, 100
_BOUNDS: Mapping[str, Callable[[int, int], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_TIMES = ("created", "arrival_date")


@dataclass(frozen=True, slots=True)
class _Collection:
    """One kind of object: its records, how one is written, and which fields a list may be narrowed by."""

    records: Mapping[str, Any]
    write: Callable[[Any], documents.Document]
    filters: Mapping[str, Callable[[Any], str]]


class StripeApi:
    """What Stripe answers, from its records as they stand."""

    def __init__(self, desk: StripeDesk, key: str) -> None:
        """Serve the records to whoever shows the key."""
        self._desk = desk
        self._key = key
        self._newest_first: dict[str, list[Any]] = {}
        self._collections: Mapping[str, _Collection] = {
            "charges": _Collection(desk.charges, documents.charge, {"payment_intent": lambda charge: charge.intent_id}),
            "refunds": _Collection(desk.refunds, documents.refund, {"charge": lambda refund: refund.charge_id}),
            "disputes": _Collection(desk.disputes, documents.dispute, {"charge": lambda dispute: dispute.charge_id}),
            "payouts": _Collection(desk.payouts, documents.payout, {}),
            "balance_transactions": _Collection(
                desk.balance,
                documents.balance_transaction,
                {
                    "payout": lambda movement: movement.payout_id,
                    "source": lambda movement: movement.source_id,
                    "type": lambda movement: movement.type,
                },
            ),
        }

    def routes(self) -> list[Route]:
        """Return the routes under Stripe's base path."""
        return [Route("/v1/{collection}", self._list), Route("/v1/{collection}/{object_id}", self._one)]

    async def _one(self, request: Request) -> Response:
        refusal, collection = self._asked(request)
        if collection is None:
            return refusal
        record = collection.records.get(request.path_params["object_id"])
        if record is None:
            return stripe_error(404, "No such object")
        return answer(self._written(collection, record, request))

    async def _list(self, request: Request) -> Response:
        refusal, collection = self._asked(request)
        if collection is None:
            return refusal
        name = request.path_params["collection"]
        known = self._newest_first.get(name)
        if known is None or len(known) != len(collection.records):
            self._newest_first[name] = sorted(
                collection.records.values(), key=lambda record: (record.created_s, record.id), reverse=True
            )
        try:
            chosen = _chosen(self._newest_first[name], collection, request)
            limit = min(int(request.query_params.get("limit", _PAGE_SIZE)), _PAGE_SIZE_MAX)
        except ValueError as problem:
            return stripe_error(400, str(problem))
        written = [self._written(collection, record, request) for record in chosen[:limit]]
        return answer(documents.page(f"/v1/{name}", written, has_more=len(chosen) > limit))

    def _asked(self, request: Request) -> tuple[Response, _Collection | None]:
        if not has_bearer(request, self._key):
            return stripe_error(401, "Invalid API Key provided"), None
        collection = self._collections.get(request.path_params["collection"])
        return stripe_error(404, "Unrecognized request URL"), collection

    def _written(self, collection: _Collection, record: Any, request: Request) -> documents.Document:
        document = collection.write(record)
        wanted = request.query_params.getlist("expand[]")
        # In a list the name is that of a field of its data.
        if "balance_transaction" in wanted or "data.balance_transaction" in wanted:
            movement = self._desk.balance[document["balance_transaction"]]
            document["balance_transaction"] = documents.balance_transaction(movement)
        return document


def _chosen(newest_first: list[Any], collection: _Collection, request: Request) -> list[Any]:
    """Return the records that a list asks for, from its cursor on; raise ValueError for what cannot be asked."""
    conditions: list[Callable[[Any], bool]] = []
    after = ""
    for name, value in request.query_params.multi_items():
        time, _, bound = name.partition("[")
        if time in _TIMES and bound.rstrip("]") in _BOUNDS:
            conditions.append(_bound(_BOUNDS[bound.rstrip("]")], int(value)))
        elif name in collection.filters:
            conditions.append(_equal(collection.filters[name], value))
        elif name == "starting_after":
            after = value
        elif name not in ("limit", "expand[]"):
            raise ValueError(f"Received unknown parameter: {name}")
    chosen = [record for record in newest_first if all(holds(record) for holds in conditions)]
    if not after:
        return chosen
    places = [place for place, record in enumerate(chosen) if record.id == after]
    if not places:
        raise ValueError("No such object: starting_after")
    return chosen[places[0] + 1 :]


def _bound(compare: Callable[[int, int], bool], limit_s: int) -> Callable[[Any], bool]:
    # A payout arrives when it is made here, so that both times are one.
    return lambda record: compare(record.created_s, limit_s)


def _equal(field: Callable[[Any], str], wanted: str) -> Callable[[Any], bool]:
    return lambda record: field(record) == wanted
