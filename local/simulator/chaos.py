"""What happens to events on their way: duplicated, reordered, delayed, lost, forged and corrupted, from one seed.

A plan decides every fate before the first request leaves, so that what should arrive is known exactly. Bodies are
written only when the plan is carried out.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import NamedTuple

from local.simulator.deliveries import Emission, Feed
from local.simulator.forgeries import CORRUPTIONS, FORGERIES, corrupt, forge, invented_sale
from local.simulator.journal import BETTEREZ, MERCADO_PAGO, STRIPE
from local.simulator.signing import Request, Secrets, sign

_THIRD_ATTEMPT_SHARE = 0.2
"""Of the events that are sent twice, how many come a third time."""
_ADDRESSED_BY_TIME = ("stale", "from_the_future")
"""Forgeries of the signed time: not made for Mercado Pago, which signs no body and may notify late."""


class Kind(StrEnum):
    """What a planned send is."""

    GENUINE = "genuine"
    """The first arrival of a season's event."""
    DUPLICATE = "duplicate"
    """A further attempt for an event that is sent anyway."""
    FORGED = "forged"
    """The signature does not hold: the door refuses it."""
    CORRUPTED = "corrupted"
    """The signature holds and the content does not: kept and held; only the oversized one is refused at the door."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """The knobs. Shares are of the number of events; none at all is a clean run in order."""

    seed: int = 0
    duplicate_share: float = 0.0
    delay_share: float = 0.0
    """Events that arrive after everything else."""
    loss_share: float = 0.0
    undelivered_share: float = 0.5
    """Of the lost events of the platform, how many stand in its list of undeliverables; the rest vanished."""
    forged_share: float = 0.0
    corrupted_share: float = 0.0
    reorder_window: int = 0
    """How many places an event may be displaced by, forwards or backwards; 0 keeps the order."""
    is_shuffled: bool = False
    """Whether everything is shuffled through the whole season, whatever the window."""


class Send(NamedTuple):
    """One request to make: an emission, which attempt it is, and what is wrong with it, if anything."""

    kind: Kind
    emission: Emission
    attempt: int
    flaw: str
    """A key of FORGERIES or CORRUPTIONS; empty for what is genuine."""

    def request(self, secrets: Secrets, now: datetime) -> Request:
        """Return the request as it leaves at an instant, signed then."""
        if self.kind is Kind.FORGED:
            return forge(self.flaw, self.emission, secrets, now)
        return sign(self.emission, secrets, now, self.attempt)


class _Step(NamedTuple):
    kind: Kind
    number: int
    """Position in the feed, or running number of a forged or corrupted request."""
    attempt: int


class Plan:
    """What will be sent, in which order, and what will not; counted exactly."""

    def __init__(self, feed: Feed, chaos: Chaos) -> None:
        """Decide the fate of every event of the feed."""
        self._feed = feed
        self._chaos = chaos
        rng = Random(f"asiento chaos {chaos.seed}")  # noqa: S311  a seed is the point; nothing here is a secret
        events = len(feed)
        self._lost = _chosen(rng, range(events), chaos.loss_share)
        lost = set(self._lost)
        delivered = [number for number in range(events) if number not in lost]
        self._flaws = rng.getrandbits(64)
        self._steps = self._ordered(rng, self._attempts(rng, delivered), events)
        self._undelivered = _chosen(rng, self._lost, chaos.undelivered_share)
        self.counts = self._counted(events, len(delivered))

    def __len__(self) -> int:
        """Return how many requests will be made."""
        return len(self._steps)

    def sends(self) -> Iterator[Send]:
        """Yield the requests to make, in order; may be called again for the same ones."""
        for step in self._steps:
            yield self._send(step)

    def lost(self) -> Iterator[Emission]:
        """Yield the events that are never sent."""
        return map(self._feed.emission, self._lost)

    def undelivered(self) -> list[Emission]:
        """Return those of the platform's lost events that stand in its list of undeliverables."""
        emissions = map(self._feed.emission, self._undelivered)
        return [emission for emission in emissions if emission.provider == BETTEREZ]

    def _send(self, step: _Step) -> Send:
        if step.kind in (Kind.GENUINE, Kind.DUPLICATE):
            return Send(step.kind, self._feed.emission(step.number), step.attempt, "")
        # Each invented request is drawn from a source of its own, so that it does not depend on those before it.
        rng = Random(f"{self._flaws} {step.kind.value} {step.number}")  # noqa: S311  a seed is the point
        at = datetime.fromtimestamp(_INVENTED_AT_S + step.number, UTC)
        if step.kind is Kind.CORRUPTED:
            flaw = _CORRUPTED_KINDS[step.number % len(_CORRUPTED_KINDS)]
            return Send(step.kind, corrupt(flaw, rng, at), 1, flaw)
        provider, flaw = _FORGED_KINDS[step.number % len(_FORGED_KINDS)]
        return Send(step.kind, invented_sale(rng, provider, at), 1, flaw)

    def _attempts(self, rng: Random, delivered: list[int]) -> list[_Step]:
        """Return the first arrivals in order, each followed at some distance by its duplicates."""
        steps = [_Step(Kind.GENUINE, number, 1) for number in delivered]
        again = _chosen(rng, delivered, self._chaos.duplicate_share)
        copies = [_Step(Kind.DUPLICATE, number, 2) for number in again]
        copies += [_Step(Kind.DUPLICATE, number, 3) for number in again if rng.random() < _THIRD_ATTEMPT_SHARE]
        return sorted(steps + copies, key=lambda step: (step.number, step.attempt)) if copies else steps

    def _ordered(self, rng: Random, steps: list[_Step], events: int) -> list[_Step]:
        chaos = self._chaos
        steps = _interleaved(rng, steps, self._extras(events))
        if chaos.is_shuffled:
            rng.shuffle(steps)
        elif chaos.reorder_window:
            places = [(place + rng.uniform(0, chaos.reorder_window), place) for place in range(len(steps))]
            steps = [steps[place] for _, place in sorted(places)]
        late = set(_chosen(rng, range(len(steps)), chaos.delay_share))
        return _first_arrivals(
            [step for place, step in enumerate(steps) if place not in late] + [steps[place] for place in sorted(late)]
        )

    def _extras(self, events: int) -> list[_Step]:
        forged = [_Step(Kind.FORGED, number, 1) for number in range(round(events * self._chaos.forged_share))]
        corrupted = [_Step(Kind.CORRUPTED, number, 1) for number in range(round(events * self._chaos.corrupted_share))]
        return forged + corrupted

    def _counted(self, events: int, delivered: int) -> dict[str, int]:
        kinds = Counter(step.kind for step in self._steps)
        highest = -1
        overtaken = 0
        for step in self._steps:
            if step.kind is Kind.GENUINE:
                overtaken += step.number < highest
                highest = max(highest, step.number)
        return {
            "events": events,
            "sent": len(self._steps),
            "unique": delivered,
            "duplicated": kinds[Kind.DUPLICATE],
            "reordered": overtaken,
            "lost": len(self._lost),
            "undelivered": len(self.undelivered()),
            "forged": kinds[Kind.FORGED],
            "corrupted": kinds[Kind.CORRUPTED],
            "oversized": sum(
                step.kind is Kind.CORRUPTED and _CORRUPTED_KINDS[step.number % len(_CORRUPTED_KINDS)] == "oversized"
                for step in self._steps
            ),
        }


_INVENTED_AT_S = 1_767_300_000
"""Forged and corrupted requests pretend to tell of a day in the default season."""

_FORGED_KINDS = tuple(
    (provider, flaw)
    for flaw in FORGERIES
    for provider in (BETTEREZ, STRIPE, MERCADO_PAGO)
    if provider != MERCADO_PAGO or flaw not in _ADDRESSED_BY_TIME
)
_CORRUPTED_KINDS = tuple(CORRUPTIONS)


def _chosen(rng: Random, numbers: "range | list[int]", share: float) -> list[int]:
    """Return an exact share of the numbers, in their order."""
    return sorted(rng.sample(numbers, round(len(numbers) * share)))


def _interleaved(rng: Random, steps: list[_Step], extras: list[_Step]) -> list[_Step]:
    """Scatter extras among the steps, whose order stays."""
    if not extras:
        return steps
    places = set(rng.sample(range(len(steps) + len(extras)), len(extras)))
    genuine, extra = iter(steps), iter(extras)
    return [next(extra) if place in places else next(genuine) for place in range(len(steps) + len(extras))]


def _first_arrivals(steps: list[_Step]) -> list[_Step]:
    """Number the attempts of each event by arrival: whichever comes first is the genuine one, the rest duplicates."""
    arrivals = Counter[int]()
    numbered = []
    for step in steps:
        if step.kind in (Kind.FORGED, Kind.CORRUPTED):
            numbered.append(step)
            continue
        arrivals[step.number] += 1
        kind = Kind.GENUINE if arrivals[step.number] == 1 else Kind.DUPLICATE
        numbered.append(_Step(kind, step.number, arrivals[step.number]))
    return numbered
