"""The API of Stripe, read only: listings by creation in pages of a hundred, and fetches by id."""

from collections.abc import Iterator
from typing import Any

from shared.domain.errors import TerminalError, UnreadableError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window, to_ms
from shared.ports.provider import ApiAccess, Fetched, Listed
from shared.providers.stripe import payloads, translate
from shared.providers.stripe.capabilities import NAME
from shared.providers.toolkit.http_api import HttpApi, Query, segment
from shared.providers.toolkit.payload_models import Id, Payload, read_as

PAGE_SIZE = 100

_COLLECTIONS = {
    "ch_": "charges",
    "py_": "charges",
    "re_": "refunds",
    "pyr_": "refunds",
    "po_": "payouts",
    "dp_": "disputes",
    "du_": "disputes",
    "txn_": "balance_transactions",
}
"""Which collection an id belongs to, by its beginning."""

_LISTINGS: dict[EntityKind, tuple[tuple[str, str, translate.Reader], ...]] = {
    EntityKind.PAYMENT: (("charges", "created", translate.charge_facts),),
    EntityKind.REFUND: (("refunds", "created", translate.refund_facts),),
    EntityKind.SETTLEMENT_LINE: (
        ("payouts", "arrival_date", translate.payout_facts),
        ("disputes", "created", translate.dispute_facts),
    ),
}
"""Of each kind: the collections that hold it, the time by which the ledger places them, and how an entry is read."""


class _Listed(Payload):
    id: Id


class StripeApi:
    """The API of Stripe (docs/providers/stripe.md)."""

    def __init__(self, access: ApiAccess) -> None:
        """Open it; the credentials are a restricted key that may read charges, refunds, payouts, disputes and balance."""
        self._http = HttpApi(access.base_url, {"Authorization": f"Bearer {access.credentials}"})

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """Yield payments, refunds or settlement lines of a window, newest first, following pages."""
        if kind not in _LISTINGS:
            raise TerminalError(f"Stripe has no listing of {kind.value}; see its capabilities")
        for collection, time, reader in _LISTINGS[kind]:
            for entry in self._entries(collection, time, window):
                yield _listed(kind, entry, reader, time)

    def fetch(self, key: EntityKey) -> Fetched:
        """Fetch a payment, refund or settlement line by id."""
        collection = next((name for start, name in _COLLECTIONS.items() if key.entity_id.startswith(start)), None)
        if collection is None:
            raise TerminalError(
                f"{key} is not an id that Stripe can be asked for: it begins with none of {', '.join(_COLLECTIONS)}"
            )
        path = f"/v1/{collection}/{segment(key.entity_id)}"
        # Nothing is expanded: what is fetched after a loss must say neither more nor less than what is pushed (I3).
        return Fetched(f"GET {path}", self._http.get(path))

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    def _entries(self, collection: str, time: str, window: Window) -> Iterator[dict[str, Any]]:
        # Stripe counts whole seconds: both ends are rounded up, so that adjacent windows neither overlap nor miss one.
        span: dict[str, str | int] = {
            f"{time}[gte]": _seconds_up(to_ms(window.start)),
            f"{time}[lt]": _seconds_up(to_ms(window.end)),
            "limit": PAGE_SIZE,
        }
        query: Query = span
        while True:
            page = read_as(payloads.Page, self._http.get_object(f"/v1/{collection}", query))
            yield from page.data
            if not page.has_more or not page.data:
                return
            query = {**span, "starting_after": read_as(_Listed, page.data[-1]).id}


def _seconds_up(instant_ms: int) -> int:
    return -(-instant_ms // 1000)


def _listed(kind: EntityKind, entry: dict[str, Any], reader: translate.Reader, time: str) -> Listed:
    """List one entry; what cannot be read is listed by its identity: if missing it is fetched, and that says why."""
    key = EntityKey(kind, NAME, read_as(_Listed, entry).id)
    occurred_at_s = entry.get(time)
    occurred_at_ms = occurred_at_s * 1000 if isinstance(occurred_at_s, int) else None
    try:
        values = reader(entry, 0)[0].values
    except UnreadableError:
        return Listed(key, 0, None, None, "", key, occurred_at_ms)
    amount = next((values[name] for name in ("amount_minor", "net_minor", "gross_minor") if name in values), None)
    return Listed(
        key=key,
        version_at_ms=0,
        amount_minor=int(amount) if amount is not None else None,
        currency=str(values["currency"]),
        status=str(values.get("status", "")),
        fetch=key,
        occurred_at_ms=occurred_at_ms,
    )
