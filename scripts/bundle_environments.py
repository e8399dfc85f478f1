"""Environments that hold what one function's requirements.txt pins, and nothing else: what its bundle runs on in the cloud.

They lie in `.venv-bundles`, beside the developer's own, named by the digest of what they hold: they are made once, and again
only when a requirements.txt changes. Wheels only, hashes required, and pip refuses a file that does not pin all that it needs.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic, sleep

import httpx

from local.doors import HOST, free_port
from scripts import bundle

NOBODY = "127.0.0.1:9"
GOOGLE = {
    "ASIENTO_WORLD": "google",
    "ASIENTO_PROJECT": "project",
    "ASIENTO_RAW_BUCKET": "raw",
    "ASIENTO_REJECTED_BUCKET": "rejected",
    "ASIENTO_KEY_BUCKET": "keys",
    "ASIENTO_SEAL_BUCKET": "seals",
    "ASIENTO_BQ_LOCATION": "southamerica-east1",
    "STORAGE_EMULATOR_HOST": f"http://{NOBODY}",
    "PUBSUB_EMULATOR_HOST": NOBODY,
    "FIRESTORE_EMULATOR_HOST": NOBODY,
    "SECRET_MANAGER_EMULATOR_HOST": NOBODY,
    "BIGQUERY_EMULATOR_HOST": f"http://{NOBODY}",
}
"""The variables of the cloud, over addresses where nobody listens: opening a client connects to nothing."""

START_TIMEOUT_S = 60
_PLACE = bundle.ROOT / ".venv-bundles"
_INSTALL = ("install", "--quiet", "--no-compile", "--only-binary", ":all:", "--require-hashes", "--requirement")
_COMPILE = ("-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash")
"""As the platform's build compiles packages once they are installed."""
_COMPILE_SOURCES = ("-m", "compileall", "-f", "-q", ".")
"""As it compiles what is in a bundle; `BUILD_VARIABLES` say how."""
BUILD_VARIABLES = {"SOURCE_DATE_EPOCH": "315532800"}
"""The variables of the build (infra/terraform/functions.tf): bytecode names the digest of its source, not its time."""


def python_of(function: str) -> Path:
    """Return the interpreter of a function's environment, made if it is not there."""
    requirements = bundle.ROOT / "functions" / function / "requirements.txt"
    made_how = repr((sys.version, _INSTALL, _COMPILE)).encode()
    digest = hashlib.sha256(made_how + requirements.read_bytes()).hexdigest()[:16]
    made = _PLACE / f"{function}-{digest}"
    with _alone(function):
        if not (made / "complete").exists():
            for former in _PLACE.glob(f"{function}-*"):
                shutil.rmtree(former)
            _run(sys.executable, "-m", "venv", "--without-pip", str(made))
            python = str(made / "bin" / "python")
            _run(sys.executable, "-m", "pip", "--python", python, *_INSTALL, str(requirements))
            # As there, a file of a package that does not compile stays as it is.
            subprocess.run([python, *_COMPILE, str(made)], capture_output=True, check=False)  # noqa: S603  our own interpreter
            (made / "complete").touch()
    return made / "bin" / "python"


def unpack(function: str, into: Path) -> Path:
    """Unpack a function's bundle, compile it and return the folder, as Cloud Run has it."""
    with zipfile.ZipFile(BytesIO(bundle.make(bundle.ROOT, function).content)) as archive:
        archive.extractall(into)
    _run(str(python_of(function)), *_COMPILE_SOURCES, cwd=into, env={**os.environ, **BUILD_VARIABLES})
    return into


@dataclass(frozen=True, slots=True)
class Started:
    """A bundle that answers."""

    url: str


@contextmanager
def started(function: str, folder: Path, environ: Mapping[str, str]) -> Iterator[Started]:
    """Start an unpacked bundle under the functions framework, with these variables and no others; stop it at the end."""
    port = free_port()
    command = [str(python_of(function)), "-m", "functions_framework", "--target", function, "--source", "main.py"]
    with TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603  our own bundle, on its own interpreter
            [*command, "--host", HOST, "--port", str(port)], cwd=folder, env=environ, stdout=output, stderr=output
        )
        try:
            if not _answers(process, f"http://{HOST}:{port}"):
                output.seek(0)
                raise AssertionError(f"the bundle of {function} did not start:\n{output.read().decode()[-3000:]}")
            yield Started(f"http://{HOST}:{port}")
        finally:
            process.terminate()
            process.wait(timeout=20)


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    deadline = monotonic() + START_TIMEOUT_S
    while monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/robots.txt", timeout=5, trust_env=False)
        except httpx.HTTPError:
            sleep(0.05)
        else:
            return True
    return False


@contextmanager
def _alone(function: str) -> Iterator[None]:
    """Keep the other workers of a test run out while one makes a function's environment."""
    _PLACE.mkdir(exist_ok=True)
    (_PLACE / ".gitignore").write_text("*\n", encoding="utf-8")
    with (_PLACE / f".{function}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter and files
    if done.returncode:
        raise AssertionError(f"{' '.join(command[:6])} … failed:\n{done.stderr[-3000:]}")
