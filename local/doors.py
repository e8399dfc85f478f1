"""The four functions as real processes of the functions framework on loopback, as Cloud Run runs them."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.domain.errors import TerminalError

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("receive", "derive", "reconcile", "rebuild_bi")
HOST = "127.0.0.1"
_PORTS = range(10_000, 32_768)
"""Below those that systems draw from for outgoing connections."""
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
def serve_functions(names: tuple[str, ...], first_port: int, environ: Mapping[str, str]) -> Iterator[dict[str, Door]]:
    """Start functions on consecutive ports and stop them at the end; raises TerminalError if one does not start."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(door(name, ROOT / "functions" / name / "main.py", first_port + at, environ))
            for at, name in enumerate(names)
        }


@contextmanager
def door(target: str, source: Path, port: int, environ: Mapping[str, str]) -> Iterator[Door]:
    """Start one function under the functions framework; yield it once it answers; stop it at the end."""
    command = [sys.executable, "-m", "functions_framework", "--target", target, "--source", str(source)]
    process = subprocess.Popen(  # noqa: S603  our own functions, on our own interpreter
        [*command, "--host", HOST, "--port", str(port)], env={**os.environ, **environ, "PYTHONPATH": str(ROOT)}
    )
    started = Door(target, port, process)
    try:
        _wait_until_it_answers(started)
        yield started
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port of loopback that nobody listens on, of those that the system gives to no outgoing connection meanwhile."""
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def _wait_until_it_answers(started: Door) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and started.process.poll() is None:
        try:
            httpx.get(f"{started.url}/robots.txt", timeout=5)
        except httpx.HTTPError:
            time.sleep(0.05)
            continue
        return
    raise TerminalError(
        f"the door {started.name} did not start on port {started.port}: is the port taken? Its output says"
    )
