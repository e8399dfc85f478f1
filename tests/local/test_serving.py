"""The four functions served over HTTP, with bus and scheduler beside them, and a company that speaks to them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.doors import free_port
from local.simulator import Season
from shared.domain.times import ALL_TIME
from shared.runtime import wiring
from shared.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SEED, SALES = 3, 40
PATIENCE_S = 60


def command(*arguments: str) -> list[str]:
    """Return the command line of a command."""
    return [sys.executable, "-m", "local.cli", *arguments]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Serve all functions on free ports; yield the home folder and the port of receive."""
    port, api_port = free_port(), free_port()
    environ = {**os.environ, "ASIENTO_LOG_LEVEL": "error"}
    for provider in ("betterez", "stripe", "mercadopago"):
        environ[f"ASIENTO_API_URL_{provider.upper()}"] = f"http://127.0.0.1:{api_port}/{provider}"
    serve = command("serve", "--home", str(tmp_path), "--port", str(port), "--reconcile-every-s", "2")
    company = command(
        "simulate", "--home", str(tmp_path), "--to", f"http://127.0.0.1:{port}", "--sales", str(SALES), "--seed", str(SEED),
        "--api-port", str(api_port), "--stay",
    )  # fmt: skip
    # The company's keys must be there before the doors look for them.
    (tmp_path / "secrets").mkdir()
    with subprocess.Popen([*serve, "--rebuild-every-s", "3600"], cwd=ROOT, env=environ) as server:  # noqa: S603  our own
        try:
            wait_until((tmp_path / "raw.db").exists)
            with subprocess.Popen(company, cwd=ROOT, stdout=subprocess.DEVNULL) as simulation:  # noqa: S603  our own
                try:
                    yield tmp_path, port
                finally:
                    simulation.terminate()
        finally:
            server.terminate()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; fail when patience ends."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if is_so():
            return
        time.sleep(0.3)
    pytest.fail(f"not so within {PATIENCE_S} s")


def ledger(home: Path) -> dict[str, Any]:
    """Return how far the ledger is: outcomes, what is still to fetch, and how much was fetched."""
    asking = command("outcomes", "--json", "--home", str(home))
    told = subprocess.run(asking, cwd=ROOT, capture_output=True, check=False)  # noqa: S603  our own
    counts = json.loads(told.stdout)["counts"] if told.returncode == 0 else {}
    parts = wiring.embedded(Settings(home=home, log_level="error"))
    try:
        fetched = sum(1 for name in parts.raw.names(ALL_TIME) if "/fetch/" in name)
        return {
            "counts": counts,
            "to_fetch": parts.ledger.outbox_depth(),
            "fetched": fetched,
            "queued": parts.bus.depth(),
        }
    finally:
        parts.close()


def test_webhooks_become_a_ledger_and_what_is_missing_is_fetched(served: tuple[Path, int]) -> None:
    """Asiento serves receive, derive, reconcile and rebuild over HTTP: webhooks are derived, thin events fetched."""
    home, _ = served
    print(f"seed {SEED}")  # noqa: T201  what is needed to see it again
    events = len(Season.generate(seed=SEED, sales=SALES))

    def is_done() -> bool:
        seen = ledger(home)
        derived = sum(seen["counts"].values())
        return bool(derived > events and seen["to_fetch"] == seen["queued"] == 0 and seen["fetched"] > 0)

    wait_until(is_done)
    seen = ledger(home)
    assert seen["counts"]["failed"] == seen["counts"]["quarantined"] == seen["counts"]["conflict"] == 0
