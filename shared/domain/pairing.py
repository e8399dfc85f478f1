"""Pairing at speed: where two sides say the very same, they are compared stretch by stretch, not claim by claim.

provider ─▶ stretch ─┐
                     ├─ the same? counted as a whole ─ else ─▶ paired, claim by claim ─▶ pairs that may differ
ledger ───▶ stretch ─┘
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, islice, pairwise
from operator import attrgetter, lt

from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey
from shared.domain.reconciliation import Claim, Pair, Tally, paired

_KEY = attrgetter("key")

STRETCH = 64
"""How many claims of each side are compared at once: where a few of a thousand differ, most stretches are the same."""


def unequal(provider: Iterable[Claim], ledger: Iterable[Claim], tally: Tally) -> Iterator[Pair]:
    """Yield the pairs whose two claims are not the same, in order of keys, and count all others in the tally.

    Both sides come in order of their keys, each key once; TerminalError names the side that does not. Claims that are
    the same differ in nothing, so what is yielded holds every difference that `paired` would show. One stretch of each
    side is held, whatever their number.
    """
    theirs, ours = _Side(provider, "provider"), _Side(ledger, "ledger")
    while theirs.refilled() and ours.refilled():
        if theirs.held == ours.held:
            tally.add_equal(theirs.held)
            theirs.held, ours.held = [], []
            continue
        until = min(theirs.held[-1].key, ours.held[-1].key)
        for pair in paired(theirs.taken(until), ours.taken(until)):
            if pair.provider == pair.ledger:
                tally.add(pair)
            else:
                yield pair
    yield from paired(theirs.rest(), ours.rest())


class _Side:
    """One side as it is read: the claims that are held, all of them later than those that were taken."""

    def __init__(self, claims: Iterable[Claim], name: str) -> None:
        self._claims = iter(claims)
        self._name = name
        self._last: list[EntityKey] = []
        self.held: list[Claim] = []

    def refilled(self) -> bool:
        """Hold a whole stretch again if the side has as much, and return whether anything is held."""
        fresh = list(islice(self._claims, STRETCH - len(self.held)))
        keys = [*self._last, *(claim.key for claim in fresh)]
        if not all(map(lt, keys, keys[1:])):
            self._refuse(keys)
        self._last = keys[-1:]
        self.held += fresh
        return bool(self.held)

    def taken(self, until: EntityKey) -> list[Claim]:
        """Give what is held up to and with a key."""
        at = bisect_right(self.held, until, key=_KEY)
        taken, self.held = self.held[:at], self.held[at:]
        return taken

    def rest(self) -> Iterator[Claim]:
        """Yield what is held and what is still to come."""
        return chain(self.held, self._claims)

    def _refuse(self, keys: list[EntityKey]) -> None:
        before, key = next((before, key) for before, key in pairwise(keys) if key <= before)
        raise TerminalError(
            f"the {self._name} side names {key} after {before}; it must come in order of keys, each once"
        )
