"""The functions under the real framework, called as HTTP calls them, and the parts behind them."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from functions_framework.aio import create_asgi_app

from shared.domain.completeness import CompletenessCertificate
from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import ReconciliationRun, RunStatus
from shared.domain.times import Window
from shared.providers.toolkit import registry
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.http import to_push
from shared.runtime.settings import Settings
from tests.functions.signed import KEY, encoded, signature

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
Door = Callable[..., httpx.Response]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder that the doors will use, with Betterez's secret in the environment."""
    monkeypatch.setenv("ASIENTO_HOME", str(tmp_path))
    monkeypatch.setenv("ASIENTO_PROVIDERS", "betterez")
    monkeypatch.setenv("ASIENTO_SECRET_BETTEREZ_WEBHOOK", KEY)
    return tmp_path


def door(name: str) -> Door:
    """Return a caller of a function under the real framework."""
    source = str(FUNCTIONS / name / "main.py")
    app = create_asgi_app(name, source)  # type: ignore[no-untyped-call]  # the framework carries no types

    def call(method: str, path: str, **request: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as client:
                return await client.request(method, path, **request)

        return asyncio.run(once())

    return call


def parts(home: Path) -> EmbeddedParts:
    """Return the parts behind the doors."""
    return wiring.embedded(Settings(home=home, providers=("betterez",)))


def send(receive: Door, document: dict[str, Any]) -> httpx.Response:
    """Post a signed document."""
    body = encoded(document)
    return receive("POST", "/betterez", content=body, headers=signature(body, datetime.now(UTC)))


def compare_every_day(home: Path, first: date, last: date) -> None:
    """Keep the certificates that a comparison with the platform's API makes when it finds each day complete."""
    with closing(parts(home)) as world:
        at = datetime.now(UTC)
        for kind in registry.load("betterez").capabilities.listings:
            run = ReconciliationRun(
                f"completeness-{kind.value}", "completeness", "betterez", kind, None, at, at, RunStatus.SUCCEEDED
            )
            days = Window.of_days(first, last).days()
            certificates = [
                CompletenessCertificate("betterez", kind, day, at, run.run_id, 0, (), 0, "") for day in days
            ]
            world.casebook.record_run(run, certificates=certificates)


def derive_all(home: Path) -> list[tuple[Outcome, str]]:
    """Push every announcement through the derive door; return what became of each delivery."""
    derive, world = door("derive"), parts(home)
    for leased in world.bus.lease(1000, datetime.now(UTC)):
        answer = derive("POST", "/", json=to_push(leased.announcement, leased.lease_id, "derive"))
        assert answer.status_code == 204
        world.bus.acknowledge([leased.lease_id])
    verdicts = [(verdict.outcome, verdict.reason) for verdict in world.ledger.verdicts()]
    world.close()
    return verdicts
