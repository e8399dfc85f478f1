"""Cold start: process start to the first answer of each door, beside the bare framework with the clients that it needs.

Doors start in the Google world, over addresses where nobody listens: opening a client connects to nothing. Both run on this
interpreter with compiled bytecode, one after the other.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.receive import BASELINES, peak_kib_of
from benchmarks.samples import Sample
from local import doors
from shared.domain.errors import TerminalError

CLIENTS = {
    "receive": ("google.cloud.storage", "google.cloud.pubsub_v1", "google.cloud.secretmanager_v1"),
    "derive": ("google.cloud.storage", "google.cloud.firestore_v1"),
    "reconcile": (),
    "rebuild_bi": ("google.cloud.storage", "google.cloud.firestore_v1", "google.cloud.bigquery", "sqlglot"),
}
"""What each door cannot do without, beside the framework (docs/cold-start.md)."""

_NOBODY = "127.0.0.1:9"
_GOOGLE = {
    "ASIENTO_WORLD": "google",
    "ASIENTO_PROJECT": "project",
    "ASIENTO_RAW_BUCKET": "raw",
    "ASIENTO_REJECTED_BUCKET": "rejected",
    "ASIENTO_KEY_BUCKET": "keys",
    "ASIENTO_SEAL_BUCKET": "seals",
    "ASIENTO_BQ_LOCATION": "southamerica-east1",
    "STORAGE_EMULATOR_HOST": f"http://{_NOBODY}",
    "PUBSUB_EMULATOR_HOST": _NOBODY,
    "FIRESTORE_EMULATOR_HOST": _NOBODY,
    "SECRET_MANAGER_EMULATOR_HOST": _NOBODY,
    "BIGQUERY_EMULATOR_HOST": f"http://{_NOBODY}",
}
_TIMEOUT_S = 60
_POLL_S = 0.002


def started(door: str) -> Sample:
    """Start a door and wait for its first answer."""
    return _first_answer(door, doors.ROOT / "functions" / door / "main.py", _GOOGLE)


def started_barely(door: str) -> Sample:
    """Start an echo that imports a door's clients and wait for its first answer."""
    return _first_answer("echo", BASELINES / "bare_clients.py", {"BARE_IMPORTS": " ".join(CLIENTS[door])})


def _first_answer(target: str, source: Path, environ: Mapping[str, str]) -> Sample:
    port = doors.free_port()
    command = [sys.executable, "-m", "functions_framework", "--target", target, "--source", str(source)]
    started_ns = time.perf_counter_ns()
    process = subprocess.Popen(  # noqa: S603  our own functions, on our own interpreter
        [*command, "--host", doors.HOST, "--port", str(port)],
        env={**os.environ, **environ, "PYTHONPATH": str(doors.ROOT), "WORKERS": "1"},
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
