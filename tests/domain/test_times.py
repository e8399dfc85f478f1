"""Asiento books by Buenos Aires days and reckons in UTC."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.times import Window, business_day, day_start, from_ms, to_ms


def test_the_business_day_turns_at_three_in_the_morning_utc() -> None:
    """Asiento books a sale at 02:59 UTC on the day before."""
    assert business_day(datetime(2026, 3, 1, 2, 59, 59, tzinfo=UTC)) == date(2026, 2, 28)
    assert business_day(datetime(2026, 3, 1, 3, 0, tzinfo=UTC)) == date(2026, 3, 1)
    assert day_start(date(2026, 3, 1)) == datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_come_back(instant_ms: int) -> None:
    """Asiento turns milliseconds into an instant and back without losing one."""
    assert to_ms(from_ms(instant_ms)) == instant_ms


def test_a_window_holds_its_start_and_not_its_end() -> None:
    """Asiento lists the Buenos Aires days that a window touches, and no more."""
    window = Window.of_days(date(2026, 2, 27), date(2026, 3, 1))
    assert window.days() == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]
    assert Window(window.start, window.start).days() == []


def test_refuses_windows_that_cannot_be() -> None:
    """Asiento refuses naive times and windows that run backwards."""
    with pytest.raises(ValueError, match="aware"):
        Window(datetime(2026, 1, 1), datetime(2026, 1, 2))  # noqa: DTZ001  naive on purpose
    with pytest.raises(ValueError, match="before it starts"):
        Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
