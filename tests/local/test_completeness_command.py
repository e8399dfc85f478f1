"""Asiento shows on the command line which days are complete, which gaps there are, and which sources are paused."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.cli import app
from local.context import world_here
from shared.domain.completeness import CompletenessCertificate, Gap, GapReason
from shared.domain.errors import SettingsError, TransientError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.pauses import next_pause
from shared.domain.reconciliation import ReconciliationRun, RunStatus
from shared.domain.times import Window

AT = datetime(2026, 3, 12, 12, tzinfo=UTC)
GAP = Gap(EntityKey(EntityKind.SALE, "betterez", "s1"), GapReason.NOT_TOLD)


def certified(day: date, kind: EntityKind = EntityKind.SALE, *gaps: Gap) -> CompletenessCertificate:
    """Return a certificate of a day on which three were listed."""
    return CompletenessCertificate("betterez", kind, day, AT, "r1", 3, gaps, len(gaps), "d" * 64)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with three certificates, one of them with a gap, and a paused source."""
    days = [date(2026, 3, 10), date(2026, 3, 11)]
    certificates = [certified(days[0]), certified(days[1], EntityKind.SALE, GAP), certified(days[1], EntityKind.TICKET)]
    window = Window.of_days(days[0], days[1])
    run = ReconciliationRun("r1", "completeness", "betterez", EntityKind.SALE, window, AT, AT, RunStatus.SUCCEEDED)
    with world_here(tmp_path) as parts:
        parts.raw.create_all([])
        parts.casebook.record_run(run, (), certificates)
        parts.casebook.keep_pause(next_pause("stripe", None, TransientError("GET /v1/charges answered 503"), AT))
    return tmp_path


def asked(home: Path, *words: str) -> tuple[int, str]:
    """Run a command; return its exit status and what it says."""
    result = CliRunner().invoke(app, [*words, "--home", str(home)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def documents(home: Path, *words: str) -> list[dict[str, Any]]:
    """Run a command that answers in JSON."""
    found: list[dict[str, Any]] = json.loads(asked(home, *words)[1])
    return found


def test_every_day_is_shown(home: Path) -> None:
    """Asiento lists each certified day, and ends with status 1 because one has a gap."""
    status, shown = asked(home, "completeness")
    assert status == 1
    assert "3 certificates, 1 with gaps" in shown
    assert "2026-03-10" in shown


def test_gaps_are_named(home: Path) -> None:
    """Asiento names the entities that are missing, and nothing that is there."""
    status, shown = asked(home, "completeness", "--gaps")
    assert (status, "1 certificates, 1 with gaps" in shown) == (1, True)
    (found,) = documents(home, "completeness", "--gaps", "--format", "json")
    assert (found["day"], found["listed"], found["present"], found["gaps"]) == ("2026-03-11", 3, 2, 1)
    assert found["gaps_named"] == [{"key": "sale:betterez:s1", "reason": "not_told"}]


def test_days_kinds_and_providers_are_chosen(home: Path) -> None:
    """Asiento shows the days and kinds that are asked for, and succeeds where all of them are complete."""
    status, _ = asked(home, "completeness", "--to", "2026-03-10")
    assert status == 0
    tickets = documents(home, "completeness", "--kind", "ticket", "--format", "json")
    assert [(each["day"], each["is_complete"]) for each in tickets] == [("2026-03-11", True)]
    assert documents(home, "completeness", "--provider", "stripe", "--format", "json") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "xml"), "choose one of table, json"),
        (("--from", "2026-03-11", "--to", "2026-03-10"), "lies before --from"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(home: Path, words: tuple[str, ...], said: str) -> None:
    """Asiento says what it takes where an option makes no sense."""
    result = CliRunner().invoke(app, ["completeness", *words, "--home", str(home)])
    assert isinstance(result.exception, SettingsError)
    assert said in str(result.exception)


def test_paused_sources_are_shown(home: Path) -> None:
    """Asiento shows which provider is left alone, since when, until when and why."""
    (found,) = documents(home, "sources", "--json")
    assert (found["provider"], found["is_paused"], found["trials"]) == ("stripe", True, 1)
    assert datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["since"]) == timedelta(minutes=1)
    assert "503" in found["reason"]
    status, shown = asked(home, "sources")
    assert (status, "paused" in shown) == (0, True)
