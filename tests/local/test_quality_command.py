"""Asiento shows on the command line what arrives against what is usual."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app
from shared.domain.errors import SettingsError
from shared.domain.findings import ExceptionKind, FinanceException
from shared.domain.quality import Deviation, Measure, Series, hour_of, subject_of
from tests.pipeline.test_reconcile_quality import Watched, opened

HOURS = 3
SUBJECT = subject_of(
    Series(Measure.VOLUME, "tiny", "webhook"), Deviation.HIGH, hour_of(datetime(2026, 3, 1, tzinfo=UTC))
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which three hours were measured, the last of them just now."""
    with opened(tmp_path) as company:
        company.clock.instant = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        for hours in range(HOURS, 0, -1):
            company.arrive(company.clock.instant - timedelta(hours=hours), times=3)
        company.watch()
    return tmp_path


def open_anomaly(home: Path) -> None:
    """Have an anomaly opened."""
    with opened(home) as company:
        at = company.clock.instant
        company.casebook.see_exceptions(
            [FinanceException(ExceptionKind.ANOMALY, SUBJECT, "tiny", at, "run", at, None, {"observed": "9"})]
        )


def test_shows_what_is_being_learned(home: Path) -> None:
    """Asiento shows every series and span, and that it has no baseline yet."""
    result = CliRunner().invoke(app, ["quality", "--home", str(home), "--measure", "volume", "--format", "json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["open"], document["anomalies"]) == (0, [], [])
    told = [(each["measure"], each["detail"], each["hours"], each["baseline"]) for each in document["series"]]
    assert told == [("volume", "webhook", hours, None) for hours in (1, 3, 24)]
    assert "learning" in CliRunner().invoke(app, ["quality", "--home", str(home)]).stdout


def test_ends_with_1_while_an_anomaly_is_open(home: Path) -> None:
    """Asiento lets a script know that something is not as usual, and names it."""
    open_anomaly(home)
    result = CliRunner().invoke(app, ["quality", "--home", str(home)])
    assert result.exit_code == 1
    assert SUBJECT in result.stdout


def test_shows_no_measures_among_the_counts_of_a_run(home: Path) -> None:
    """Asiento's table of runs leaves out what a run of this job keeps for the next."""
    with opened(home) as company:
        assert isinstance(company, Watched)
        assert len(company.casebook.runs("quality")[0].counts) > HOURS * 4
    shown = CliRunner().invoke(app, ["reconcile", "quality", "--home", str(home)]).stdout
    assert "series" in shown
    assert "webhook" not in shown


def test_refuses_a_format_that_there_is_not(home: Path) -> None:
    """Asiento names the formats that there are."""
    result = CliRunner().invoke(app, ["quality", "--home", str(home), "--format", "csv"])
    assert isinstance(result.exception, SettingsError)
    assert "table, json" in str(result.exception)
