"""Pairing at speed: where two sides say the very same, they are compared stretch by stretch, not claim by claim.

provider ─▶ stretch ─┐
                     ├─ how much is the same? counted as a whole ─ then ─▶ a few paired, claim by claim ─▶ may differ
ledger ───▶ stretch ─┘
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, compress, count, islice, pairwise
from operator import attrgetter, lt, ne

from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey
from shared.domain.reconciliation import Claim, Pair, Tally, paired

_KEY = attrgetter("key")

STRETCH = 128
"""How many claims of each side are compared at once: where a few of a thousand differ, most stretches are the same."""
FEW = 16
"""How many claims of a side are paired one by one from where the sides differ, before they are compared at once again."""


def unequal(provider: Iterable[Claim], ledger: Iterable[Claim], tally: Tally) -> Iterator[Pair]:
    """Yield the pairs whose two claims are not the same, in order of keys, and count all others in the tally.

    Both sides come in order of their keys, each key once; TerminalError names the side that does not. Claims that are
    the same differ in nothing, so what is yielded holds every difference that `paired` would show. One stretch of each
    side is held, whatever their number.
    """
    theirs, ours = _Side(provider, "provider"), _Side(ledger, "ledger")
    while theirs.refilled() and ours.refilled():
        same = _same(theirs.held, ours.held)
        if same:
            tally.add_equal(theirs.taken(same))
            ours.follow(theirs, same)
        else:
            until = min(theirs.few[-1].key, ours.few[-1].key)
            yield from _unequal(paired(theirs.taken_until(until), ours.taken_until(until)), tally)
    yield from paired(theirs.rest(), ours.rest())


def _same(theirs: list[Claim], ours: list[Claim]) -> int:
    """Return how many claims both sides begin with alike."""
    if theirs == ours:
        return len(theirs)
    return next(compress(count(), map(ne, theirs, ours)), min(len(theirs), len(ours)))


def _unequal(pairs: Iterable[Pair], tally: Tally) -> Iterator[Pair]:
    for pair in pairs:
        if pair.provider == pair.ledger:
            tally.add(pair)
        else:
            yield pair


class _Side:
    """One side as it is read: the claims that are held, all of them later than those that were taken."""

    def __init__(self, claims: Iterable[Claim], name: str) -> None:
        self._claims = iter(claims)
        self._name = name
        self.last: list[EntityKey] = []
        """The key that was taken last; none at the start."""
        self.held: list[Claim] = []

    @property
    def few(self) -> list[Claim]:
        """Return the first few of those that are held."""
        return self.held[:FEW]

    def refilled(self) -> bool:
        """Hold a whole stretch again if the side has as much, and return whether anything is held."""
        self.held += islice(self._claims, STRETCH - len(self.held))
        return bool(self.held)

    def taken(self, number: int) -> list[Claim]:
        """Give so many of those that are held; raise TerminalError where they do not come in order."""
        taken, self.held = self.held[:number], self.held[number:]
        keys = [*self.last, *map(_KEY, taken)]
        if not all(map(lt, keys, keys[1:])):
            self._refuse(keys)
        self.last = keys[-1:]
        return taken

    def taken_until(self, until: EntityKey) -> list[Claim]:
        """Give what is held up to and with a key."""
        return self.taken(bisect_right(self.held, until, key=_KEY))

    def follow(self, other: "_Side", number: int) -> None:
        """Let go of so many that the other side has just given alike: as they are in order there, they are here."""
        self.held = self.held[number:]
        self.last = other.last

    def rest(self) -> Iterator[Claim]:
        """Yield what is held and what is still to come."""
        self.refilled()
        yield from chain(self.taken(len(self.held)), self._claims)

    def _refuse(self, keys: list[EntityKey]) -> None:
        before, key = next((before, key) for before, key in pairwise(keys) if key <= before)
        raise TerminalError(
            f"the {self._name} side names {key} after {before}; it must come in order of keys, each once"
        )
