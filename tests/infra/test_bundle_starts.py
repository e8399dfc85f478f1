"""Each bundle starts and works on what its own requirements.txt pins: nothing of the developer's environment helps it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from scripts import bundle
from scripts.bundle_environments import GOOGLE, Started, python_of, started, unpack
from shared.domain.outcomes import Outcome
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.http import to_push
from shared.runtime.settings import Settings
from tests.functions.signed import KEY, encoded, event, payment, signature

Start = Callable[[str], AbstractContextManager[Started]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a starter of bundles that share one embedded home."""
    environ = {
        "ASIENTO_HOME": str(tmp_path / "home"),
        "ASIENTO_PROVIDERS": "betterez",
        "ASIENTO_SECRET_BETTEREZ_WEBHOOK": KEY,
    }
    return lambda function: started(function, unpack(function, tmp_path / function), environ)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[EmbeddedParts]:
    """Return the world behind the bundles, to look into."""
    opened = wiring.embedded(Settings(home=tmp_path / "home", providers=("betterez",), log_level="error"))
    yield opened
    opened.close()


def post_signed(receive: Started) -> httpx.Response:
    """Post a signed sale with its payment."""
    body = encoded(event("e1", payment()))
    headers = signature(body, datetime.now(UTC))
    return httpx.post(f"{receive.url}/betterez", content=body, headers=headers, trust_env=False)


def test_the_receiving_bundle_keeps_what_is_signed(start: Start, parts: EmbeddedParts) -> None:
    """Asiento's receiving bundle keeps a signed webhook and refuses an unsigned one, on its own requirements alone."""
    with start("receive") as receive:
        unsigned = httpx.post(f"{receive.url}/betterez", content=b"{}", trust_env=False)
        assert (unsigned.status_code, unsigned.json()["error"]) == (401, "signature_missing")
        answer = post_signed(receive)
        assert answer.status_code == 200
    (leased,) = parts.bus.lease(10, datetime.now(UTC))
    assert leased.announcement.delivery_id == answer.json()["kept"]


def test_the_deriving_bundle_folds_what_the_receiving_bundle_kept(start: Start, parts: EmbeddedParts) -> None:
    """Asiento's deriving bundle turns an announced delivery into a sale and a payment."""
    with start("receive") as receive:
        post_signed(receive).raise_for_status()
    (leased,) = parts.bus.lease(10, datetime.now(UTC))
    with start("derive") as derive:
        pushed = httpx.post(derive.url, json=to_push(leased.announcement, leased.lease_id, "derive"), trust_env=False)
    assert pushed.status_code == 204
    assert [verdict.outcome for verdict in parts.ledger.verdicts()] == [Outcome.APPLIED]
    assert sorted(entity.key.kind for entity in parts.ledger.entities()) == ["payment", "sale"]


def test_the_reconciling_bundle_announces_a_straggler(start: Start, parts: EmbeddedParts) -> None:
    """Asiento's reconciling bundle runs its jobs over what was kept, and says which runs it recorded."""
    with start("receive") as receive:
        post_signed(receive).raise_for_status()
    with start("reconcile") as reconcile:
        answer = httpx.post(reconcile.url, json={"job": "all", "days": 2}, timeout=30, trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["failed"] == []
    assert {run.run_id for run in parts.casebook.runs()} == set(answer.json()["runs"]) != set()


@pytest.mark.parametrize("function", bundle.FUNCTIONS)
def test_every_bundle_starts_in_the_google_world(function: str, tmp_path: Path) -> None:
    """Asiento's four bundles start with the variables of the cloud, before any of its services answers."""
    with started(function, unpack(function, tmp_path), GOOGLE) as door:
        health = httpx.get(f"{door.url}/robots.txt", trust_env=False)
        assert health.status_code == 404


def test_a_bundle_without_a_requirement_does_not_start(tmp_path: Path) -> None:
    """Asiento would see a package that a requirements.txt lacks: the embedded warehouse is in none."""
    environ = {"ASIENTO_HOME": str(tmp_path / "home")}
    with (
        pytest.raises(AssertionError, match="No module named 'duckdb'"),
        started("rebuild_bi", unpack("rebuild_bi", tmp_path), environ),
    ):
        pass


def test_bytecode_outlives_the_times_of_files(tmp_path: Path) -> None:
    """Asiento's sources are compiled once, by the build: bytecode holds though the image gives every file another time."""
    folder = unpack("receive", tmp_path)
    for source in folder.rglob("*.py"):
        os.utime(source, (1, 1))
    loading = [str(python_of("receive")), "-v", "-c", "import shared.runtime.settings, shared.pipeline.receive"]
    done = subprocess.run(loading, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603  our own bundle
    told = [line for line in done.stderr.splitlines() if str(folder) in line]
    assert sum(line.startswith("# code object from") and "__pycache__" in line for line in told) > 5
    assert [line for line in told if "stale" in line or line.startswith("# wrote")] == []
