"""The one place where the time of day is read."""

from datetime import UTC, datetime


class SystemClock:
    """Clock on this machine's time."""

    def now(self) -> datetime:
        """Return this instant."""
        return datetime.now(UTC)
