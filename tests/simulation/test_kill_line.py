"""Asiento's doors and jobs after kill -9: a real process under load, or in the middle of a run, and another that goes on."""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import pytest

from local.doors import Door, door, free_port
from local.line import drain, receive_all, reconcile_until_closed, secrets_folder
from local.simulator import API_SECRETS, Api, ApiServer, Chaos, Plan, Send
from shared.domain.deliveries import Channel, Delivery
from shared.domain.times import ALL_TIME
from shared.pipeline.seal import Sealing, seal, sealed_objects
from shared.pipeline.state_hash import state_hash
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.settings import Settings
from tests.simulation.killing import DYING, PROLOGUE, REPOSITORY, run_killed
from tests.simulation.test_crashes import HAMLET, IS_DEEP
from tests.simulation.town import PROVIDERS, UNDELIVERED, WEBHOOK_SECRETS, Town, towns

CALLERS = 6
KILLS = 12 if IS_DEEP else 1
PATIENCE_S = 60
SHARES = [each / 20 for each in range(20)] if IS_DEEP else [0.6]
"""At which part of a run of reconcile it is killed."""
SEALED_AT = range(1, 16) if IS_DEEP else (1, 3, 6)

RECONCILING = (
    PROLOGUE
    + DYING
    + """
    from dataclasses import replace
    from shared.domain.times import Window
    from shared.pipeline.reconcile import run_all
    from shared.runtime import wiring
    from shared.runtime.settings import Settings

    urls = dict(each.split("=", 1) for each in sys.argv[5:])
    settings = Settings(home=home, providers=tuple(urls), api_urls=urls, log_level="critical")
    window = Window(*map(datetime.fromisoformat, sys.argv[3:5]))
    with wiring.reconciling(wiring.embedded(settings)) as world:
        ports = {name: Dying(getattr(world, name)) for name in ("raw", "bus", "ledger", "casebook")}
        run_all(replace(world, **ports), window, datetime.now(UTC))
    print(calls)
"""
)

SEALING = (
    PROLOGUE
    + """
    from shared.adapters.embedded.raw_store import SqliteRawStore
    from shared.adapters.embedded.seal_store import FileSealStore
    from shared.pipeline.seal import Sealing, seal

    # Die before a name is given to what was written, and before that name is durable: segment, seal, segment, …
    hardlink_to, flush_names = Path.hardlink_to, FileSealStore._flush_names

    def linked(path, target):
        one_more_call()
        hardlink_to(path, target)

    def flushed(store):
        one_more_call()
        flush_names(store)

    Path.hardlink_to, FileSealStore._flush_names = linked, flushed
    seal(Sealing(SqliteRawStore(home / "raw.db"), FileSealStore(home / "seals"), "killed"), datetime.fromisoformat(sys.argv[3]))
    print(calls)
"""
)


@pytest.fixture(scope="module")
def hamlet() -> Iterator[Town]:
    """A town of a few sales."""
    with towns((HAMLET,), sales=5, days=1) as opened:
        yield opened[0]


@contextmanager
def _opened(home: Path, urls: dict[str, str]) -> Iterator[EmbeddedParts]:
    settings = Settings(home=home, providers=PROVIDERS, api_urls=urls, log_level="critical")
    with closing(wiring.embedded(settings)) as parts:
        yield parts


# The door


@dataclass(slots=True)
class Callers:
    """Providers that post to a door until each request was answered with yes, whatever becomes of the door."""

    port: int
    waiting: list[Send]
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    """By the id that the door gave: the body that it said yes to."""
    lost: int = 0
    """How many requests got no answer."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call_until_all_is_heard(self) -> None:
        """Post one request after the other; what got no yes is posted again."""
        while (each := self._next()) is not None:
            request = each.request(WEBHOOK_SECRETS, datetime.now(UTC))
            try:
                with closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
                    connection.request("POST", request.target, request.body, dict(request.headers))
                    answer = connection.getresponse()
                    heard = json.loads(answer.read()) if answer.status == 200 else {}
            except (OSError, HTTPException, ValueError):
                heard = {}
            with self._lock:
                if heard:
                    self.acknowledged[heard["kept"]] = request.body
                else:
                    self.waiting.append(each)
                    self.lost += 1

    def _next(self) -> Send | None:
        with self._lock:
            return self.waiting.pop(0) if self.waiting else None


def test_a_door_that_is_killed_under_load_has_lost_nothing_that_it_acknowledged(hamlet: Town, tmp_path: Path) -> None:
    """Asiento keeps every byte that its door said yes to, however often the door is killed while providers post (I1)."""
    secrets_folder(tmp_path, WEBHOOK_SECRETS, {})
    sends = list(Plan(hamlet.season, Chaos(seed=3, duplicate_share=0.1)).sends())
    rounds = 40 if IS_DEEP else 3
    callers = Callers(free_port(), sends * rounds)
    expected = len(callers.waiting)
    environ = {"ASIENTO_HOME": str(tmp_path), "ASIENTO_PROVIDERS": ",".join(PROVIDERS), "ASIENTO_LOG_LEVEL": "critical"}
    threads: list[threading.Thread] = []
    source = REPOSITORY / "functions" / "receive" / "main.py"
    for life in range(KILLS + 1):
        with door("receive", source, callers.port, environ) as receive:
            if not threads:
                threads = [threading.Thread(target=callers.call_until_all_is_heard) for _ in range(CALLERS)]
                for each in threads:
                    each.start()
            if life < KILLS:
                _wait_for(callers, expected * (life + 1) // (KILLS + 2))
                _kill(receive)
            else:
                for each in threads:
                    each.join(PATIENCE_S)
    assert callers.lost > 0, "the door was never hit while it was at work"
    assert (len(callers.waiting), len(callers.acknowledged)) == (0, expected)
    with _opened(tmp_path, {}) as parts:
        names = {name.rsplit("/", 1)[1]: name for name in parts.raw.names(ALL_TIME)}
        assert callers.acknowledged.keys() - names.keys() == set()
        for delivery_id, body in callers.acknowledged.items():
            came = parts.protection.restored(parts.raw.read(names[delivery_id]))
            assert isinstance(came, Delivery)
            assert came.body == body


def _kill(killed: Door) -> None:
    """End a door's process and the workers that it has started, all at once."""
    pid = killed.process.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    killed.process.kill()
    for each in workers:
        os.kill(int(each), signal.SIGKILL)
    assert killed.process.wait() == -signal.SIGKILL


def _wait_for(callers: Callers, acknowledged: int) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE_S)
    while len(callers.acknowledged) < acknowledged:
        assert datetime.now(UTC) < deadline, f"only {len(callers.acknowledged)} were acknowledged in {PATIENCE_S} s"
        threading.Event().wait(0.005)


# Reconcile


class Company(NamedTuple):
    """A company of which half was heard, and what comes of it undisturbed."""

    home: Path
    """As it stood before anybody reconciled."""
    urls: dict[str, str]
    window: tuple[str, str]
    calls: int
    """Port calls of one undisturbed run of all jobs."""
    end: tuple[str, list[str], list[str]]


@pytest.fixture(scope="module")
def company(hamlet: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A home folder that misses a third of all events, with the APIs to fetch them from."""
    folder = tmp_path_factory.mktemp("company")
    home, undisturbed = folder / "home", folder / "undisturbed"
    secrets_folder(home, WEBHOOK_SECRETS, API_SECRETS)
    plan = Plan(hamlet.season, Chaos(seed=5, loss_share=0.3, duplicate_share=0.1))
    with ApiServer(Api(hamlet.season.company, undelivered=Plan(hamlet.season, UNDELIVERED).undelivered())) as server:
        urls = {name: server.base_url(name) for name in PROVIDERS}
        with _opened(home, urls) as parts:
            for _ in receive_all(parts, plan.sends(), WEBHOOK_SECRETS):
                drain(parts)
        window = hamlet.window.start.isoformat(), hamlet.window.end.isoformat()
        shutil.copytree(home, undisturbed)
        process = _reconcile(undisturbed, 0, window, urls)
        assert process.returncode == 0, process.stderr
        yield Company(home, urls, window, int(process.stdout), _settled(hamlet, undisturbed, urls))


def _reconcile(
    home: Path, place: int, window: tuple[str, str], urls: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    addresses = [f"{name}={url}" for name, url in urls.items()]
    return run_killed(RECONCILING, home, place, *window, *addresses)


def _settled(town: Town, home: Path, urls: dict[str, str]) -> tuple[str, list[str], list[str]]:
    """Reconcile until nothing is open any more; return the state hash, the differences and the exceptions that are open."""
    with _opened(home, urls) as parts:
        drain(parts)
        reconcile_until_closed(parts, town.window)
        differences = [f"{each.mismatch.key} {each.mismatch.type.value}" for each in parts.casebook.open_differences()]
        open_cases = [f"{each.kind.value} {each.subject}" for each in parts.casebook.exceptions()]
        return state_hash(parts.ledger.entities()), sorted(differences), sorted(open_cases)


@pytest.mark.parametrize("share", SHARES)
def test_a_run_of_reconcile_that_is_killed_changes_nothing(
    hamlet: Town, company: Company, tmp_path: Path, share: float
) -> None:
    """Asiento ends with the same ledger, differences and exceptions after kill -9 in a run of all jobs, and another run."""
    home = tmp_path / "home"
    shutil.copytree(company.home, home)
    process = _reconcile(home, 1 + int(share * company.calls), company.window, company.urls)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert _settled(hamlet, home, company.urls) == company.end


# Seal


@pytest.fixture(scope="module")
def unsealed(hamlet: Town, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with some hours of deliveries, a few in each."""
    home = tmp_path_factory.mktemp("unsealed")
    secrets_folder(home, WEBHOOK_SECRETS, {})
    with _opened(home, {}) as parts:
        sends = list(Plan(hamlet.season, Chaos()).sends())[:40]
        deliveries = []
        for number, send in enumerate(sends):
            at = datetime(2026, 4, 1, 8 + number // 10, 5, tzinfo=UTC)
            request = send.request(WEBHOOK_SECRETS, at)
            deliveries.append(
                Delivery(
                    f"d{number:06}",
                    send.emission.provider,
                    Channel.WEBHOOK,
                    at,
                    request.target,
                    dict(request.headers),
                    request.body,
                )
            )
        parts.raw.create_all(deliveries)
    return home


def test_sealing_that_is_killed_leaves_a_chain_that_goes_on(unsealed: Path, tmp_path: Path) -> None:
    """Asiento's chain of seals is the undisturbed one after kill -9 between any two effects of sealing, and another run."""
    later = datetime(2026, 4, 1, 18, tzinfo=UTC)

    def sealed(home: Path) -> list[str]:
        with _opened(home, {}) as parts:
            seal(Sealing(parts.raw, parts.seals, "killed"), later)
            names = [each.object_name for each in sealed_objects(parts.seals)]
            assert sorted(names) == sorted(parts.raw.names(ALL_TIME))
            return [each.seal_hash for each in parts.seals.seals()]

    shutil.copytree(unsealed, tmp_path / "undisturbed")
    expected = sealed(tmp_path / "undisturbed")
    for place in SEALED_AT:
        home = tmp_path / f"killed-{place}"
        shutil.copytree(unsealed, home)
        process = run_killed(SEALING, home, place, later.isoformat())
        assert process.returncode == -signal.SIGKILL, process.stderr
        assert sealed(home) == expected, f"killed at call {place}"
