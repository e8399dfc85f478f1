"""The command line: every command answers, in tables and in JSON, and wrong input gets a sentence and a status."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.cli import app
from local.demo import season

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "demo", "serve", "simulate", "replay", "reconcile", "rebuild", "certify", "trace", "outcomes", "exceptions", "state-hash",
)  # fmt: skip


def asiento(*arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    at = ("--home", str(home)) if home else ()
    command = [sys.executable, "-m", "local.cli", *arguments, *at]
    environ = {**os.environ, "COLUMNS": "160"}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)  # noqa: S603  our own


def answer(*arguments: str, home: Path) -> Any:
    """Return the JSON answer of a command that succeeds."""
    told = asiento(*arguments, "--json", home=home)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home folder in which a small season has happened."""
    folder = tmp_path_factory.mktemp("home")
    season.tell(folder, sales=120, seed=5, is_fresh=False)
    return folder


def test_help_teaches_every_command() -> None:
    """Asiento lists its commands, and each explains itself."""
    listed = asiento("--help").stdout
    for command in COMMANDS:
        assert command in listed
        assert len(CliRunner().invoke(app, [command, "--help"]).stdout) > 300, command


def test_the_ledger_answers(home: Path, tmp_path: Path) -> None:
    """Asiento prints its state hash, counts outcomes, and replays all bytes into an empty ledger to the same hash (I8)."""
    told = answer("state-hash", home=home)["state_hash"]
    assert asiento("state-hash", home=home).stdout.strip() == told
    counts = answer("outcomes", home=home)["counts"]
    assert counts["applied"] > 500
    assert counts["failed"] == 0
    replayed = answer("replay", "--into", str(tmp_path / "again"), home=home)
    assert replayed["state_hash"] == told
    assert sum(replayed["replayed"].values()) == sum(counts.values())
    again = answer("replay", "--of", "duplicate", home=home)
    assert (again["replayed"]["duplicate"], again["state_hash"]) == (counts["duplicate"], told)


def test_the_bi_layer_answers(home: Path) -> None:
    """Asiento rebuilds, shows certificates with both paths, and traces a number to bytes whose signature holds."""
    rebuilt = answer("rebuild", home=home)
    assert rebuilt["refused"] == []
    certificates = answer("certify", "--month", "2026-01", home=home)
    assert {each["month"] for each in certificates} == {"2026-01"}
    assert all(each["passed"] for each in certificates)
    assert "viz.cash_by_day" in asiento("trace", home=home).stdout
    row = answer("trace", "viz.cash_by_day", "captured_minor", home=home)[0]
    key = [f"{name}={value}" for name, value in row.items() if name not in ("captured_minor", "refunded_minor")]
    traced = answer("trace", "viz.cash_by_day", "captured_minor", *key, home=home)
    assert traced["amount"] == row["captured_minor"]
    tree = asiento("trace", "viz.cash_by_day", "captured_minor", *key, home=home)
    assert tree.returncode == 0
    assert "signature verified again" in tree.stdout


def test_reconcile_and_exceptions_answer(home: Path) -> None:
    """Asiento runs a reconcile job by name, and lists exceptions."""
    runs = answer("reconcile", "stragglers", home=home)
    assert [run["status"] for run in runs["runs"]] == ["succeeded"]
    assert answer("exceptions", "--closed", home=home) == []
    assert asiento("exceptions", home=home).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reconcile", "everything"), "there is no job"),
        (("replay", "--from", "yesterday"), "YYYY-MM-DD"),
        (("reconcile", "--from", "2026-02-02", "--to", "2026-02-01"), "lies before"),
        (("trace", "viz.nothing", "tickets"), "cannot be traced"),
        (("trace", "viz.cash_by_day", "captured_minor", "business_day"), "column=value"),
        (("trace", "viz.cash_by_day", "captured_minor", "business_day=2026-01-05"), "is named by"),
        (("certify", "--month", "1999-01"), "no certificate of 1999-01"),
    ],
)
def test_wrong_input_gets_a_sentence_and_a_status(home: Path, arguments: tuple[str, ...], says: str) -> None:
    """Asiento answers wrong input with one sentence that names the mend, a status, and no traceback."""
    told = asiento(*arguments, home=home)
    assert told.returncode in (1, 2)
    assert says in " ".join(told.stderr.split())
    assert "Traceback" not in told.stderr
    assert told.stdout == ""


def test_an_empty_home_is_named(tmp_path: Path) -> None:
    """Asiento says where it looked and how to fill it, and makes nothing."""
    told = asiento("outcomes", home=tmp_path / "empty")
    assert told.returncode == 2
    assert "asiento demo" in told.stderr
    assert not (tmp_path / "empty").exists()


def test_an_unknown_setting_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento refuses a setting that it does not know and names it."""
    monkeypatch.setenv("ASIENTO_TYPO", "1")
    told = asiento("outcomes", home=home)
    assert told.returncode == 2
    assert "ASIENTO_TYPO" in told.stderr


def test_a_flipped_byte_is_no_longer_proved(home: Path, tmp_path: Path) -> None:
    """Asiento's trace ends with status 1 when a signature no longer holds over the stored bytes (I10)."""
    tampered = tmp_path / "tampered"
    shutil.copytree(home, tampered)
    (tampered / "secrets" / "betterez-webhook").write_text("another key\n")
    row = answer("trace", "viz.revenue_by_day_route", "earned_minor", home=home)[0]
    key = [f"{name}={value}" for name, value in row.items() if name not in ("earned_minor", "tickets")]
    told = asiento("trace", "viz.revenue_by_day_route", "earned_minor", *key, home=tampered)
    assert told.returncode == 1
    assert "signature" in told.stdout
