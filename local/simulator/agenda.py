"""The agenda: what is going to happen, done in the order of its time, each thing free to enter further things."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TypeVarTuple

Arguments = TypeVarTuple("Arguments")


class Agenda:
    """Appointments by instant; those of one instant keep the order in which they were entered."""

    def __init__(self) -> None:
        """Start empty."""
        self._appointments: list[tuple[int, int, Callable[[], None]]] = []
        self._entered = 0
        self._now_ms = 0

    def enter(self, at_ms: int, do: Callable[[int, *Arguments], None], *arguments: *Arguments) -> None:
        """Enter something to be done at an instant, which it is told first; raise ValueError for one that has passed."""
        if at_ms < self._now_ms:
            raise ValueError(
                f"{do.__name__} was planned {self._now_ms - at_ms} ms too late; nothing happens in the past"
            )
        self._entered += 1
        heappush(self._appointments, (at_ms, self._entered, lambda: do(at_ms, *arguments)))

    def run(self, end_ms: int) -> None:
        """Do everything that is due before the end, in order; what is later never happens."""
        while self._appointments and self._appointments[0][0] < end_ms:
            self._now_ms, _, do = heappop(self._appointments)
            do()
