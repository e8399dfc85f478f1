"""bqemulator as a process: its environment, made once from pinned and hashed requirements, and its start and end.

It needs another version of DuckDB than Asiento runs on, so it lives in `.venv-bqemulator` beside `.venv`. Its spatial
extension is put there from a package; once the environment is made, nothing is fetched from anywhere.
"""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENT = REPOSITORY / ".venv-bqemulator"
REQUIREMENTS = REPOSITORY / "requirements" / "bqemulator.txt"

_START_S_MAX = 60.0
_INSTALL_S_MAX = 300.0
_ADD_EXTENSION = "from duckdb_extensions import import_extension; import_extension('spatial')"


class CannotBeMadeError(Exception):
    """The environment cannot be made here, most often because there is no package index."""


def ready_environment(folder: Path = ENVIRONMENT) -> Path:
    """Return the Python of the environment, which is made first where it is absent or its requirements have changed."""
    python = folder / "bin" / "python"
    wanted = sha256(REQUIREMENTS.read_bytes()).hexdigest()
    stamp = folder / "requirements.sha256"
    with REQUIREMENTS.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # parallel workers of the tests wait for the first
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            rmtree(folder, ignore_errors=True)
            _make(folder, python)
            stamp.write_text(wanted, encoding="utf-8")
    return python


def _make(folder: Path, python: Path) -> None:
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    folder.joinpath(".gitignore").write_text("*\n", encoding="utf-8")
    pinned = ("--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS))
    try:
        _run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), *pinned)
    except CannotBeMadeError:
        # Where an index is configured for pip alone.
        _run(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *pinned)
    _run(str(python), "-c", _ADD_EXTENSION, home=folder)


def _run(*command: str, home: Path | None = None) -> None:
    environment = {"HOME": str(home)} if home else None
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S_MAX, env=environment)  # noqa: S603  commands of ours
    except subprocess.CalledProcessError as failed:
        last = (failed.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CannotBeMadeError(f"{' '.join(command[1:4])} failed: {last}") from None
    except subprocess.TimeoutExpired:
        raise CannotBeMadeError(f"{' '.join(command[1:4])} did not end in time") from None


@contextmanager
def running(python: Path, folder: Path, project: str) -> Iterator[str]:
    """Run bqemulator in memory and yield its `host:port`; its log and uploads are in the folder."""
    environment = {
        "HOME": str(python.parents[1]),
        "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false",  # it would try to fetch one
        "BQEMU_UPLOAD_STAGING_DIR": str(folder / "uploads"),
    }
    command = ["start", "--rest-port", "0", "--grpc-port", "0", "--project", project, "--log-format", "json"]
    log = folder / "bqemulator.log"
    with (
        log.open("w") as output,
        subprocess.Popen(  # noqa: S603  a program of ours
            [str(python), "-m", "bqemulator", *command], stdout=output, stderr=subprocess.STDOUT, env=environment
        ) as process,
    ):
        try:
            yield f"127.0.0.1:{_port(log, process)}"
        finally:
            process.terminate()


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    """Wait until it listens, and return where; it tells so in its log."""
    give_up_at_s = time.monotonic() + _START_S_MAX
    while process.poll() is None and time.monotonic() < give_up_at_s:
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"rest.listen"' in line and line.endswith("}"):
                return int(json.loads(line)["port"])
        time.sleep(0.02)
    msg = f"bqemulator does not listen: {log.read_text(encoding='utf-8')[-500:]}"
    raise AssertionError(msg)
