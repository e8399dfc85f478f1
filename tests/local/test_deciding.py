"""Asiento's command line lists what needs a person, exports it safely, and takes decisions."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local.cli import app
from local.exporting import csv_text
from shared.domain.errors import AsientoError
from shared.domain.findings import ExceptionKind, FinanceException
from shared.domain.money import Money
from shared.domain.times import ALL_TIME
from shared.runtime import wiring
from shared.runtime.settings import Settings

JANUARY, MARCH = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
FORMULA = '=HYPERLINK("http://evil.example","click")'


def asiento(home: Path, *arguments: str) -> Result:
    """Run a command on a home folder."""
    return CliRunner().invoke(app, [*arguments, "--home", str(home)])


def answer(home: Path, *arguments: str) -> list[dict[str, object]]:
    """Return the JSON answer of a command that succeeds."""
    result = asiento(home, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]  # what our own command writes


def exception(
    subject: str, at: datetime, at_risk: Money | None, kind: ExceptionKind = ExceptionKind.CONFLICTING_ENTITY
) -> FinanceException:
    """Return an open exception."""
    return FinanceException(kind, subject, "betterez", at, "r1", at, at_risk, {"fare_minor": "1 or 2", "why": FORMULA})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with three open exceptions and a secret to sign decisions with."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "operator-webhook").write_text("kept in a vault\n", encoding="utf-8")
    parts = wiring.embedded(Settings(home=tmp_path, log_level="error"))
    assert not list(parts.raw.names(ALL_TIME))
    found = [
        exception("ticket:betterez:1", MARCH, Money("ARS", 250)),
        exception("ticket:betterez:2", JANUARY, Money("ARS", 99_900)),
        exception(FORMULA, JANUARY + timedelta(days=1), None, ExceptionKind.QUARANTINED_DELIVERY),
    ]
    parts.casebook.see_exceptions(found)
    parts.close()
    return tmp_path


def listed(home: Path, *arguments: str) -> list[str]:
    """Return the subjects that a list shows, in order."""
    return [str(each["subject"]) for each in answer(home, "exceptions", *arguments)]


def test_lists_by_filter_and_order(home: Path) -> None:
    """Asiento lists exceptions by age or money, and only those that are asked for."""
    assert listed(home) == ["ticket:betterez:2", FORMULA, "ticket:betterez:1"]
    assert listed(home, "--sort", "risk") == ["ticket:betterez:2", "ticket:betterez:1", FORMULA]
    assert listed(home, "--month", "2026-03") == ["ticket:betterez:1"]
    assert listed(home, "--owner", "engineering") == listed(home, "--kind", "quarantined_delivery") == [FORMULA]
    assert listed(home, "--assigned", "nobody", "--provider", "betterez", "--older-than", "1") == listed(home)
    assert listed(home, "--assigned", "Ana") == listed(home, "--provider", "stripe") == []
    table = asiento(home, "exceptions").stdout
    assert "Exceptions: 3" in table
    assert "ARS 999.00" in table


def test_exports_a_csv_that_runs_nothing(home: Path, tmp_path: Path) -> None:
    """Asiento writes CSV that parses back whole and holds no cell that a spreadsheet would run."""
    file = tmp_path / "cases.csv"
    result = asiento(home, "exceptions", "--format", "csv", "--output", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8"), newline="")))
    assert [row["at_risk_minor"] for row in rows] == ["99900", "", "250"]
    assert rows[1]["subject"] == f"'{FORMULA}"
    assert json.loads(rows[1]["evidence"])["why"] == FORMULA
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert asiento(home, "exceptions", "--format", "csv").stdout.replace("\r\n", "\n") == file.read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    "cell", ["=1", "+1", "-1", "@x", "\tx", "\r=1", " =1", "\uff1d1", '=1"\r\n=2', "a,b", 'say "x"', "a\nb"]
)
def test_any_cell_parses_back_and_starts_no_formula(cell: str) -> None:
    """Asiento's CSV gives every cell back, with an apostrophe before what could run."""
    (row,) = list(csv.reader(io.StringIO(csv_text(["h"], [[cell]]), newline="")))[1:]
    assert row[0].removeprefix("'") == cell
    assert row[0].lstrip(" ")[0] not in "=+-@\t\r\n\uff1d"


def test_decides_and_shows_who_why_and_what_it_comes_to(home: Path) -> None:
    """Asiento signs, keeps and derives a decision, closes what it settles, and accounts for it."""
    exception_id = str(answer(home, "exceptions", "--month", "2026-03")[0]["exception_id"])
    result = asiento(
        home, "decide", exception_id[:8], "--write-off", "--by", "mlopez", "--reason", "below the cost of asking"
    )
    assert result.exit_code == 0, result.output
    assert "write_off: conflicting_entity of ticket:betterez:1, ARS 2.50" in result.stdout
    assert "applied" in result.stdout
    assert "ticket:betterez:1" not in listed(home)
    (decided,) = answer(home, "exceptions", "--decided")
    assert (decided["state"], decided["decision"], decided["decided_by"]) == ("decided", "write_off", "mlopez")
    assert decided["reason"] == "below the cost of asking"
    assert "mlopez" in asiento(home, "exceptions", "--closed").stdout

    other = str(answer(home, "exceptions")[0]["exception_id"])
    assert asiento(home, "decide", other, "--assign", "Ana", "--by", "mlopez", "--reason", "hers").exit_code == 0
    assert listed(home, "--assigned", "Ana") == ["ticket:betterez:2"]

    told = json.loads(asiento(home, "concerns", "--json").stdout)
    (pesos, unknown) = told["period"]
    assert (pesos["currency"], pesos["opened_minor"], pesos["outstanding_minor"]) == ("ARS", 100_150, 99_900)
    assert (pesos["written_off_count"], pesos["written_off_minor"], pesos["accepted_count"]) == (1, 250, 0)
    assert (unknown["currency"], unknown["outstanding_count"]) == ("XXX", 1)
    assert [area["at_risk_minor"] for area in told["areas"]] == [99_900, 0]
    assert told["matching"]["ppm"] is None
    assert "Matched automatically: no payments" in asiento(home, "concerns").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("decide", "abcdef", "--accept", "--by", "a", "--reason", "r"), "no open exception begins with abcdef"),
        (("decide", "abcdef", "--by", "a", "--reason", "r"), "decide one thing"),
        (("decide", "abcdef", "--accept", "--write-off", "--by", "a", "--reason", "r"), "decide one thing"),
        (("decide", "abcdef", "--correct", "seat", "--by", "a", "--reason", "r"), "takes a field and its value"),
        (("exceptions", "--month", "March"), "write it as YYYY-MM"),
        (("exceptions", "--output", "x.csv"), "add --format csv"),
        (("exceptions", "--format", "csv", "--output", "/nowhere/x.csv"), "cannot be written"),
    ],
)
def test_wrong_input_names_the_mend(home: Path, arguments: tuple[str, ...], says: str) -> None:
    """Asiento answers what it cannot do with a sentence that says what to do."""
    result = asiento(home, *arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, AsientoError)
    assert says in str(result.exception)


def test_without_a_secret_nothing_is_decided(home: Path) -> None:
    """Asiento says which secret is missing where there is none to sign with, and keeps nothing."""
    (home / "secrets" / "operator-webhook").unlink()
    exception_id = str(answer(home, "exceptions")[0]["exception_id"])
    result = asiento(home, "decide", exception_id, "--accept", "--by", "ana", "--reason", "r")
    assert "no secret operator-webhook" in str(result.exception)
    assert len(listed(home)) == 3
