"""The commands that seal, verify and prove, run as a person runs them."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from local.line import secrets_folder
from tests.bi.small_season import SECRETS, SmallSeason, SmallWorld

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder in which the small season was derived and published."""
    world = SmallWorld(tmp_path / "home")
    world.keep_and_derive(SmallSeason().deliveries)
    world.rebuild("build-1")
    world.close()
    secrets_folder(tmp_path / "home", SECRETS, {})
    return tmp_path / "home"


def asiento(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "local.cli", *arguments, "--home", str(home)]
    environ = {**os.environ, "COLUMNS": "160"}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)  # noqa: S603  our own


def test_seals_verifies_proves_and_names_what_was_edited(home: Path) -> None:
    """Asiento seals what is closed, verifies all of it, prints a proof, and ends with status 1 after one row was edited."""
    unsealed = asiento(home, "prove", "delivery-0003")
    assert (unsealed.returncode, "is in no seal yet" in unsealed.stderr) == (1, True)

    sealed = json.loads(asiento(home, "seal", "--json").stdout)
    assert sum(each["object_count"] for each in sealed["sealed"]) == 15
    assert sealed["sealed"][-1]["seal_hash"] == sealed["head"]

    verified = asiento(home, "verify", "--head", sealed["head"], "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    told = json.loads(verified.stdout)
    assert (told["holds"], told["raw_count"], told["head"]) == (True, 15, sealed["head"])
    assert {name: area["holds"] for name, area in told["areas"].items()} == dict.fromkeys(told["areas"], True)

    proof = json.loads(asiento(home, "prove", "delivery-0003", "--json").stdout)
    assert json.loads(proof["leaf"])["object_name"].endswith("/delivery-0003")

    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        connection.execute("UPDATE facts SET stated = replace(stated, '1234567', '1234568')")
    broken = asiento(home, "verify")
    assert broken.returncode == 1
    assert "facts differ first here: a fact of " in broken.stdout
