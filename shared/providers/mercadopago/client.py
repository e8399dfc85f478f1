"""The API of Mercado Pago, read only: payments searched by time, and fetches by id."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.errors import TerminalError, TransientError, UnreadableError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window, from_ms, to_ms
from shared.ports.provider import ApiAccess, Fetched, Listed
from shared.providers.mercadopago import payloads, translate
from shared.providers.mercadopago.capabilities import NAME
from shared.providers.toolkit.http_api import HttpApi, segment
from shared.providers.toolkit.payload_models import Id, InstantMs, Payload, read_as

PAGE_SIZE = 50
PAGE_OVERLAP = 10
"""How many entries of a page the next one shows again: so many may leave the search between the two without hiding others."""
READS_MAX = 3
"""How often a search is read from its beginning while it changes under our hands."""

OFFSET_MAX = 10_000
"""The search reaches no further; a window that holds more is asked for in halves."""

_FINEST_SPAN = timedelta(milliseconds=2)

_PATHS = {EntityKind.PAYMENT: "/v1/payments", EntityKind.SETTLEMENT_LINE: "/v1/chargebacks"}


class _Identified(Payload):
    id: Id | int
    date_created: InstantMs = None
    date_approved: InstantMs = None
    date_last_updated: InstantMs = None


class MercadoPagoApi:
    """The API of Mercado Pago (docs/providers/mercadopago.md)."""

    def __init__(self, access: ApiAccess) -> None:
        """Open it; the credentials are the access token of the account."""
        self._http = HttpApi(access.base_url, {"Authorization": f"Bearer {access.credentials}"})

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """Yield the payments of a window, following pages: approved ones by approval, the others by creation.

        That is the instant by which the ledger places a payment (`paid_at_ms`).
        """
        if kind is not EntityKind.PAYMENT:
            raise TerminalError(f"Mercado Pago has no listing of {kind.value}; see its capabilities")
        for entry in self._entries("date_approved", window):
            yield _listed(entry)
        for entry in self._entries("date_created", window):
            if read_as(_Identified, entry).date_approved is None:
                yield _listed(entry)

    def fetch(self, key: EntityKey) -> Fetched:
        """Fetch a payment or a chargeback by id; the refunds are inside their payment."""
        if key.kind not in _PATHS:
            raise TerminalError(f"Mercado Pago has no endpoint for {key.kind.value} by its id alone; fetch its payment")
        path = f"{_PATHS[key.kind]}/{segment(key.entity_id)}"
        return Fetched(f"GET {path}", self._http.get(path))

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    def _entries(self, time: str, window: Window) -> Iterator[dict[str, Any]]:
        if window.start == window.end:
            return
        for _ in range(READS_MAX):
            page = self._page(time, window, 0)
            if page.paging.total > OFFSET_MAX:
                for half in _halves(window):
                    yield from self._entries(time, half)
                return
            found = self._read_through(time, window, page)
            if found is not None:
                # The end of a search is included, the end of a window is not.
                yield from (each for each in found.values() if _is_within(window, read_as(_Identified, each), time))
                return
        raise TransientError(
            f"the search for payments from {_text(window.start)} on changed each of the {READS_MAX} times that it was read; "
            "ask again later"
        )

    def _read_through(self, time: str, window: Window, page: payloads.Page) -> dict[str, dict[str, Any]] | None:
        """Return all that a search finds, by id, from its first page on; None where something slipped between two pages.

        A page then shows nothing of the one before it, or there are more entries in all than were seen.
        """
        found = _by_id(page)
        offset = 0
        while page.results and offset + len(page.results) < page.paging.total:
            offset += max(len(page.results) - PAGE_OVERLAP, 1)
            page = self._page(time, window, offset)
            shown = _by_id(page)
            if page.results and not found.keys() & list(shown)[:PAGE_OVERLAP]:
                return None
            found |= shown
        return found if len(found) >= page.paging.total else None

    def _page(self, time: str, window: Window, offset: int) -> payloads.Page:
        query: dict[str, str | int] = {
            "range": time,
            "begin_date": _text(window.start),
            "end_date": _text(window.end),
            "sort": time,
            "criteria": "asc",
            "offset": offset,
            "limit": PAGE_SIZE,
        }
        return read_as(payloads.Page, self._http.get_object("/v1/payments/search", query))


def _by_id(page: payloads.Page) -> dict[str, dict[str, Any]]:
    return {str(read_as(_Identified, entry).id): entry for entry in page.results}


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _halves(window: Window) -> tuple[Window, Window]:
    span = window.end - window.start
    if span < _FINEST_SPAN:
        raise TerminalError(f"more than {OFFSET_MAX} payments at {_text(window.start)}: the search cannot list them")
    middle = from_ms(to_ms(window.start + span / 2))
    return Window(window.start, middle), Window(middle, window.end)


def _is_within(window: Window, identified: _Identified, time: str) -> bool:
    """Return whether an entry is in the window by the time that was searched.

    One that does not tell its creation is listed, for nobody else would look for it.
    """
    if time == "date_approved":
        instant_ms = identified.date_approved
        return instant_ms is not None and window.start <= from_ms(instant_ms) < window.end
    instant_ms = identified.date_created
    return instant_ms is None or window.start <= from_ms(instant_ms) < window.end


def _listed(entry: dict[str, Any]) -> Listed:
    """List one payment; what cannot be read is listed by its identity: if missing it is fetched, and that says why."""
    identified = read_as(_Identified, entry)
    key = EntityKey(EntityKind.PAYMENT, NAME, str(identified.id))
    version_at_ms = identified.date_last_updated or 0
    occurred_at_ms = identified.date_approved or identified.date_created
    try:
        values = translate.payment_facts(entry, 0)[0].values
    except UnreadableError:
        return Listed(key, version_at_ms, None, None, "", key, occurred_at_ms)
    amount, currency = values.get("amount_minor"), values.get("currency")
    return Listed(
        key=key,
        version_at_ms=version_at_ms,
        amount_minor=int(amount) if amount is not None else None,
        currency=str(currency) if currency is not None else None,
        status=str(values["status"]),
        fetch=key,
        occurred_at_ms=occurred_at_ms,
    )
