"""Asiento takes files in on the command line, and says what became of each."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app

HEADER = "DATE;SOURCE_ID;RECORD_TYPE;DESCRIPTION;NET_CREDIT_AMOUNT;NET_DEBIT_AMOUNT;GROSS_AMOUNT;MP_FEE_AMOUNT"
GOOD = "2026-03-01T10:00:00.000-04:00;;release;payment;93.00;0.00;100.00;-7.00"


def take_in(home: Path, *files: Path, provider: str = "mercadopago") -> tuple[int, list[dict[str, object]]]:
    """Run the command; return its exit status and what it says of each file."""
    names = [str(file) for file in files]
    result = CliRunner().invoke(app, ["take-in", *names, "--provider", provider, "--home", str(home), "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report with two rows exactly alike."""
    path = tmp_path / "release.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n{GOOD}", encoding="utf-8")
    return path


def test_a_file_and_the_same_again(tmp_path: Path, report: Path) -> None:
    """Asiento starts from an empty folder, applies a file, and takes it for a duplicate when it comes again."""
    status, (first,) = take_in(tmp_path / "home", report)
    assert (status, first["file"], first["outcome"], first["lines"]) == (0, "release.csv", "applied", 2)
    status, (again,) = take_in(tmp_path / "home", report)
    assert (status, again["outcome"], again["lines"]) == (0, "duplicate", 0)


def test_a_file_with_bad_rows_fails_the_command_and_names_them(tmp_path: Path, report: Path) -> None:
    """Asiento ends with status 1 where a file needs attention, and names its lines."""
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join((HEADER, GOOD, GOOD + ";shifted")), encoding="utf-8")
    status, (good, bad) = take_in(tmp_path / "home", report, broken)
    assert (status, good["outcome"], bad["outcome"], bad["lines"]) == (1, "applied", "quarantined", 1)
    assert str(bad["reason"]).startswith("rows_held: line 3: malformed_csv")
