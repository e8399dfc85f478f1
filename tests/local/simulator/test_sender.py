"""The sender posts what was planned, signs as it leaves, and speaks to this machine only."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from socket import create_server

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.simulator import Chaos, Plan, Season, send, send_all

SECRETS = {"betterez": "private-key", "stripe": "whsec_key", "mercadopago": "key"}


class _Door:
    """A receiving door that notes what came and refuses every hundredth request."""

    def __init__(self) -> None:
        self.bodies: Counter[bytes] = Counter()
        self.times: list[int] = []
        self.app = Starlette(routes=[Route("/{provider}", self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        self.bodies[await request.body()] += 1
        signature = request.headers.get("x-btrz-signature", "")
        if signature.startswith("t="):
            self.times.append(int(signature[2:].split(",")[0]))
        return Response(status_code=503 if self.bodies.total() % 100 == 0 else 204)


@pytest.fixture
def door() -> Iterator[tuple[_Door, str]]:
    """Yield a door and its address."""
    door = _Door()
    listening = create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(door.app, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
    thread.start()
    yield door, f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


def test_everything_planned_arrives(season: Season, door: tuple[_Door, str]) -> None:
    """Asiento's simulator posts each planned request once, signed at the time of sending, and reports every answer."""
    watched, url = door
    plan = Plan(_Beginning(season), Chaos(seed=1, duplicate_share=0.05))
    told: list[int] = []

    before_s = int(datetime.now(UTC).timestamp())
    report = send(plan.sends(), url, SECRETS, on_progress=told.append)

    assert report.sent == len(plan) == watched.bodies.total() == sum(told)
    assert report.by_status == Counter({204: len(plan) - len(plan) // 100, 503: len(plan) // 100})
    assert report.accepted == report.by_status[204]
    assert len(report.unacknowledged) == report.by_status[503]
    assert report.by_kind.total() == len(plan)
    assert before_s <= min(watched.times)


def test_a_door_that_is_shut_is_reported(season: Season) -> None:
    """Asiento's simulator reports requests that nobody answered instead of losing them."""
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    plan = Plan(_Beginning(season, events=5), Chaos())

    report = send(plan.sends(), f"http://127.0.0.1:{port}", SECRETS)

    assert report.by_status == Counter({0: 5})
    assert len(report.unacknowledged) == 5


@pytest.mark.parametrize(
    "url", ["http://example.com", "http://10.0.0.1:80", "https://127.0.0.1.example.com", "nowhere"]
)
def test_only_this_machine_is_posted_to(url: str) -> None:
    """Asiento's simulator refuses to post forged requests, or any, to another machine."""
    with pytest.raises(ValueError, match="this machine only"):
        asyncio.run(send_all((), url, SECRETS))


class _Beginning:
    """The first events of a season."""

    def __init__(self, season: Season, events: int = 400) -> None:
        self.emission = season.emission
        self._events = events

    def __len__(self) -> int:
        return self._events
