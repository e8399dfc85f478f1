"""The bus in memory: at least once on purpose, in no particular order, and with its messages gone after a power cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from shared.domain.deliveries import Announcement
from shared.domain.times import to_ms
from shared.ports.event_bus import Leased

ACK_DEADLINE = timedelta(seconds=60)
ATTEMPTS_MAX = 5
_BACKOFF_S = (1, 5, 30, 120, 600)


@dataclass(slots=True)
class _Message:
    announcement: Announcement
    due_at_ms: int = 0
    attempt: int = 0
    is_dead: bool = False


class MemoryEventBus:
    """EventBus and Subscription in a dictionary.

    With `random`, what is due comes in an order drawn from it, and one lease in `again` also brings a message that
    somebody else holds: that is what "at least once" allows.
    """

    def __init__(self, random: Random | None = None, again: float = 0.0) -> None:
        """Start empty."""
        self._random = random
        self._again = again
        self._messages: dict[int, _Message] = {}
        self._next = 1
        self.leased_beside = 0
        """How many messages were handed out while somebody else still held them."""

    async def publish(self, announcement: Announcement) -> None:
        """Announce one."""
        self.publish_all([announcement])

    def publish_all(self, announcements: Sequence[Announcement]) -> None:
        """Announce many."""
        for announcement in announcements:
            self._messages[self._next] = _Message(announcement)
            self._next += 1

    def lease(self, limit: int, now: datetime) -> list[Leased]:
        """Return what is due. What was leased too often without an answer becomes a dead letter."""
        now_ms = to_ms(now)
        due = []
        for number, message in self._messages.items():
            if message.is_dead:
                continue
            if message.due_at_ms <= now_ms and message.attempt >= ATTEMPTS_MAX:
                message.is_dead = True
            elif message.due_at_ms <= now_ms or self._comes_again(message):
                due.append(number)
        if self._random is not None:
            self._random.shuffle(due)
        else:
            due.sort(key=lambda number: (self._messages[number].due_at_ms, number))
        return [self._lease(number, now) for number in due[:limit]]

    def acknowledge(self, lease_ids: Sequence[str]) -> None:
        """End these announcements."""
        for number, attempt in map(_parts, lease_ids):
            if self._holds(number, attempt):
                del self._messages[number]

    def release(self, lease_ids: Sequence[str], now: datetime) -> None:
        """Give back: due again after a growing pause, dead after the last attempt."""
        for number, attempt in map(_parts, lease_ids):
            if self._holds(number, attempt):
                message = self._messages[number]
                message.due_at_ms = to_ms(now) + _BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1] * 1000
                message.is_dead = attempt >= ATTEMPTS_MAX

    def dead_letters(self) -> list[Leased]:
        """Return what was given up."""
        return [
            Leased(f"{number}:{each.attempt}", each.announcement, each.attempt)
            for number, each in self._messages.items()
            if each.is_dead
        ]

    def redrive(self, lease_ids: Sequence[str], now: datetime) -> None:
        """Put dead letters back."""
        for number, attempt in map(_parts, lease_ids):
            if self._holds(number, attempt) and self._messages[number].is_dead:
                self._messages[number] = _Message(self._messages[number].announcement, to_ms(now))

    def cut_power(self) -> int:
        """Lose every message; return how many that were."""
        lost = len(self._messages)
        self._messages.clear()
        return lost

    def depth(self) -> int:
        """Return how many announcements are neither acknowledged nor dead."""
        return sum(not message.is_dead for message in self._messages.values())

    def _comes_again(self, message: _Message) -> bool:
        if self._random is None or message.attempt >= ATTEMPTS_MAX:
            return False
        comes = self._random.random() < self._again
        self.leased_beside += comes
        return comes

    def _lease(self, number: int, now: datetime) -> Leased:
        message = self._messages[number]
        message.due_at_ms = to_ms(now + ACK_DEADLINE)
        message.attempt += 1
        return Leased(f"{number}:{message.attempt}", message.announcement, message.attempt)

    def _holds(self, number: int, attempt: int) -> bool:
        return number in self._messages and self._messages[number].attempt == attempt


def _parts(lease_id: str) -> tuple[int, int]:
    number, attempt = lease_id.split(":")
    return int(number), int(attempt)
