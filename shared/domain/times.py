"""Instants are aware and UTC inside; business days are days in Buenos Aires."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

BUSINESS_ZONE = ZoneInfo("America/Argentina/Buenos_Aires")
"""Argentina keeps UTC-3 all year (no daylight saving since 2009)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(instant: datetime) -> int:
    """Return milliseconds since the epoch of an aware instant, exactly (no float)."""
    return (instant - _EPOCH) // _MILLISECOND


def from_ms(instant_ms: int) -> datetime:
    """Return the UTC instant of milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=instant_ms)


def business_day(instant: datetime) -> date:
    """Return the Buenos Aires day of an instant: the day on which finance books it."""
    return instant.astimezone(BUSINESS_ZONE).date()


def day_start(day: date) -> datetime:
    """Return the UTC instant at which a Buenos Aires day starts."""
    return datetime(day.year, day.month, day.day, tzinfo=BUSINESS_ZONE).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time: `start` is in it, `end` is not. Both are aware."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive times and spans that run backwards."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            msg = "a window needs aware times"
            raise ValueError(msg)
        if self.start > self.end:
            msg = f"a window cannot end ({self.end.isoformat()}) before it starts ({self.start.isoformat()})"
            raise ValueError(msg)

    @classmethod
    def of_days(cls, first: date, last: date) -> "Window":
        """Return the window of whole Buenos Aires days, both included."""
        return cls(day_start(first), day_start(last + timedelta(days=1)))

    def days(self) -> list[date]:
        """Return the Buenos Aires days that the window touches, in order."""
        if self.start == self.end:
            return []
        first, last = business_day(self.start), business_day(self.end - _MILLISECOND)
        return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


ALL_TIME = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
"""A window that holds everything that was ever received."""
