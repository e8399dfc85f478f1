"""What a provider posts: the exact bytes of an event, ready to be signed and sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from local.simulator.exact_json import encode
from local.simulator.ids import uuid_text
from local.simulator.journal import BETTEREZ, MERCADO_PAGO, STRIPE
from local.simulator.moments import from_ms
from local.simulator.payloads import betterez, mercadopago, stripe
from local.simulator.records import Event, WalletNotice

ATTEMPT_MARK = "00000000-0000-4000-8000-000000000000"
"""Stands where the platform writes the `attemptId`, which differs each time it posts: signing puts one in its place."""


@dataclass(frozen=True, slots=True)
class Emission:
    """One event as its provider posts it, before it is signed: signatures carry the time of sending."""

    provider: str
    event_type: str
    event_id: str
    query: str
    """Without the question mark; empty where the provider puts nothing into the address."""
    body: bytes
    occurred_at: datetime

    @property
    def path(self) -> str:
        """Return the path at the receiving door."""
        return f"/{self.provider}"


class Feed(Protocol):
    """Something whose events can be sent: a season, or a file of payments."""

    def __len__(self) -> int:
        """Return how many events there are."""

    def emission(self, index: int) -> Emission:
        """Return the event at a position, in the order in which things happened."""


def emission_of(event: Event) -> Emission:
    """Write an event as its provider posts it."""
    if event.provider == BETTEREZ:
        return betterez_emission(
            uuid_text(event.number),
            event.type,
            event.created_s,
            betterez.DATA[type(event.subject)](event.subject),
            event.at_ms,
        )
    if event.provider == STRIPE:
        return _stripe_emission(event)
    return _mercado_pago_emission(event)


def betterez_emission(event_id: str, event_type: str, created_s: int, data: object, at_ms: int) -> Emission:
    """Return an event of the platform around its `data`."""
    envelope = {
        "id": event_id,
        "attemptId": ATTEMPT_MARK,
        "livemode": True,
        "created": created_s,
        "event": event_type,
        "data": data,
    }
    return Emission(BETTEREZ, event_type, event_id, "", encode(envelope), from_ms(at_ms))


def _stripe_emission(event: Event) -> Emission:
    event_id = f"evt_{event.number:032x}"
    thing = stripe.OBJECTS[type(event.subject)](event.subject)
    body = encode(stripe.event(event_id, event.type, event.created_s, thing))
    return Emission(STRIPE, event.type, event_id, "", body, from_ms(event.at_ms))


def _mercado_pago_emission(event: Event) -> Emission:
    notice = event.subject
    if not isinstance(notice, WalletNotice):
        raise TypeError(f"Mercado Pago tells of payments only, not of {type(notice).__name__}")
    return Emission(
        MERCADO_PAGO,
        event.type,
        str(event.number),
        f"data.id={quote(str(notice.payment_id))}&type=payment",
        encode(mercadopago.notification(event.number, event.at_ms, notice)),
        from_ms(event.at_ms),
    )
