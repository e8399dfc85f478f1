"""Asiento tells a person what reconciling found in tables, and nothing beside them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local.cli import app
from local.demo.homes import new_keys, opened
from local.simulator import Api, ApiServer, Season
from shared.domain.times import ALL_TIME

SEED = 11
MONTH = ("--from", "2026-01-01", "--to", "2026-01-31")


@contextmanager
def nothing_heard(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Season]:
    """A home folder that has heard of nothing, beside a processor that can be asked for a season's payments."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    season = Season.generate(seed=SEED, sales=100)
    with ApiServer(Api(season.company)) as apis:
        with opened(home, new_keys(), apis) as parts:
            assert not list(parts.raw.names(ALL_TIME))
        monkeypatch.setenv("ASIENTO_API_URL_STRIPE", apis.base_url("stripe"))
        yield season


def reconcile(home: Path, *arguments: str) -> Result:
    """Run the command on a home folder."""
    return CliRunner().invoke(app, ["reconcile", *arguments, "--home", str(home), *MONTH])


def test_days_with_gaps_are_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento shows which days are not complete in a table of its own, without a line of a log for each of them."""
    with nothing_heard(tmp_path, monkeypatch) as season:
        shown = reconcile(tmp_path, "completeness")
        told = json.loads(reconcile(tmp_path, "completeness", "--json", "--no-derive").stdout)
    assert season.company.stripe.charges
    assert "day incomplete" not in shown.output
    assert "Days with gaps" in shown.stdout
    gaps = sum(each["gaps"] for each in told["days_with_gaps"] if each["kind"] == "payment")
    counted = sum(run["counts"]["gaps"] for run in told["runs"] if run["kind"] == "payment")
    assert gaps == counted > 0
    assert {each["provider"] for each in told["days_with_gaps"]} == {"stripe"}


def test_nothing_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento shows no table of days with gaps where there are none, and instants among counts as instants."""
    with nothing_heard(tmp_path, monkeypatch):
        shown = reconcile(tmp_path, "stragglers")
    assert shown.exit_code == 0
    assert "Days with gaps" not in shown.stdout
    assert "complete_until 2026-02-01 03:00Z" in " ".join(shown.stdout.replace("│", " ").split())


def test_failures_of_one_kind_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento says how many runs failed and why, in the row of their work, and ends with status 1."""
    with nothing_heard(tmp_path, monkeypatch):
        (tmp_path / "secrets" / "stripe-api").write_text("sk_wrong\n", encoding="utf-8")
        shown = reconcile(tmp_path, "completeness")
    assert shown.exit_code == 1
    assert "reconciliation failed" not in shown.output
    text = " ".join(shown.stdout.replace("│", " ").split())
    assert "UnauthorizedError" in text
