"""Instants of the simulated company: integers of milliseconds since the epoch, and days as they are lived in Argentina.

Argentina keeps UTC-3 all year, so local time is arithmetic. This module is the simulator's own on purpose: the books
would prove nothing about Asiento's calendar if they were kept with it.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_LOCAL_OFFSET_MS = -3 * HOUR_MS
_MERCADO_PAGO_OFFSET_MS = -4 * HOUR_MS
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day_start_ms(day: date) -> int:
    """Return the instant at which a day starts in Argentina."""
    return (day.toordinal() - _EPOCH_ORDINAL) * DAY_MS - _LOCAL_OFFSET_MS


def day_of(instant_ms: int) -> date:
    """Return the day of an instant in Argentina."""
    return _date((instant_ms + _LOCAL_OFFSET_MS) // DAY_MS)


def month_of(instant_ms: int) -> str:
    """Return the month of an instant in Argentina, `YYYY-MM`: the month in which finance books it."""
    return _date_text((instant_ms + _LOCAL_OFFSET_MS) // DAY_MS)[:7]


def utc_text(instant_ms: int) -> str:
    """Return an instant as the platform writes it: `2026-01-05T13:04:05.123Z`."""
    return _text(instant_ms) + "Z"


def wall_text(instant_ms: int) -> str:
    """Return local wall time wearing a Z, as the platform writes travel dates."""
    return _text(instant_ms + _LOCAL_OFFSET_MS) + "Z"


def mercado_pago_text(instant_ms: int) -> str:
    """Return an instant as Mercado Pago writes it: `2026-01-05T09:04:05.123-04:00`."""
    return _text(instant_ms + _MERCADO_PAGO_OFFSET_MS) + "-04:00"


def to_ms(instant: datetime) -> int:
    """Return milliseconds since the epoch of an aware instant, exactly."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def from_ms(instant_ms: int) -> datetime:
    """Return the UTC instant of milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=instant_ms)


def _text(shifted_ms: int) -> str:
    days, rest = divmod(shifted_ms, DAY_MS)
    seconds, millis = divmod(rest, SECOND_MS)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_date_text(days)}T{hour:02d}:{minute:02d}:{second:02d}.{millis:03d}"


@lru_cache(maxsize=4096)
def _date_text(days: int) -> str:
    return _date(days).isoformat()


@lru_cache(maxsize=4096)
def _date(days: int) -> date:
    return date.fromordinal(_EPOCH_ORDINAL + days)
