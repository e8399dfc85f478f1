"""Samples: one measure in a process of its own, so that its peak memory is its own, and what came of it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.domain.errors import TerminalError

ROOT = Path(__file__).resolve().parent.parent
_TIMEOUT_S = 3600
_LAST_WORDS = 1500


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one contender: how many items in how long, and the largest resident memory of its process."""

    items: int
    """0 where it counts other things than what it stands beside: then times are compared, not times by item."""
    elapsed_ns: int
    peak_kib: int = 0
    """0 where the contender has no process of its own."""
    more: dict[str, Any] = field(default_factory=dict)
    """What it tells beside: parts of the time in nanoseconds, counts, versions."""

    @property
    def per_second(self) -> int:
        """Return items per second."""
        return self.items * 1_000_000_000 // max(self.elapsed_ns, 1)

    @property
    def milliseconds(self) -> int:
        """Return how long it took."""
        return self.elapsed_ns // 1_000_000

    def part(self, name: str) -> "Sample":
        """Return the same run with one named part of its time."""
        return Sample(self.items, self.more[name], self.peak_kib, self.more)


def of_child(target: str, *arguments: object) -> Sample:
    """Call `module:function` with arguments (as JSON) in a fresh process of this interpreter and return its sample."""
    return of_command([sys.executable, "-m", "benchmarks.child", target, json.dumps(arguments, default=str)])


def of_command(command: Sequence[str], cwd: Path = ROOT, environ: dict[str, str] | None = None) -> Sample:
    """Run a command that tells a sample on its last line; raises TerminalError with its last words if it does not."""
    done = subprocess.run(  # noqa: S603  our own scripts, on interpreters that make built
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **(environ or {})},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise TerminalError(f"{' '.join(command[:4])} ended with {done.returncode}: {_last_words(done)}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Sample(told.pop("items"), told.pop("elapsed_ns"), told.pop("peak_kib"), told)


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip())[-_LAST_WORDS:]
