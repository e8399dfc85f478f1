"""One session of tests: run them once as they are, then once more for each mutant, in a process of its own.

collect ─▶ run all, note who calls what and how long it takes ─▶ per mutant: fork, install, run whom it concerns
                                                                 until one fails: killed; none fails: survived
"""

import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from types import FrameType

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutation.install import NotInstalledError

CPU_S_MIN = 2
"""The least time that a mutant has; beyond, it has as many times what its tests take when nothing is wrong."""
_TIMES = 5
_WALL_S_MAX = 300
_MEMORY_BYTES_MAX = 4 * 2**30


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed_out"
    """It did not come to an end: seen, as a test that hangs is."""
    SURVIVED = "survived"
    UNREACHED = "unreached"
    """No test of its module runs the code that it is in."""


@dataclass(slots=True)
class Observed:
    """What one run of all tests without a fault has shown."""

    seconds: dict[str, float] = field(default_factory=dict)
    """CPU seconds by test."""
    callers: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """The tests that call a function, by the file and the qualified name of the function."""
    failing: list[str] = field(default_factory=list)


class Session:
    """A plugin of pytest: it takes the place of the loop that runs the tests once."""

    def __init__(self, files: frozenset[str], work: Callable[["Session"], None]) -> None:
        """Remember which source files are watched, and what to do once all tests have run."""
        self._files = files
        self._work = work
        self._items: dict[str, pytest.Item] = {}
        self.observed = Observed()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Let a test that has found a counterexample stop there: nobody reads the smallest one."""
        settings.register_profile("mutation", settings(), phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests once, then do the work."""
        self._items = {item.nodeid: item for item in session.items}
        for item in session.items:
            self._observe(item)
        for test in self.observed.failing:
            sys.stdout.write(f"left out, it fails without a fault: {test}\n")
        self._work(self)
        return True

    def tests_of(self, file: str, scope: str, test_files: Sequence[str]) -> list[str]:
        """Return the sound tests of some files that call a function, the fastest first; all of them for no scope."""
        callers = self.observed.callers[file, scope] if scope else self._items.keys()
        return self.sound(test for test in callers if test.startswith(tuple(test_files)))

    def sound(self, tests: Iterable[str]) -> list[str]:
        """Return those of some tests that pass where there is no fault, the fastest first."""
        passing = [test for test in tests if test not in self.observed.failing]
        return sorted(passing, key=self.observed.seconds.__getitem__)

    def fate(self, tests: Sequence[str], install: Callable[[], None]) -> Fate:
        """Return what becomes of one mutant."""
        if not tests:
            return Fate.UNREACHED
        limit_s = CPU_S_MIN + int(_TIMES * sum(self.observed.seconds[test] for test in tests))
        child = os.fork()
        if child == 0:
            self._be_the_mutant(tests, install, limit_s)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return Fate.TIMED_OUT if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGALRM} else Fate.KILLED
        if os.WEXITSTATUS(status) not in {0, 1}:
            raise RuntimeError("a mutant could not be installed; what it said stands above")
        return Fate.KILLED if os.WEXITSTATUS(status) else Fate.SURVIVED

    def _be_the_mutant(self, tests: Sequence[str], install: Callable[[], None], limit_s: int) -> None:
        """Run the tests until one fails, and leave this process with what came of it."""
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
        signal.alarm(_WALL_S_MAX)
        try:
            install()
        except NotInstalledError as wrong:
            sys.stderr.write(f"{type(wrong).__name__}: {wrong}\n")
            os._exit(2)
        except Exception:  # noqa: BLE001  a constant that cannot be made: nobody could import the module, and all tests see it
            os._exit(1)
        with _silence():
            try:
                has_failed = any(self._fails(self._items[test]) for test in tests)
            except BaseException:  # noqa: BLE001  a mutant that brings the runner itself down is seen
                has_failed = True
            os._exit(1 if has_failed else 0)

    @staticmethod
    def _fails(item: pytest.Item) -> bool:
        return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))

    def _observe(self, item: pytest.Item) -> None:
        test = item.nodeid
        began = time.process_time()
        with _silence(), _calls(self._files) as called:
            failed = self._fails(item)
        self.observed.seconds[test] = time.process_time() - began
        if failed:
            self.observed.failing.append(test)
        for place in called:
            self.observed.callers[place].add(test)


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing be printed while it lasts: what tests and their logs say is not what is asked here."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nothing)


@contextmanager
def _calls(files: frozenset[str]) -> Iterator[set[tuple[str, str]]]:
    """Note the functions of some files that are called while it lasts: file and qualified name."""
    called: set[tuple[str, str]] = set()

    def note(frame: FrameType, _event: str, _value: object) -> None:
        code = frame.f_code
        if code.co_filename in files:
            called.add((code.co_filename, code.co_qualname))

    sys.settrace(note)
    try:
        yield called
    finally:
        sys.settrace(None)
