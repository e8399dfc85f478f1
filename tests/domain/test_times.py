"""Asiento books by Buenos Aires days and reckons in UTC."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.times import ALL_TIME, Window, business_day, day_start, from_ms, to_ms


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


def test_counts_from_the_epoch_of_everybody() -> None:
    """Asiento counts milliseconds from 1970 as everybody does, and drops what is finer, before the epoch as after it."""
    assert to_ms(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert to_ms(datetime(2001, 9, 9, 1, 46, 40, 999, tzinfo=UTC)) == 1_000_000_000_000
    assert to_ms(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    assert from_ms(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


def test_refuses_a_window_of_which_one_end_is_naive() -> None:
    """Asiento refuses a window of which either end names no zone."""
    aware, naive = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)  # noqa: DTZ001  naive on purpose
    for ends in ((aware, naive), (naive, aware)):
        with pytest.raises(ValueError, match="aware"):
            Window(*ends)


def test_all_time_is_two_centuries() -> None:
    """Asiento looks from the start of 2000 to the start of 2200 where it looks at everything."""
    assert (ALL_TIME.start.isoformat(), ALL_TIME.end.isoformat()) == (
        "2000-01-01T00:00:00+00:00",
        "2200-01-01T00:00:00+00:00",
    )


def test_a_window_ends_before_its_end() -> None:
    """Asiento counts the day of a window's last millisecond, and not the day that begins where it ends."""
    start = day_start(date(2026, 3, 1))
    assert Window(start, day_start(date(2026, 3, 2))).days() == [date(2026, 3, 1)]
    assert Window(start, from_ms(to_ms(day_start(date(2026, 3, 2))) + 1)).days() == [date(2026, 3, 1), date(2026, 3, 2)]
