"""The four functions served over HTTP, with bus and scheduler beside them, and a company that speaks to them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from local.doors import free_port
from local.simulator import FIRST_DAY, Season
from shared.domain.times import ALL_TIME
from shared.runtime import wiring
from shared.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SEED, SALES, DAYS = 3, 40, 5
PATIENCE_S = 120


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
    serve = command("serve", "--home", str(tmp_path), "--port", str(port), "--reconcile-every-s", "6")
    company = command(
        "simulate", "--home", str(tmp_path), "--to", f"http://127.0.0.1:{port}", "--sales", str(SALES), "--days", str(DAYS),
        "--seed", str(SEED), "--api-port", str(api_port), "--stay",
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


def told(home: Path) -> dict[str, int]:
    """Return how many deliveries had which outcome, as the command answers beside the doors."""
    asking = command("outcomes", "--json", "--home", str(home))
    answer = subprocess.run(asking, cwd=ROOT, capture_output=True, check=True)  # noqa: S603  our own
    counts: dict[str, int] = json.loads(answer.stdout)["counts"]
    return counts


def is_done(home: Path, events: int) -> bool:
    """Return whether more than the events is derived, something was fetched, and nothing waits."""
    parts = wiring.embedded(Settings(home=home, log_level="error"))
    try:
        if sum(parts.ledger.outcome_counts().values()) <= events or parts.ledger.outbox_depth() or parts.bus.depth():
            return False
        return any("/fetch/" in name for name in parts.raw.names(ALL_TIME))
    finally:
        parts.close()


def test_webhooks_become_a_ledger_and_what_is_missing_is_fetched(served: tuple[Path, int]) -> None:
    """Asiento serves receive, derive, reconcile and rebuild over HTTP: webhooks are derived, thin events fetched."""
    home, _ = served
    print(f"seed {SEED}")  # noqa: T201  what is needed to see it again
    events = len(Season.generate(seed=SEED, sales=SALES, last_day=FIRST_DAY + timedelta(days=DAYS - 1)))

    wait_until(lambda: is_done(home, events))
    counts = told(home)
    assert counts["failed"] == counts["quarantined"] == counts["conflict"] == 0
