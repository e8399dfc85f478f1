"""Faults on demand and a count of every call: what each emulator offers beside the protocol that it speaks."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Lock

import grpc


class Fault(Enum):
    """What can go wrong with one call, in the words of both protocols."""

    UNAVAILABLE = auto()
    TOO_MANY_REQUESTS = auto()
    DEADLINE_EXCEEDED = auto()
    ABORTED = auto()
    INTERNAL = auto()
    PERMISSION_DENIED = auto()
    ANSWER_LOST = auto()
    """The call does its work, and its answer never arrives."""
    BYTES_FLIPPED = auto()
    """The bytes are changed on their way, in whichever direction the call carries them (Cloud Storage only)."""

    @property
    def http_status(self) -> int:
        """Return the status by which an HTTP service tells it."""
        return _STATUSES[self][0]

    @property
    def code(self) -> grpc.StatusCode:
        """Return the code by which a gRPC service tells it."""
        return _STATUSES[self][1]


_STATUSES = {
    Fault.UNAVAILABLE: (503, grpc.StatusCode.UNAVAILABLE),
    Fault.TOO_MANY_REQUESTS: (429, grpc.StatusCode.RESOURCE_EXHAUSTED),
    Fault.DEADLINE_EXCEEDED: (504, grpc.StatusCode.DEADLINE_EXCEEDED),
    Fault.ABORTED: (409, grpc.StatusCode.ABORTED),
    Fault.INTERNAL: (500, grpc.StatusCode.INTERNAL),
    Fault.PERMISSION_DENIED: (403, grpc.StatusCode.PERMISSION_DENIED),
    Fault.ANSWER_LOST: (503, grpc.StatusCode.UNAVAILABLE),
}


@dataclass(slots=True)
class Faults:
    """The faults planned for one emulator, and how often each of its methods was called, failed calls included."""

    calls: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    """How often a method failed as planned: a test of a fault that never struck proves nothing."""
    by_chance: Callable[[str], Fault | None] | None = None
    """Asked for every call for which nothing is planned: weather."""
    _planned: dict[str, deque[Fault | None]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def plan(self, method: str, fault: Fault, *, times: int = 1, after: int = 0) -> None:
        """Let the next `times` calls of a method fail, after letting `after` calls pass."""
        with self._lock:
            self._planned.setdefault(method, deque()).extend([None] * after + [fault] * times)

    def on_call(self, method: str) -> Fault | None:
        """Count a call and return what is planned for it."""
        with self._lock:
            self.calls[method] += 1
            planned = self._planned.get(method)
            fault = planned.popleft() if planned else None
            if fault is None and self.by_chance is not None:
                fault = self.by_chance(method)
            if fault is not None:
                self.struck[method] += 1
            return fault

    def clear(self) -> None:
        """Forget the plans and the counts: a new test begins."""
        with self._lock:
            self.calls.clear()
            self.struck.clear()
            self._planned.clear()
            self.by_chance = None
