"""Documents as the providers write them, and what somebody with a valid signature might write instead."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import jiter

from local.simulator import API_SECRETS, Api, ApiServer, Chaos, Plan, Season
from shared.domain.deliveries import Channel, Delivery
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.ports.provider import ApiAccess
from shared.providers.toolkit import registry
from shared.runtime.ids import new_delivery_id
from tests.providers.deliveries import exact_json

SEED = 20_260_311
ARRIVAL = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)
SECRETS = {"betterez": "key of betterez", "stripe": "whsec_stripe", "mercadopago": "key of mercado pago"}
PROVIDERS = tuple(SECRETS)

FILES = {
    "mercadopago": (
        b"DATE,SOURCE_ID,EXTERNAL_REFERENCE,RECORD_TYPE,DESCRIPTION,NET_CREDIT_AMOUNT,NET_DEBIT_AMOUNT,GROSS_AMOUNT,"
        b"MP_FEE_AMOUNT,FINANCING_FEE_AMOUNT,SHIPPING_FEE_AMOUNT,TAXES_AMOUNT,TAXES_DISAGGREGATED\n"
        b"2026-03-01T10:00:00.000-04:00,701,A-1,release,payment,88.00,0.00,100.00,-7.50,-2.00,-1.00,-1.50,\n"
        b"2026-03-01T11:00:00.000-04:00,702,A-2,release,payment,10.00,0.00,10.00,0.00,0.00,0.00,0.00,\n"
    ),
    "stripe": (
        b"id,amount,created,currency,fee,net,source,status,type,payout_id\n"
        b"txn_1,1000,2026-03-01 10:00:00,usd,59,941,ch_1,available,charge,po_1\n"
        b"txn_2,-400,2026-03-01 11:00:00,usd,0,-400,re_1,available,refund,po_1\n"
    ),
}
"""One file of each provider that is read from files."""

_STRANGE_TEXTS = (
    "", " ", "x" * 400, "\x00", "\x1b[2J", "\u202e", "\r\nSet-Cookie: a=b", "../../../etc/passwd", "a/b", "..", "__x__",
    "[/red]", "{}", "NaN", "=1+1", "'; DROP TABLE objects; --", "%00", "ARS ", "1e9", "-0", "٣", "\ufeff", "é" * 128,
    "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999-23:59", "2026-01-01T00:00:00",
    "2026-01-01T00:00:00+24:00", "2026-W10-1", "payment:betterez:x", "sale:", "::::",
)  # fmt: skip
_STRANGE_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 10**400, Decimal("0.1"), Decimal("-0.0"),
    Decimal("1E+30"), Decimal("1E-40"), Decimal("61.000"), [], {}, [[]], [None], [{}], {"": ""}, {"value": None},
    {"value": "x", "offset": "y"}, {"_id": None}, [1, "a", None, {}], *_STRANGE_TEXTS,
)  # fmt: skip


@cache
def season() -> Season:
    """Return a week in which something of everything happens."""
    return Season.generate(SEED, sales=60, first_day=date(2026, 3, 2), last_day=date(2026, 3, 8))


@cache
def webhooks() -> tuple[Delivery, ...]:
    """Return what the season's webhooks bring, signed as of their arrival."""
    deliveries = []
    for send in Plan(season(), Chaos()).sends():
        request = send.request(SECRETS, ARRIVAL)
        provider = send.emission.provider
        deliveries.append(
            Delivery(
                new_delivery_id(ARRIVAL),
                provider,
                Channel.WEBHOOK,
                ARRIVAL,
                request.target,
                request.headers,
                request.body,
            )
        )
    return tuple(deliveries)


@cache
def answers() -> tuple[Delivery, ...]:
    """Return what the providers' APIs answer when a few things of each kind are fetched."""
    deliveries = []
    with ApiServer(Api(season().company)) as server:
        for name in PROVIDERS:
            provider = registry.load(name)
            assert provider.open_api is not None
            with closing(provider.open_api(ApiAccess(server.base_url(name), API_SECRETS[name]))) as api:
                for key in _fetchable(name, provider.capabilities.fetchable):
                    fetched = api.fetch(key)
                    deliveries.append(
                        Delivery(
                            new_delivery_id(ARRIVAL), name, Channel.FETCH, ARRIVAL, fetched.target, {}, fetched.body
                        )
                    )
    return tuple(deliveries)


def _fetchable(provider: str, kinds: Sequence[EntityKind]) -> Iterator[EntityKey]:
    """Yield two things of each kind that the season's webhooks speak of or point at."""
    found: dict[EntityKind, dict[EntityKey, None]] = {kind: {} for kind in kinds}
    for delivery in webhooks():
        if delivery.provider == provider:
            reading = registry.load(provider).read(delivery)
            for key in (*(fact.key for fact in reading.facts), *(want.key for want in reading.wants)):
                if key.kind in found and key.provider == provider:
                    found[key.kind][key] = None
    for keys in found.values():
        yield from list(keys)[:2]


def window() -> Window:
    """Return the days of the season."""
    return Window.of_days(date(2026, 3, 1), date(2026, 3, 31))


def samples(provider: str) -> list[Delivery]:
    """Return one webhook of each shape, and the answers and files, of a provider."""
    shapes: dict[tuple[Any, ...], Delivery] = {}
    for delivery in webhooks():
        if delivery.provider == provider:
            content = jiter.from_json(delivery.body)
            shapes.setdefault((content.get("event"), content.get("type"), content.get("action")), delivery)
    found = [*shapes.values(), *(delivery for delivery in answers() if delivery.provider == provider)]
    if provider in FILES:
        found.append(
            Delivery(new_delivery_id(ARRIVAL), provider, Channel.FILE, ARRIVAL, "report.csv", {}, FILES[provider])
        )
    return found


def mutated(delivery: Delivery, random: Random) -> Delivery:
    """Return a delivery with another id, whose body differs from a true one in one place, or in a few bytes."""
    if delivery.channel is Channel.FILE or random.random() < 0.15:
        body = _with_other_bytes(delivery.body, random)
    else:
        body = exact_json(_changed(jiter.from_json(delivery.body, float_mode="decimal"), random))
    return Delivery(
        new_delivery_id(ARRIVAL),
        delivery.provider,
        delivery.channel,
        delivery.received_at,
        delivery.target,
        delivery.headers,
        body,
    )


def _with_other_bytes(body: bytes, random: Random) -> bytes:
    changed = bytearray(body)
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(changed) + 1)
        strange = random.choice(
            (b'"', b",", b"\n", b"\r", b"\x00", b"\xff\xfe", b"{", b"]", b";", b"1e999", b"\xc3", b"")
        )
        changed[start : start + random.randint(0, 12)] = strange
    return bytes(changed)


def _changed(content: Any, random: Random) -> Any:
    """Change one place of a JSON value: put something strange there, leave it out, or double it."""
    places = list(_places(content))
    if not places:
        return random.choice(_STRANGE_VALUES)
    holder, key = random.choice(places)
    how = random.random()
    if how < 0.7:
        holder[key] = random.choice(_STRANGE_VALUES)
    elif how < 0.85:
        del holder[key]
    elif isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[random.choice(_STRANGE_TEXTS)] = holder[key]
    return content


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, part in pairs:
        yield content, key
        yield from _places(part)
