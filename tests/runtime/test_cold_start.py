"""What a door loads before it answers: only what it needs. The budgets are those of docs/cold-start.md.

Measured in each function's own environment, over addresses where nobody listens: opening a client connects to nothing.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from scripts import bundle
from scripts.bundle_environments import GOOGLE, python_of

ROOT = bundle.ROOT
RUNS = 3
ELSEWHERE = {
    "aiohttp",
    "duckdb",
    "hypothesis",
    "local",
    "pytest",
    "rich",
    "shared.adapters.embedded",
    "sqlite3",
    "tests",
    "typer",
}
"""What the developer and the embedded world use."""
AT_THE_CALL = {"httpx", "jwt", "stamina", "zstandard"}
"""What only an API's client or a body's decoder needs."""
ANALYTICS = {"google.cloud.bigquery", "shared.bi", "sqlglot", "yaml"}
NEVER = {
    "receive": {
        *ELSEWHERE,
        *AT_THE_CALL,
        *ANALYTICS,
        "google.cloud.firestore_v1",
        "jiter",
        "pydantic",
        "shared.domain.reconciliation",
        "shared.domain.settle",
        "shared.pipeline.derive",
        "shared.providers.betterez.translate",
        "shared.providers.toolkit.payload_models",
    },
    "derive": {
        *ELSEWHERE,
        *AT_THE_CALL,
        *ANALYTICS,
        "google.cloud.pubsub_v1",
        "google.cloud.secretmanager_v1",
        "shared.pipeline.reconcile",
    },
    "reconcile": {*ELSEWHERE, *AT_THE_CALL, *ANALYTICS, "google.cloud.firestore_v1", "google.cloud.storage", "grpc"},
    "rebuild_bi": {
        *ELSEWHERE,
        *AT_THE_CALL,
        "google.cloud.pubsub_v1",
        "google.cloud.secretmanager_v1",
        "shared.pipeline.derive",
        "shared.providers.betterez",
    },
}

_MEASURE = """
import json, re, sys, time
started = time.perf_counter()
root, absent, names, door = json.loads(sys.argv[1])
sys.path.insert(0, root)
sys.modules.update(dict.fromkeys(absent))
for name in names:
    __import__(name)
if door:
    import runpy
    runpy.run_path(f"{root}/functions/{door}/main.py")
measured = {
    "modules": sorted(name for name, module in sys.modules.items() if module is not None),
    "memory_kib": int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]),
    "start_ms": int((time.perf_counter() - started) * 1000),
}
sys.stdout.write("\\n" + json.dumps(measured))
"""


@dataclass(frozen=True, slots=True)
class Start:
    """What a fresh process has loaded: its modules, its largest memory and the time it took."""

    modules: frozenset[str]
    memory_kib: int
    start_ms: int


@dataclass(frozen=True, slots=True)
class Budget:
    """A row of docs/cold-start.md: how far a door may go beyond the framework and its clients, in percent of both."""

    clients: tuple[str, ...]
    modules_percent_max: int
    memory_percent_max: int


def start(python: Path, *, imports: tuple[str, ...] = (), door: str = "", absent: tuple[str, ...] = ()) -> Start:
    """Import modules, and a door, in a fresh process with the variables of the cloud and no others."""
    asked = json.dumps([str(ROOT), absent, imports, door])
    done = subprocess.run(  # noqa: S603  our own interpreters and code
        [str(python), "-c", _MEASURE, asked], env=GOOGLE, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return Start(frozenset(found["modules"]), found["memory_kib"], found["start_ms"])


def least(python: Path, *, imports: tuple[str, ...] = (), door: str = "") -> Start:
    """Return the start of several that took least memory: what the machine adds is never negative."""
    return min((start(python, imports=imports, door=door) for _ in range(RUNS)), key=lambda each: each.memory_kib)


@cache
def budgets() -> dict[str, Budget]:
    """Return the budgets by door."""
    page = (ROOT / "docs" / "cold-start.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| (\d+) % \| (\d+) % \|", page, re.MULTILINE)
    return {
        door: Budget(tuple(re.findall(r"`([\w.]+)`", clients)), int(modules), int(memory))
        for door, clients, modules, memory in rows
    }


def test_every_door_has_its_budget() -> None:
    """Asiento bounds the start of each of its doors."""
    assert set(budgets()) == set(NEVER) == set(bundle.FUNCTIONS)


@pytest.mark.parametrize("door", bundle.FUNCTIONS)
def test_a_door_starts_within_its_budget(door: str) -> None:
    """Asiento's doors load little beyond the bare framework and the clients that they cannot do without."""
    budget, python = budgets()[door], python_of(door)
    bare = least(python, imports=("functions_framework.aio", *budget.clients))
    whole = least(python, door=door)
    modules_percent = 100 * len(whole.modules) // len(bare.modules)
    memory_percent = 100 * whole.memory_kib // bare.memory_kib
    sys.stdout.write(
        f"{door}: {len(whole.modules)} modules ({modules_percent} %), {whole.memory_kib // 1024} MiB ({memory_percent} %), "
        f"{whole.start_ms} ms (bare {bare.start_ms} ms)\n"
    )
    assert modules_percent <= budget.modules_percent_max
    assert memory_percent <= budget.memory_percent_max


@pytest.mark.parametrize("door", bundle.FUNCTIONS)
def test_a_door_loads_nothing_that_it_does_not_need(door: str) -> None:
    """Asiento's doors load no package of another door, of another world or of the developer, even where it is installed."""
    # structlog takes rich where it finds it, for its own tracebacks; no bundle holds rich, so here there is none either.
    loaded = start(Path(sys.executable), door=door, absent=("rich",)).modules
    assert {
        name for name in loaded if any(name == each or name.startswith(f"{each}.") for each in NEVER[door])
    } == set()


def test_a_needless_import_is_seen() -> None:
    """Asiento's measure sees a module that is loaded, and the memory that it takes."""
    python = python_of("receive")
    without, loaded = start(python), start(python, imports=("shared.providers.betterez.translate",))
    assert "shared.providers.betterez.payloads" in loaded.modules - without.modules
    assert loaded.memory_kib > without.memory_kib
