"""Pauses: a provider that fails again and again is left alone for a while, each time for longer, and then asked again.

A pause outlives the process that began it: whoever would ask next sees it. It ends by itself; the first question after it
is a trial, and one more failure begins a longer pause.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.errors import BusyError, TransientError

PAUSE_MIN = timedelta(minutes=1)
PAUSE_MAX = timedelta(minutes=30)
"""So soon a provider is tried again however long it has been away: it catches up within the hour of its return."""
PATIENCE_MAX = timedelta(hours=24)
"""The longest pause that a provider may ask for itself; what asks for more is tried after a day all the same."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Why and until when one provider is not asked. It stands until the provider has answered again."""

    provider: str
    since: datetime
    """When the first of the failures in a row was seen that led to it."""
    until: datetime
    trials: int
    """How many pauses followed each other without an answer in between."""
    reason: str
    """What the last failure says."""
    ended_at: datetime | None = None
    """When the provider answered again; None while the pause stands."""

    @property
    def stands(self) -> bool:
        """Return whether the provider has not answered since."""
        return self.ended_at is None

    def holds(self, now: datetime) -> bool:
        """Return whether the provider is not to be asked now."""
        return self.stands and now < self.until

    def ended(self, now: datetime) -> "Pause":
        """Return the pause of a provider that answers again."""
        return replace(self, ended_at=now)


def next_pause(provider: str, before: Pause | None, failure: TransientError, now: datetime) -> Pause:
    """Return the pause that a failure begins: twice as long as the one before it, and never shorter than was asked for."""
    stands = before if before is not None and before.stands else None
    trials = stands.trials + 1 if stands else 1
    length = max(pause_length(trials), _asked_for(failure))
    return Pause(
        provider, stands.since if stands else now, now + length, trials, f"{type(failure).__name__}: {failure}"
    )


def pause_length(trials: int) -> timedelta:
    """Return how long the n-th pause in a row lasts: doubling from a minute to half an hour."""
    return min(PAUSE_MIN * (1 << min(trials - 1, 16)), PAUSE_MAX)


def asks_for_patience(failure: TransientError) -> bool:
    """Return whether the provider itself asks to be left alone for as long as a pause lasts."""
    return _asked_for(failure) >= PAUSE_MIN


def _asked_for(failure: TransientError) -> timedelta:
    asked_s = failure.retry_after_s if isinstance(failure, BusyError) else None
    return min(timedelta(seconds=asked_s or 0), PATIENCE_MAX)
