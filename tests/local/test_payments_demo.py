"""The demonstration with a file of payments: real ones where they are, a few made ones always."""

import csv
import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from local.demo import payments
from shared.domain.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
REAL = Path("olist_payments", "olist_order_payments_dataset.csv.gz")
REAL_ROWS = 10_000
"""So many rows of the real file in every run; all of them in a deep one."""
HEADER = ("order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value")
ROWS = (
    ("a" * 32, "2", "voucher", "1", "10.05"),  # the second payment of an order comes first in the file
    ("b" * 32, "1", "credit_card", "8", "99.33"),
    ("a" * 32, "1", "credit_card", "1", "24.39"),
    ("c" * 32, "1", "not_defined", "1", "0.00"),
)


def written(path: Path, rows: tuple[tuple[str, ...], ...]) -> Path:
    """Write a file of payments."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((HEADER, *rows))
    return path


def told_of(file: Path, home: Path) -> dict[str, Any]:
    """Run the command on a file of payments and return what it says."""
    command = [sys.executable, "-m", "local.cli", "demo", "--payments", str(file), "--home", str(home), "--json"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own command
    assert told.returncode == 0, told.stderr
    document: dict[str, Any] = json.loads(told.stdout)
    return document


def test_real_payments_come_out_to_the_cent(outside_data: Path, tmp_path: Path) -> None:
    """Asiento makes the sales and payments of the real file's first rows, to the cent, in both orders the same."""
    with gzip.open(outside_data / REAL, "rt", encoding="utf-8", newline="") as file:
        rows = tuple(tuple(row) for row in islice(csv.reader(file), 1, REAL_ROWS + 1))
    total_minor = sum(int(Decimal(row[4]).scaleb(2)) for row in rows)
    told = told_of(written(tmp_path / "real.csv", rows), tmp_path / "home")
    expected = (len({row[0] for row in rows}), REAL_ROWS, total_minor)
    assert [(run["sales"], run["payments"], run["total_minor"]) for run in told["runs"]] == [expected] * 2
    assert told["runs"][0]["state_hash"] == told["runs"][1]["state_hash"]


@pytest.mark.skipif(os.environ.get("ASIENTO_SEARCH") != "deep", reason="minutes: make check-deep runs it")
def test_all_real_payments_come_out_to_the_cent(outside_data: Path, tmp_path: Path) -> None:
    """Asiento makes 99,440 sales and 103,886 payments of 16,008,872.12 from the real file, in both orders the same."""
    document = told_of(outside_data / REAL, tmp_path)
    for run in document["runs"]:
        assert (run["sales"], run["payments"], run["total_minor"]) == (99_440, 103_886, 1_600_887_212)
    in_order, shuffled = document["runs"]
    assert in_order["state_hash"] == shuffled["state_hash"]
    assert (in_order["duplicates"], in_order["deliveries"]) == (0, 103_886)
    assert shuffled["deliveries"] - 103_886 == shuffled["duplicates"] > 5_000


def test_a_few_payments_out_of_order(tmp_path: Path) -> None:
    """Asiento keeps several payments a sale, in whatever order, zero values and unknown methods included."""
    story = payments.tell(tmp_path / "home", written(tmp_path / "p.csv", ROWS), is_fresh=False)
    assert all(holds for holds, _ in story.proofs())
    assert (story.runs[0].sales, story.runs[0].payments, story.runs[0].total_minor) == (3, 4, 13_377)


def test_a_cent_less_fails_the_proof(tmp_path: Path) -> None:
    """Asiento's proof fails when the ledger is a centavo away from the file."""
    story = payments.tell(tmp_path / "home", written(tmp_path / "p.csv", ROWS), is_fresh=False)
    books = story.books.__class__(story.books.orders, story.books.payments, story.books.total_minor - 1)
    told = [holds for holds, _ in payments.PaymentsStory(books, story.runs).proofs()]
    assert told == [False, False, True]


@pytest.mark.parametrize(
    ("rows", "says"),
    [((("a" * 32, "1", "credit_card", "1", "ten"),), "line 2"), ((("a" * 32, "1"),), "line 2")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, rows: tuple[tuple[str, ...], ...], says: str) -> None:
    """Asiento names the line of a file that it cannot read, and starts nothing."""
    with pytest.raises(SettingsError, match=says):
        payments.tell(tmp_path / "home", written(tmp_path / "p.csv", rows), is_fresh=False)
    with pytest.raises(SettingsError, match="there is no file"):
        payments.tell(tmp_path / "home", tmp_path / "nowhere.csv", is_fresh=False)
