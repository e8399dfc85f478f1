"""The peers' environments, and how a peer is run in its own. A peer that is not there says why in its row."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.samples import ROOT, Sample, of_command
from local.doors import free_port
from shared.domain.errors import AsientoError, TransientError

SYNC_ENGINE = ROOT / ".venv-peers-stripe_sync"
_SCRIPT = ROOT / "benchmarks" / "peers" / "stripe_sync" / "process.mjs"
_POSTGRES = ("initdb", "postgres", "pg_ctl")
_NOBODY_ELSE = 0o700


class AbsentError(AsientoError):
    """A peer is not here: its environment was not made, or this machine lacks what it needs."""


def of_peer(environment: str, script: str, *arguments: object) -> Sample:
    """Run a script of benchmarks/peers on a peer's own interpreter; raises AbsentError where it was not built."""
    python = ROOT / f".venv-peers-{environment}" / "bin" / "python"
    if not python.exists():
        raise AbsentError("not installed: `make bench-peers`")
    return of_command([str(python), "-m", f"benchmarks.peers.{script}", json.dumps(arguments, default=str)])


def of_sync_engine(folder: Path, charges: Path, key: str, at_once: int) -> Sample:
    """Let the sync engine process written events, so many at a time, into a PostgreSQL of its own."""
    node = shutil.which("node")
    if node is None or not (SYNC_ENGINE / "node_modules").exists():
        raise AbsentError("not installed: `make bench-peers` (it needs node and npm)")
    with _postgres(folder) as url:
        return of_command([node, str(_SCRIPT), str(SYNC_ENGINE), url, str(charges), key, str(at_once)])


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL with its default durability on a free port of loopback; stop it at the end."""
    found = {name: shutil.which(name) or shutil.which(name, path=_debian_path()) for name in _POSTGRES}
    if absent := [name for name, path in found.items() if path is None]:
        raise AbsentError(f"this machine has no PostgreSQL ({', '.join(absent)})")
    data, port = folder / "postgres", free_port()
    data.mkdir(mode=_NOBODY_ELSE)
    # PostgreSQL refuses to run as root; the packages make an account for it.
    user = "postgres" if os.getuid() == 0 else None
    if user is not None:
        for each in (folder, folder.parent):
            each.chmod(0o755)  # that account must reach its own folder
        shutil.chown(data, user)

    def run(name: str, *arguments: str) -> None:
        command = [str(found[name]), "-D", str(data), *arguments]
        done = subprocess.run(  # noqa: S603  a server of our own, on loopback
            command, user=user, cwd=data, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            raise TransientError(f"{name} ended with {done.returncode}: {done.stderr.strip()[-300:]}")

    run("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8")
    run("pg_ctl", "-w", "-l", str(data / "log"), "-o", f"-p {port} -h 127.0.0.1 -k {data}", "start")
    try:
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")


def _debian_path() -> str:
    return os.pathsep.join(str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
