"""Asiento shows on the command line what its rules match, and what other rules would."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app
from shared.domain.errors import SettingsError
from shared.runtime import wiring
from shared.runtime.settings import Settings

MAPPING = """
title: Bank
files: ["bank-*.csv"]
separator: ","
zone: UTC
currency: ARS
columns: {settled_at: day, line_type: what, amount: gross, reference: ref}
line_types: {in: receipt, out: payout}
"""
ROWS = "day,what,gross,ref\n2026-03-01,out,-70.00,\n2026-03-01,in,70.00,\n2026-03-01,in,99.00,\n"
OTHER_RULES = """
rules:
  - name: any_amount
    pairing: receipt_to_payout
    look_through: settlement_line
    by: {currency: currency}
    where: {line_type: payout}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three lines of a bank, brought in by name of the file and of the folder."""
    home = tmp_path_factory.mktemp("home")
    (home / "inbox" / "mappings").mkdir(parents=True)
    (home / "inbox" / "mappings" / "bank.yaml").write_text(MAPPING, encoding="utf-8")
    (home / "files").mkdir()
    (home / "files" / "bank-1.csv").write_text(ROWS, encoding="utf-8")
    (home / "files" / ".hidden").write_text("not ours", encoding="utf-8")
    taken = run(home, "take-in", str(home / "files"), "--provider", "statement", "--json")
    (found,) = json.loads(taken)
    assert (found["outcome"], found["lines"]) == ("applied", 3)
    rows = json.loads(run(home, "rows", found["delivery_id"], "--json"))
    assert [(row["line"], row["is_in_ledger"]) for row in rows["rows"]] == [(2, True), (3, True), (4, True), (0, True)]
    assert "bank-1.csv: applied" in run(home, "rows", found["delivery_id"])
    return home


def run(home: Path, *arguments: str) -> str:
    """Run a command that succeeds and return what it says."""
    result = CliRunner().invoke(app, [*arguments, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_says_what_is_matched_and_why_the_rest_floats(home: Path) -> None:
    """Asiento gives one line for each subject, with its rule or the reasons against it, and the counts last."""
    *found, counts = [json.loads(line) for line in run(home, "match", "--format", "json").splitlines()]
    assert [(each["standing"], each["rule"]) for each in found] == sorted(
        [("matched", "same_amount_within_days"), ("unmatched", None)], key=lambda pair: found[0]["standing"] != pair[0]
    )
    assert counts == {"counts": {"stated": 0, "matched": 1, "unmatched": 1}}
    text = run(home, "match")
    assert "nothing; reference_is_the_id: it has no reference; same_amount_within_days: there is no candidate" in text


def test_previews_other_rules(home: Path, tmp_path: Path) -> None:
    """Asiento shows each subject about which other rules decide otherwise, with both decisions, and changes nothing."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(OTHER_RULES, encoding="utf-8")
    *found, counts = [
        json.loads(line)
        for line in run(home, "match", "--preview", "--rules", str(rules), "--format", "json").splitlines()
    ]
    assert sorted(each["what"] for each in found) == ["matched otherwise", "newly matched"]
    assert {each["after"]["rule"] for each in found} == {"any_amount"}
    assert counts["counts"] == {"stated": 0, "matched otherwise": 1, "newly matched": 1}
    text = run(home, "match", "--preview", "--rules", str(rules))
    assert "newly matched: settlement_line:statement:bank" in text
    assert "matched 2" in run(home, "match", "--rules", str(rules))


def test_names_what_is_missing_or_wrong(home: Path, tmp_path: Path) -> None:
    """Asiento says what a preview needs, and what is wrong with a file of rules."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("rules: [", encoding="utf-8")
    with pytest.raises(SettingsError, match="name their file with --rules"):
        run(home, "match", "--preview")
    with pytest.raises(SettingsError, match="is no YAML"):
        run(home, "match", "--rules", str(broken))
    with pytest.raises(SettingsError, match="there is no mapping 'other'; there are: bank"):
        run(home, "take-in", str(broken), "--provider", "statement", "--mapping", "other")
    with pytest.raises(SettingsError, match="without a mapping"):
        run(home, "take-in", str(broken), "--provider", "stripe", "--mapping", "bank")


def test_a_webhook_never_names_a_statement(tmp_path: Path) -> None:
    """Asiento refuses to listen for statements: they are files, and always read."""
    with pytest.raises(SettingsError, match="leave it out of ASIENTO_PROVIDERS"):
        wiring.providers(Settings(home=tmp_path, providers=("betterez", "statement")))
