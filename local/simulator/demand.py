"""When Argentines travel: summer and winter peaks, Fridays and Sundays, and the eves and ends of long weekends."""

from datetime import date, timedelta
from functools import lru_cache

_MONTH_PERCENT = {1: 170, 2: 135, 7: 160, 12: 130}
"""Demand of a month against an ordinary one (100)."""
_WEEKDAY_PERCENT = (95, 85, 85, 100, 150, 110, 145)
"""Monday to Sunday."""
_LONG_WEEKEND_PERCENT = 170
_FIXED_HOLIDAYS = frozenset(
    ((1, 1), (3, 24), (4, 2), (5, 1), (5, 25), (6, 20), (7, 9), (8, 17), (10, 12), (11, 20), (12, 8), (12, 25))
)
_LONG_WEEKEND_DAYS = 3


@lru_cache(maxsize=1024)
def day_weight(day: date) -> int:
    """Return how many people want to travel on a day, relative to others."""
    weight = _MONTH_PERCENT.get(day.month, 100) * _WEEKDAY_PERCENT[day.weekday()]
    return weight * (_LONG_WEEKEND_PERCENT if is_long_weekend_edge(day) else 100)


def is_long_weekend_edge(day: date) -> bool:
    """Return whether people leave for a long weekend on this day (its eve) or come home (its last day)."""
    tomorrow = day + timedelta(days=1)
    if is_day_off(tomorrow) and not is_day_off(day):
        return _days_off_from(tomorrow, step=1) >= _LONG_WEEKEND_DAYS
    return is_day_off(day) and not is_day_off(tomorrow) and _days_off_from(day, step=-1) >= _LONG_WEEKEND_DAYS


@lru_cache(maxsize=2048)
def is_day_off(day: date) -> bool:
    """Return whether offices are closed: weekends, holidays, and the bridge to a holiday on a Tuesday or Thursday."""
    if day.weekday() >= 5 or _is_holiday(day):  # noqa: PLR2004  Saturday
        return True
    yesterday, tomorrow = day - timedelta(days=1), day + timedelta(days=1)
    return (day.weekday() == 0 and _is_holiday(tomorrow)) or (day.weekday() == 4 and _is_holiday(yesterday))  # noqa: PLR2004  Friday


def _is_holiday(day: date) -> bool:
    easter = _easter(day.year)
    moving = (easter - timedelta(days=48), easter - timedelta(days=47), easter - timedelta(days=2))
    return (day.month, day.day) in _FIXED_HOLIDAYS or day in moving


def _days_off_from(day: date, *, step: int) -> int:
    count = 0
    while is_day_off(day):
        count += 1
        day += timedelta(days=step)
    return count


@lru_cache(maxsize=64)
def _easter(year: int) -> date:
    """Return Easter Sunday by the Gregorian computus of 1876 (Meeus, Jones, Butcher)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    leap, leap_rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap - correction + 15) % 30
    quarter, quarter_rest = divmod(rest, 4)
    weekday = (32 + 2 * leap_rest + 2 * quarter - epact - quarter_rest) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
