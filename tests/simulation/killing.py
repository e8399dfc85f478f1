"""Scripts that end their own process by kill -9 at one of their calls, and what runs them."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

PROLOGUE = """
    import os, signal, sys
    from datetime import UTC, datetime
    from pathlib import Path

    home, place = Path(sys.argv[1]), int(sys.argv[2])
    calls = 0

    def one_more_call():
        global calls
        calls += 1
        if calls == place:
            os.kill(os.getpid(), signal.SIGKILL)
"""
"""How each script begins: its home folder, and the call before which it dies."""

DYING = """
    class Dying:
        def __init__(self, port):
            self._port = port

        def __getattr__(self, name):
            method = getattr(self._port, name)

            def call(*args, **kwargs):
                one_more_call()
                return method(*args, **kwargs)

            return call
"""
"""A port each of whose calls counts."""


def run_killed(script: str, home: Path, place: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own that ends itself at one of its calls (0: at none)."""
    return subprocess.run(  # noqa: S603  our own code on our own interpreter
        [sys.executable, "-c", textwrap.dedent(script), str(home), str(place), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
