"""Asiento asks Mercado Pago: searches in pages and halves, and fetches by id."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.ports.provider import ApiAccess, Listed, ProviderApi
from shared.providers.mercadopago import PROVIDER, client
from tests.providers.api_server import Answer, ApiServer, Request, serving

START = datetime(2024, 8, 6, 3, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))


@contextmanager
def opened(answer: Callable[[Request], Answer]) -> Iterator[tuple[ProviderApi, ApiServer]]:
    """Open a client against a running server."""
    assert PROVIDER.open_api is not None
    with serving(answer) as server:
        api = PROVIDER.open_api(ApiAccess(server.base_url, "APP_USR-1"))
        try:
            yield api, server
        finally:
            api.close()


def payment(number: int, second: int, *, is_approved: bool = True) -> dict[str, Any]:
    """Return a payment that was created at a second of the hour and, if so, approved a second later."""
    created, approved = (START + timedelta(seconds=second + later) for later in (0, 1))
    return {
        "id": number,
        "status": "approved" if is_approved else "pending",
        "transaction_amount": number,
        "currency_id": "ARS",
        "date_created": created.isoformat(timespec="milliseconds"),
        "date_approved": approved.isoformat(timespec="milliseconds") if is_approved else None,
        "date_last_updated": approved.isoformat(timespec="milliseconds"),
    }


def search(*payments: dict[str, Any]) -> Callable[[Request], Answer]:
    """Return a server that searches as Mercado Pago does: by one of several times, both ends of a range included."""

    def answer(request: Request) -> Answer:
        time, begin, end = (request.query[name] for name in ("range", "begin_date", "end_date"))
        first, last = datetime.fromisoformat(begin), datetime.fromisoformat(end)
        found = [entry for entry in payments if entry[time] and first <= datetime.fromisoformat(entry[time]) <= last]
        found.sort(key=lambda entry: str(entry[time]))
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        return Answer({"paging": {"total": len(found)}, "results": found[offset : offset + limit]})

    return answer


def key(entity_id: str, kind: EntityKind = EntityKind.PAYMENT) -> EntityKey:
    """Return a key of Mercado Pago."""
    return EntityKey(kind, "mercadopago", entity_id)


def test_lists_payments_page_by_page() -> None:
    """Asiento follows a search to its end and lists each payment once: by approval, or by creation where there is none."""
    payments = [payment(number, number * 10, is_approved=number % 3 > 0) for number in range(1, 121)]
    with opened(search(*payments)) as (api, server):
        found = list(api.list_window(EntityKind.PAYMENT, HOUR))
        assert sorted(int(entry.key.entity_id) for entry in found) == list(range(1, 121))
        version_at_ms = int((START + timedelta(seconds=11)).timestamp()) * 1000
        assert found[0] == Listed(key("1"), version_at_ms, 100, "ARS", "success", key("1"), version_at_ms)
        assert [request.query["offset"] for request in server.requests] == ["0", "40", "0", "40", "80"]
        assert server.requests[0].headers["authorization"] == "Bearer APP_USR-1"
        assert server.requests[0].query["begin_date"] == "2024-08-06T03:00:00.000Z"


def test_a_window_does_not_hold_its_end() -> None:
    """Asiento keeps windows half open although the search includes both ends."""
    with opened(search(payment(1, 3599), payment(2, 3600, is_approved=False), payment(3, 0, is_approved=False))) as (
        api,
        _,
    ):
        assert [entry.key.entity_id for entry in api.list_window(EntityKind.PAYMENT, HOUR)] == ["3"]


def test_asks_for_a_full_window_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento splits a window that the search cannot list to its end, and finds each payment once."""
    monkeypatch.setattr(client, "OFFSET_MAX", 20)
    payments = [payment(number, number * 30) for number in range(1, 101)]
    with opened(search(*payments)) as (api, _):
        found = [int(entry.key.entity_id) for entry in api.list_window(EntityKind.PAYMENT, HOUR)]
        assert found == list(range(1, 101))


def test_says_so_where_halves_do_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento fails loudly where one instant holds more than a search can list."""
    monkeypatch.setattr(client, "OFFSET_MAX", 1)
    with opened(search(payment(1, 0), payment(2, 0))) as (api, _), pytest.raises(TerminalError, match="cannot list"):
        list(api.list_window(EntityKind.PAYMENT, HOUR))


def test_an_empty_window_asks_nothing() -> None:
    """Asiento asks nothing for a window that holds no instant."""
    with opened(search()) as (api, server):
        assert list(api.list_window(EntityKind.PAYMENT, Window(START, START))) == []
        assert server.requests == []


def test_lists_what_it_cannot_read() -> None:
    """Asiento lists a payment that it cannot read by its id and version, so that it is fetched and held."""
    with opened(search({**payment(1, 0), "status": "perhaps"})) as (api, _):
        (entry,) = api.list_window(EntityKind.PAYMENT, HOUR)
        assert (entry.key, entry.amount_minor, entry.status) == (key("1"), None, "")


def test_fetches_payments_and_chargebacks() -> None:
    """Asiento fetches what notifications point at."""
    with opened(lambda _: Answer({"id": 999})) as (api, _):
        assert api.fetch(key("999")).target == "GET /v1/payments/999"
        assert api.fetch(key("CB-1", EntityKind.SETTLEMENT_LINE)).target == "GET /v1/chargebacks/CB-1"


def test_refuses_what_it_cannot_ask_for() -> None:
    """Asiento says that a refund is fetched with its payment, and which kinds have no listing."""
    with opened(lambda _: Answer({})) as (api, server):
        with pytest.raises(TerminalError, match="fetch its payment"):
            api.fetch(key("1", EntityKind.REFUND))
        with pytest.raises(TerminalError, match="no listing"):
            list(api.list_window(EntityKind.REFUND, HOUR))
        assert server.requests == []
