"""Listings: what a provider lists of a kind in a window, and what one job of a pass has read for another that asks the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.ports.provider import Listed

HELD_MAX = 100_000
"""How many entities are held between two jobs, some half a kibibyte each; what is beyond is read again."""

Asked: TypeAlias = tuple[str, EntityKind, Window]
"""Which provider is asked for which kind in which window."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a provider lists of a kind in a window, each entity once, as of when it was asked."""

    as_of: datetime
    entities: Mapping[EntityKey, Listed]


class Listings:
    """What was listed in one pass and is still to be used: it is held for one reader more, and then let go."""

    def __init__(self, held_max: int = HELD_MAX) -> None:
        """Hold nothing yet, and never more than so many entities."""
        self._held: dict[Asked, Listing] = {}
        self._room = held_max

    def hold(self, asked: Asked, listing: Listing) -> None:
        """Hold a listing, if there is room; one that was asked for again takes the place of the older."""
        self.take(asked)
        if len(listing.entities) <= self._room:
            self._held[asked] = listing
            self._room -= len(listing.entities)

    def take(self, asked: Asked) -> Listing | None:
        """Return what is held, and let it go."""
        listing = self._held.pop(asked, None)
        if listing is not None:
            self._room += len(listing.entities)
        return listing
