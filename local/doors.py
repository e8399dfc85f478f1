"""The four functions as real processes of the functions framework on loopback, as Cloud Run runs them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.domain.errors import TerminalError

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("receive", "derive", "reconcile", "rebuild_bi")
HOST = "127.0.0.1"
_START_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Door:
    """One running function."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://{HOST}:{self.port}"


@contextmanager
def doors(names: tuple[str, ...], first_port: int, environ: Mapping[str, str]) -> Iterator[dict[str, Door]]:
    """Start functions under the functions framework and stop them at the end; raises TerminalError if one does not start."""
    with ExitStack() as stack:
        started = {name: stack.enter_context(_door(name, first_port + at, environ)) for at, name in enumerate(names)}
        for door in started.values():
            _wait_until_it_answers(door)
        yield started


@contextmanager
def _door(name: str, port: int, environ: Mapping[str, str]) -> Iterator[Door]:
    source = ROOT / "functions" / name / "main.py"
    command = [sys.executable, "-m", "functions_framework", "--target", name, "--source", str(source)]
    process = subprocess.Popen(  # noqa: S603  our own functions, on our own interpreter
        [*command, "--host", HOST, "--port", str(port)], env={**os.environ, **environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        yield Door(name, port, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(door: Door) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if door.process.poll() is not None:
            break
        try:
            httpx.get(f"{door.url}/robots.txt", timeout=1)
        except httpx.HTTPError:
            time.sleep(0.05)
            continue
        return
    raise TerminalError(
        f"the door {door.name} did not start on port {door.port}; is the port taken? See its output above"
    )
