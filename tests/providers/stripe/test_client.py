"""Asiento asks Stripe: pages of listings by time, and fetches by id."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.ports.provider import ApiAccess, Listed, ProviderApi
from shared.providers.stripe import PROVIDER
from tests.providers.api_server import Answer, ApiServer, Request, serving
from tests.providers.stripe.test_translate import charge

AUGUST_6 = Window.of_days(date(2024, 8, 6), date(2024, 8, 6))
START_S, END_S = 1_722_913_200, 1_722_999_600


@contextmanager
def opened(answer: Callable[[Request], Answer]) -> Iterator[tuple[ProviderApi, ApiServer]]:
    """Open a client against a running server."""
    assert PROVIDER.open_api is not None
    with serving(answer) as server:
        api = PROVIDER.open_api(ApiAccess(server.base_url, "rk_live_1"))
        try:
            yield api, server
        finally:
            api.close()


def pages(*things: dict[str, Any], size: int = 2) -> Callable[[Request], Answer]:
    """Return a server that lists things in pages, as Stripe does: after the last id of the page before."""

    def answer(request: Request) -> Answer:
        after = request.query.get("starting_after")
        start = next((at + 1 for at, thing in enumerate(things) if thing["id"] == after), 0)
        rest = things[start:]
        return Answer({"object": "list", "data": rest[:size], "has_more": len(rest) > size})

    return answer


def key(entity_id: str, kind: EntityKind = EntityKind.PAYMENT) -> EntityKey:
    """Return a key of Stripe."""
    return EntityKey(kind, "stripe", entity_id)


def test_lists_charges_page_by_page() -> None:
    """Asiento follows the pages of a listing to their end, with the same window on each."""
    things = [charge(id=f"ch_{at}", amount=100 + at, amount_captured=100 + at) for at in range(5)]
    with opened(pages(*things)) as (api, server):
        found = list(api.list_window(EntityKind.PAYMENT, AUGUST_6))
        assert found == [
            Listed(key(f"ch_{at}"), 0, 100 + at, "ARS", "success", key(f"ch_{at}"), charge()["created"] * 1000)
            for at in range(5)
        ]
        window = {"created[gte]": str(START_S), "created[lt]": str(END_S), "limit": "100"}
        assert [request.query for request in server.requests] == [
            window,
            {**window, "starting_after": "ch_1"},
            {**window, "starting_after": "ch_3"},
        ]
        assert server.requests[0].headers["authorization"] == "Bearer rk_live_1"


def test_adjacent_windows_share_no_second() -> None:
    """Asiento rounds both ends of a window up to a second, so that adjacent windows neither overlap nor leave a gap."""
    middle = datetime(2024, 8, 6, 12, 0, 0, 500_000, tzinfo=UTC)
    with opened(pages()) as (api, server):
        for window in (Window(middle - timedelta(hours=1), middle), Window(middle, middle + timedelta(hours=1))):
            assert list(api.list_window(EntityKind.REFUND, window)) == []
        first, second = server.requests
        assert first.path == "/v1/refunds"
        assert first.query["created[lt]"] == second.query["created[gte]"] == "1722945601"


def test_lists_settlement_lines_from_payouts_and_disputes() -> None:
    """Asiento lists payouts by their arrival and disputes by their creation, as the ledger places them."""
    payout = {
        "id": "po_1",
        "amount": 1100,
        "currency": "ars",
        "arrival_date": START_S,
        "created": START_S,
        "status": "paid",
        "livemode": True,
    }
    dispute = {
        "id": "dp_1",
        "amount": 2000,
        "charge": "ch_1",
        "currency": "ars",
        "created": START_S,
        "status": "lost",
        "livemode": True,
    }

    def answer(request: Request) -> Answer:
        return Answer({"data": [payout if request.path == "/v1/payouts" else dispute], "has_more": False})

    with opened(answer) as (api, server):
        found = [
            (entry.key.entity_id, entry.amount_minor) for entry in api.list_window(EntityKind.SETTLEMENT_LINE, AUGUST_6)
        ]
        assert found == [("po_1", 1100), ("dp_1", -2000)]
        assert "arrival_date[gte]" in server.asked("/v1/payouts")[0].query
        assert "created[gte]" in server.asked("/v1/disputes")[0].query


def test_lists_what_it_cannot_read() -> None:
    """Asiento lists a charge that it cannot read by its id, so that it is fetched and held with its reason."""
    with opened(pages(charge(status="perhaps"))) as (api, _):
        assert list(api.list_window(EntityKind.PAYMENT, AUGUST_6)) == [
            Listed(key("ch_1"), 0, None, None, "", key("ch_1"), charge()["created"] * 1000)
        ]


@pytest.mark.parametrize(
    ("kind", "entity_id", "path"),
    [
        (EntityKind.PAYMENT, "ch_1", "/v1/charges/ch_1"),
        (EntityKind.REFUND, "re_1", "/v1/refunds/re_1"),
        (EntityKind.SETTLEMENT_LINE, "po_1", "/v1/payouts/po_1"),
        (EntityKind.SETTLEMENT_LINE, "dp_1", "/v1/disputes/dp_1"),
        (EntityKind.SETTLEMENT_LINE, "txn_1", "/v1/balance_transactions/txn_1"),
    ],
)
def test_fetches_each_id_from_its_collection(kind: EntityKind, entity_id: str, path: str) -> None:
    """Asiento knows from its beginning where an id is asked for."""
    with opened(lambda _: Answer({"id": entity_id})) as (api, server):
        fetched = api.fetch(key(entity_id, kind))
        assert fetched.target == f"GET {path}"
        assert (server.requests[0].path, server.requests[0].query) == (path, {})


def test_refuses_what_it_cannot_ask_for() -> None:
    """Asiento says at once that an id or a kind is none of Stripe's."""
    with opened(lambda _: Answer({})) as (api, server):
        with pytest.raises(TerminalError, match="begins with none of"):
            api.fetch(key("12345"))
        with pytest.raises(TerminalError, match="no listing"):
            list(api.list_window(EntityKind.SALE, AUGUST_6))
        assert server.requests == []
