"""Cold start: process start to the first answer of each door, beside the bare framework with the clients that it needs.

Each door is its bundle, unpacked and compiled as the build does it, on an environment of its own requirements.txt and nothing
else; the bare framework starts on the same. They start in the Google world, over addresses where nobody listens: opening a
client connects to nothing.
"""

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.receive import BASELINES, peak_kib_of
from benchmarks.samples import Sample
from local import doors
from scripts.bundle_environments import GOOGLE, python_of
from shared.domain.errors import TerminalError

CLIENTS = {
    "receive": ("google.cloud.storage", "google.cloud.pubsub_v1", "google.cloud.secretmanager_v1"),
    "derive": ("google.cloud.storage", "google.cloud.firestore_v1"),
    "reconcile": (),
    "rebuild_bi": ("google.cloud.storage", "google.cloud.firestore_v1", "google.cloud.bigquery", "sqlglot"),
}
"""What each door cannot do without, beside the framework (docs/cold-start.md)."""

_TIMEOUT_S = 60
_POLL_S = 0.002


def started(door: str, bundle: Path) -> Sample:
    """Start a door's unpacked bundle and wait for its first answer."""
    return _first_answer(door, python_of(door), bundle / "main.py", {})


def started_barely(door: str) -> Sample:
    """Start an echo that imports a door's clients and wait for its first answer."""
    imports = {"BARE_IMPORTS": " ".join(CLIENTS[door])}
    return _first_answer("echo", python_of(door), BASELINES / "bare_clients.py", imports)


def _first_answer(target: str, python: Path, source: Path, environ: Mapping[str, str]) -> Sample:
    port = doors.free_port()
    command = [str(python), "-m", "functions_framework", "--target", target, "--source", str(source)]
    started_ns = time.perf_counter_ns()
    process = subprocess.Popen(  # noqa: S603  our own functions, on an interpreter of theirs
        [*command, "--host", doors.HOST, "--port", str(port)],
        cwd=source.parent,
        env={**GOOGLE, **environ, "WORKERS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, port, target)
        elapsed_ns = time.perf_counter_ns() - started_ns
        return Sample(1, elapsed_ns, peak_kib_of(process.pid))
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the server and its worker are a group of their own
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, target: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(doors.HOST, port, timeout=5)
        try:
            connection.request("GET", "/robots.txt")
            connection.getresponse().read()
        except OSError:
            time.sleep(_POLL_S)
        else:
            return
        finally:
            connection.close()
    raise TerminalError(f"{target} did not answer within {_TIMEOUT_S} s of its start")
