"""Asiento leaves a provider that is down alone for longer and longer, never for so long that it misses its return."""

from datetime import UTC, datetime, timedelta

from shared.domain.errors import BusyError, TransientError
from shared.domain.pauses import PATIENCE_MAX, PAUSE_MAX, PAUSE_MIN, next_pause, pause_length

NOON = datetime(2026, 3, 10, 15, tzinfo=UTC)
DOWN = TransientError("GET /x answered 503; ask again later")


def test_pauses_double_up_to_half_an_hour() -> None:
    """Asiento doubles a pause after each trial that fails."""
    assert [pause_length(trials) // PAUSE_MIN for trials in (1, 2, 3, 4, 5, 6, 7)] == [1, 2, 4, 8, 16, 30, 30]
    assert pause_length(10**9) == PAUSE_MAX


def test_a_pause_remembers_since_when() -> None:
    """Asiento keeps since when a provider has been failing while pauses follow each other, and forgets it when one ended."""
    first = next_pause("tiny", None, DOWN, NOON)
    assert (first.since, first.until, first.trials) == (NOON, NOON + PAUSE_MIN, 1)
    assert first.reason == "TransientError: GET /x answered 503; ask again later"
    later = NOON + timedelta(minutes=5)
    second = next_pause("tiny", first, DOWN, later)
    assert (second.since, second.until, second.trials) == (NOON, later + 2 * PAUSE_MIN, 2)
    third = next_pause("tiny", second.ended(later), DOWN, later)
    assert (third.since, third.trials) == (later, 1)


def test_a_pause_holds_until_it_is_over_or_ended() -> None:
    """Asiento asks again the moment that a pause is over, or once somebody was answered."""
    pause = next_pause("tiny", None, DOWN, NOON)
    assert pause.holds(pause.until - timedelta(milliseconds=1))
    assert not pause.holds(pause.until)
    assert not pause.ended(NOON).holds(NOON)


def test_a_provider_may_ask_for_more_patience() -> None:
    """Asiento stays away for as long as Retry-After asks, and a day at most."""
    asked = next_pause("tiny", None, BusyError("429", 3600), NOON)
    assert asked.until == NOON + timedelta(hours=1)
    assert next_pause("tiny", None, BusyError("429", 10), NOON).until == NOON + PAUSE_MIN
    assert next_pause("tiny", None, BusyError("429", 10**9), NOON).until == NOON + PATIENCE_MAX
