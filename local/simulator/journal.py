"""The journal: every event that a provider tells of, in the order in which things happened."""

from random import Random

from local.simulator.moments import SECOND_MS
from local.simulator.records import Event, Subject

BETTEREZ = "betterez"
STRIPE = "stripe"
MERCADO_PAGO = "mercadopago"

_TRAIL_S_MIN, _TRAIL_S_MAX = 2, 20
"""How far the platform's events trail what happened."""
_FIRST_NOTICE = 102_000_000_000


class Journal:
    """Collects events; identities are drawn from the seeded source."""

    def __init__(self, rng: Random) -> None:
        """Start empty."""
        self._rng = rng
        self.events: list[Event] = []

    def betterez(self, at_ms: int, subject: Subject, *types: str) -> None:
        """Tell of a happening on the ticketing platform, once for each type."""
        created_s = at_ms // SECOND_MS + self._rng.randint(_TRAIL_S_MIN, _TRAIL_S_MAX)
        for event_type in types:
            self._tell(BETTEREZ, event_type, at_ms, created_s, subject)

    def stripe(self, at_ms: int, event_type: str, subject: Subject) -> None:
        """Tell of a happening at Stripe."""
        self._tell(STRIPE, event_type, at_ms, at_ms // SECOND_MS, subject)

    def mercado_pago(self, at_ms: int, event_type: str, subject: Subject) -> None:
        """Tell of a happening at Mercado Pago."""
        number = _FIRST_NOTICE + len(self.events) * 31
        self.events.append(Event(MERCADO_PAGO, event_type, number, at_ms, at_ms // SECOND_MS, subject))

    def _tell(self, provider: str, event_type: str, at_ms: int, created_s: int, subject: Subject) -> None:
        number = self._rng.getrandbits(128)
        self.events.append(Event(provider, event_type, number, at_ms, created_s, subject))
