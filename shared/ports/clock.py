"""The clock: the only source of now. Everything inside takes `now` as an argument."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time, aware and UTC."""

    def now(self) -> datetime:
        """Return this instant."""
