"""What a measured process tells of itself, as the last line that it writes: time, peak memory, items and versions."""

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


def peak_kib() -> int:
    """Return the largest resident memory of this process.

    Where the kernel tells it per address space it is taken from there: `getrusage` counts what the parent held when it
    started this process, too.
    """
    if _STATUS.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
        if found is not None:
            return int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def timed_ns(work: Callable[[], object]) -> int:
    """Return how long work took."""
    started_ns = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - started_ns


def versions(*packages: str) -> str:
    """Return packages with their versions, for the label of a row."""
    return ", ".join(f"{package} {version(package)}" for package in packages)


def tell(items: int, elapsed_ns: int, **more: Any) -> None:
    """Write the sample of this process."""
    sys.stdout.write(
        "\n" + json.dumps({"items": items, "elapsed_ns": elapsed_ns, "peak_kib": peak_kib(), **more}) + "\n"
    )
