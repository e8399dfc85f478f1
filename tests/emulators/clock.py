"""The emulators' own clock: it runs with real time and can be put forward, so that no test waits for a deadline."""

import time
from datetime import UTC, datetime, timedelta


class EmulatorClock:
    """Real time plus what it was put forward by."""

    def __init__(self) -> None:
        """Start at real time."""
        self._ahead = timedelta()

    def advance(self, seconds: int) -> None:
        """Put the clock forward."""
        self._ahead += timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Return the emulator's now, to the nanosecond's nearest microsecond."""
        return datetime.fromtimestamp(time.time(), UTC) + self._ahead
