"""Asiento watches what arrives on real stores: hours are measured from the bytes, anomalies opened, decided and taught."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from shutil import copytree

import pytest
from structlog.testing import capture_logs

from local.simulator import Season
from shared.adapters.embedded.raw_store import SqliteRejectedStore
from shared.contracts.holding import Holding
from shared.domain.decisions import Choice
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import TransientError
from shared.domain.findings import ExceptionKind, FinanceException
from shared.domain.quality import Measure, Series, hour_of
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import to_ms
from shared.pipeline.decide import Wish, decide
from shared.pipeline.reconcile import reconcile
from shared.pipeline.reconciliation import quality
from shared.pipeline.reconciliation.measuring import Measuring
from shared.providers.toolkit import registry
from shared.providers.toolkit.compression import opened_object
from tests.pipeline.small_company import WEEK, Company, body, ticket
from tests.pipeline.test_decide import deciding

SEED = 8
WEEKS = 5
A_DAY_HOUR = 30
HOUR = timedelta(hours=1)


class Watched(Company):
    """A company with five weeks behind it: thirty webhooks an hour by day, seven by night, two of three for one route."""

    def __init__(self, home: Path) -> None:
        """Open everything."""
        super().__init__(home)
        print(f"seed {SEED}")  # noqa: T201  shown with a failure
        self.random = Random(SEED)  # noqa: S311  a seeded test, no secret
        self.rejected = SqliteRejectedStore(home / "rejected.db")
        readers = {"tiny": self.provider, "betterez": registry.load("betterez")}
        self.world = replace(self.world, readers=readers, contracts=Holding(opened_object), rejected=self.rejected)
        self.clock.instant = datetime(2026, 3, 10, 14, tzinfo=UTC)

    def live_through_the_weeks(self) -> None:
        """Keep what arrives in them."""
        for hours in range(WEEKS * 7 * 24, 0, -1):
            self.arrive(self.clock.instant - hours * HOUR)

    def arrive(self, start: datetime, times: int = 1, route: str = "") -> None:
        """Keep what arrives in an hour."""
        usual = A_DAY_HOUR if start.hour >= 12 else A_DAY_HOUR // 4
        count = times * (usual + self.random.randrange(-5, 6))
        self.raw.create_all([self.webhook(start + HOUR * place / (count + 1), route) for place in range(count)])

    def webhook(self, at: datetime, route: str = "") -> Delivery:
        """Return a webhook that tells of a ticket."""
        delivery_id = self.new_id(at)
        route = route or self.random.choice(("north", "north", "south"))
        told = body(delivery_id, (ticket(1), to_ms(at), {"route_id": route}))
        return Delivery(delivery_id, "tiny", Channel.WEBHOOK, at, "/tiny", {}, told)

    def hour_passes(self, times: int = 1, route: str = "") -> ReconciliationRun:
        """Let an hour go by, with what arrives in it, and run the job."""
        start = self.clock.instant.replace(minute=0, second=0, microsecond=0)
        if times:
            self.arrive(start, times, route)
        self.clock.instant = start + HOUR
        return self.watch()

    def watch(self) -> ReconciliationRun:
        """Run the job eight minutes after the hour."""
        self.clock.instant = self.clock.instant.replace(minute=8)
        (run,) = reconcile("quality", self.world, WEEK, self.clock.now())
        return run

    def told(self) -> list[str]:
        """Return what is open, without since when."""
        return [each.subject.split(" since ")[0] for each in self.open()]

    def open(self) -> list[FinanceException]:
        """Return the open anomalies."""
        return list(self.casebook.exceptions(kinds=(ExceptionKind.ANOMALY,)))

    def decide(self, choice: Choice) -> None:
        """Decide about the one open anomaly, and have it derived and noted."""
        (anomaly,) = self.open()
        decide(Wish(anomaly.exception_id, choice, "known", "mlopez"), deciding(self), self.clock.now())
        self.derive()
        reconcile("exceptions", self.world, WEEK, self.clock.now())


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the company after its weeks, of which nothing has been measured."""
    home = tmp_path_factory.mktemp("weeks")
    with opened(home) as company:
        company.live_through_the_weeks()
    return home


@pytest.fixture(scope="module")
def learned(weeks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, measured."""
    home = tmp_path_factory.mktemp("learned") / "home"
    copytree(weeks, home)
    with opened(home) as company:
        company.watch()
    return home


@pytest.fixture
def watched(learned: Path, tmp_path: Path) -> Iterator[Watched]:
    """The company after its weeks, which have been measured, to do with as one likes."""
    copytree(learned, tmp_path, dirs_exist_ok=True)
    with opened(tmp_path) as company:
        company.clock.instant += timedelta(minutes=8)
        yield company


@contextmanager
def opened(home: Path) -> Iterator[Watched]:
    """Open the company of a folder, and close it."""
    company = Watched(home)
    yield company
    company.rejected.close()
    company.close()


def test_all_that_is_kept_is_measured_first(watched: Watched) -> None:
    """Asiento learns from the weeks before anybody watched, measures each hour once, and tells nothing of a usual day."""
    (first,) = watched.casebook.runs(quality.JOB)
    assert (first.counts["hours"], first.counts["left"]) == (WEEKS * 7 * 24, 0)
    runs = [watched.hour_passes() for _ in range(24)]
    assert [run.counts["hours"] for run in runs] == [1] * 24
    assert sum(run.counts["checks"] for run in runs) > 200
    assert watched.told() == []
    assert watched.watch().counts["hours"] == 0


def test_silence_is_told_once_and_closed_when_it_ends(watched: Watched) -> None:
    """Asiento tells a provider's silence within three hours as one exception, and closes it when the provider speaks."""
    with capture_logs() as logs:
        for _ in range(3):
            watched.hour_passes(times=0)
        watched.hour_passes(times=0)
    (anomaly,) = watched.open()
    assert anomaly.subject.startswith("volume tiny webhook silent since 2026-03-10T1")
    assert anomaly.evidence["observed"] == "0"
    assert [line["deviation"] for line in logs if line["event"] == "anomaly"] == ["silent"]
    watched.hour_passes()
    watched.hour_passes()
    assert watched.told() == []


def test_a_stopped_route_is_told_by_its_name(watched: Watched) -> None:
    """Asiento tells a route of which nothing comes any more while all the others go on."""
    for _ in range(4):
        watched.hour_passes(route="south")
    assert "route tiny north silent" in watched.told()
    assert not any(told.startswith("volume") for told in watched.told())


def test_rejections_are_told(watched: Watched) -> None:
    """Asiento tells that the door rejects more than usual, by reason."""
    at = watched.clock.instant.replace(minute=30)
    for _ in range(12):
        watched.rejected.keep(watched.webhook(at), "signature_mismatch")
    watched.hour_passes()
    assert watched.told() == ["rejected tiny signature_mismatch high"]


def test_accepting_teaches_and_a_replay_teaches_the_same(watched: Watched) -> None:
    """Asiento takes an accepted volume for usual from then on, because the ledger's decision says so."""
    while not watched.told():
        watched.hour_passes(times=3)
    assert watched.told() == ["volume tiny webhook high"]
    watched.decide(Choice.ACCEPT)
    assert watched.told() == []
    for _ in range(26):
        watched.hour_passes(times=3)
        assert watched.told() == []
    assert [lesson.is_accepted for lesson in quality.lessons(watched.ledger)] == [True]
    watched.hour_passes(times=15)
    assert watched.told() == ["volume tiny webhook high"]


def test_what_is_written_off_is_told_again(watched: Watched) -> None:
    """Asiento is quiet about what was written off for a day, and then tells the like again."""
    while not watched.told():
        watched.hour_passes(times=3)
    watched.decide(Choice.WRITE_OFF)
    for _ in range(20):
        watched.hour_passes(times=3)
        assert watched.told() == []
    for _ in range(8):
        watched.hour_passes(times=3)
    assert watched.told() == ["volume tiny webhook high"]


def test_an_hour_of_a_failed_run_is_measured_by_the_next(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento measures again what a run could not, and the failed run closes no exception."""
    for _ in range(4):
        watched.hour_passes(times=0)
    before = watched.told()
    with monkeypatch.context() as broken:
        broken.setattr(watched.raw, "deliveries", _unavailable)
        assert watched.hour_passes().has_failed
    assert watched.told() == before != []
    assert watched.watch().counts["hours"] == 1


def _unavailable(_window: object) -> Iterator[Delivery]:
    raise TransientError("the raw store is down; try again later")


def test_a_run_keeps_a_bounded_record(weeks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento learns a long history in several runs, the latest hours first, and leaves none out."""
    monkeypatch.setattr(quality, "RECORDS_A_RUN_MAX", 2_000)
    copytree(weeks, tmp_path, dirs_exist_ok=True)
    with opened(tmp_path) as company:
        runs = [company.watch()]
        assert runs[0].counts["left"] > 0
        while runs[-1].counts["left"]:
            runs.append(company.watch())
    assert sum(run.counts["hours"] for run in runs) == WEEKS * 7 * 24
    assert max(len(run.counts) for run in runs) < 2_100


def test_the_content_of_an_hour_is_measured(watched: Watched, few_days: Season) -> None:
    """Asiento counts what was late, what drifted from the contract, what could not be read and what moved, from the bytes."""
    at = watched.clock.instant
    emissions = [each for each in few_days.emissions() if each.provider == "betterez"][:60]
    sound = [_posted(watched, each.body, at) for each in emissions]
    changed = [_posted(watched, each.body.replace(b'"seats":', b'"seatz":'), at) for each in emissions[:1]]
    garbled = [_posted(watched, b"{", at)]
    watched.raw.create_all([*sound, *changed, *garbled])
    hour = hour_of(at)
    counts = Measuring(watched.world, [hour]).hour(hour)
    assert counts[Series(Measure.KEPT, "betterez")] == 62
    assert counts[Series(Measure.UNREADABLE, "betterez", "malformed_json")] == 1
    assert counts[Series(Measure.LATE, "betterez", "6h")] >= 60
    assert any(each.measure is Measure.ROUTE for each in counts)
    assert any(each.measure is Measure.MONEY for each in counts)


def _posted(watched: Watched, content: bytes, at: datetime) -> Delivery:
    return Delivery(watched.new_id(at), "betterez", Channel.WEBHOOK, at, "/betterez", {}, content)
