"""Big seasons, fast: a small simulated season is written again and again, each time with names of its own.

The simulator draws every passenger; at a million sales that takes longer than what is measured. Here the bytes of a small
season are cut at the identifiers that its sales mint, once, and joined again with others for each repetition. What the
company has once (trips, cash sessions, payouts) stays once. Payloads keep their shapes, instants and amounts; repetition
0 is the small season itself, byte for byte. Every event is told of all repetitions before the next one: what is sold at one
time arrives at one time and, as record ids begin with their time, lies side by side; ids of events are spread over all there
are. Signatures are those of the small season: nothing here passes the door.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from local.line import delivered
from local.simulator import Chaos, Plan, Season
from shared.domain.deliveries import Delivery
from shared.runtime.ids import new_delivery_id

KEYS = {"betterez": "k", "stripe": "k", "mercadopago": "k"}
SALES = 500
"""How many sales the small season has that bigger ones repeat."""

_OF_THE_COMPANY = frozenset({"manifestStatus.updated", "shift.created", "shift.closed", "payout.paid"})
_TOLD_AGAIN = frozenset({"ticket.created", "customer.created", "customer.updated"})
"""Events of which a later one says all: a big season leaves them out, so that a sale is about three deliveries."""
_MINTED = frozenset({
    "_id", "id", "ticketNumber", "transactionId", "referenceNumber", "refundId", "payment_intent", "balance_transaction",
})  # fmt: skip
_TEXT = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_NAME = re.compile(_TEXT.pattern + rb'|(?<="id":)(\d+)')
"""A text, or the number of a wallet's notice."""
_RUNNING = 10**12
"""What a repetition adds to a running number of a wallet: above all that the simulator mints."""
_HEX = re.compile(rb"[0-9a-f]+")
_LONG_ID = 20
_UUID = 36
_SPREAD = 0x9E3779B1
"""An odd number near the golden part of 2**32: its multiples lie far apart, and no two are the same."""


class _Cut(NamedTuple):
    """A delivery cut at what changes: literal pieces and between them names, by their place in the table of names."""

    delivery: Delivery
    pieces: tuple[bytes, ...]
    names: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A small season, cut."""

    sales: int
    once: tuple[Delivery, ...]
    repeated: tuple[_Cut, ...]
    names: tuple[bytes, ...]

    @classmethod
    def of(cls, sales: int, seed: int = 7, *, is_lean: bool = True) -> "Template":
        """Cut a simulated season of so many sales; a lean one leaves out what later events say again."""
        now = datetime.now(UTC)
        plan = Plan(Season.generate(seed=seed, sales=sales), Chaos())
        told = [(send.emission.event_type, delivered(send, KEYS, now)) for send in plan.sends()]
        left_out = _OF_THE_COMPANY | (_TOLD_AGAIN if is_lean else frozenset())
        sold = [delivery for event_type, delivery in told if event_type not in left_out]
        once = tuple(delivery for event_type, delivery in told if event_type in _OF_THE_COMPANY)
        if is_lean:
            pointed_at = {text for delivery in sold for text in _TEXT.findall(delivery.body)}
            once = tuple(delivery for delivery in once if _names_any(delivery, pointed_at))
        kept = {name for delivery in once for name in _minted(json.loads(delivery.body))}
        names = {name for delivery in sold for name in _minted(json.loads(delivery.body))} - kept
        table = {name: at for at, name in enumerate(sorted(names))}
        return cls(sales, once, tuple(_cut(delivery, table) for delivery in sold), tuple(table))

    def deliveries(self, sales: int) -> Iterator[Delivery]:
        """Yield the deliveries of a season of at least so many sales, rounded up to whole repetitions."""
        yield from (_anew(delivery) for delivery in self.once)
        repetitions = range(-(-sales // self.sales))
        for cut in self.repeated:
            names = [self.names[at] for at in cut.names]
            for repetition in repetitions:
                yield _written(cut, [renamed(name, repetition) for name in names])


def _names_any(delivery: Delivery, pointed_at: set[bytes]) -> bool:
    """Return whether a sale points at the trip or cash session that a delivery tells of; payouts are always told."""
    data = json.loads(delivery.body)["data"]
    name = data.get("manifestId") or data.get("_id")
    return name is None or name.encode() in pointed_at


def _minted(document: Any) -> Iterator[bytes]:
    """Yield the identifiers that a document mints or points at."""
    if isinstance(document, list):
        for each in document:
            yield from _minted(each)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key in _MINTED and isinstance(value, str | int) and value not in ("", True):
                yield str(value).encode()
            else:
                yield from _minted(value)


def _cut(delivery: Delivery, table: dict[bytes, int]) -> _Cut:
    """Cut the body at every text, and the number of a wallet's notice, that is a name."""
    pieces, names, end = [], [], 0
    for found in _NAME.finditer(delivery.body):
        group = 1 if found[1] is not None else 2
        name = table.get(found[group])
        if name is not None:
            pieces.append(delivery.body[end : found.start(group)])
            names.append(name)
            end = found.end(group)
    return _Cut(delivery, (*pieces, delivery.body[end:]), tuple(names))


def renamed(name: bytes, repetition: int) -> bytes:
    """Return another identifier of the same form; the same one for repetition 0."""
    if not repetition:
        return name
    if name.isdigit():
        return str(int(name) + repetition * _RUNNING).encode()
    if len(name) < _LONG_ID:
        return name + f"-{repetition:x}".encode()
    if len(name) == _UUID and name[8:9] == b"-":
        return f"{(int(name[:8], 16) + repetition * _SPREAD) & 0xFFFFFFFF:08x}".encode() + name[8:]
    return counted(name, repetition)


def counted(name: bytes, repetition: int) -> bytes:
    """Return another identifier of the same beginning, which is its time: the count goes into its random digits."""
    digits = name[-12:-7]
    if _HEX.fullmatch(digits):  # no count leads back to the digits of repetition 0, nor to those of another
        return name[:-12] + f"{int(digits, 16) ^ repetition:05x}".encode() + name[-7:]
    return name[:-12] + f"{repetition:04x}Z".encode() + name[-7:]


def _written(cut: _Cut, names: list[bytes]) -> Delivery:
    parts = [cut.pieces[0]]
    for named in zip(names, cut.pieces[1:], strict=True):
        parts += named
    body, target = b"".join(parts), cut.delivery.target
    if "data.id=" in target:
        target = f"{cut.delivery.target.partition('?')[0]}?data.id={json.loads(body)['data']['id']}&type=payment"
    return _anew(replace(cut.delivery, body=body, target=target))


def _anew(delivery: Delivery) -> Delivery:
    return replace(delivery, delivery_id=new_delivery_id(delivery.received_at))
