"""Asiento's classes of errors, their alarms and their runbooks say the same thing in code, Terraform and documents."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from local import cli
from shared.domain import errors
from shared.domain.errors import AsientoError, Quarantine, Refusal, SettingsError, TerminalError, TransientError
from shared.runtime.http import STATUS
from tests.infra.terraform import Configuration

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
NO_CLASS = "no class"


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    """Return the Terraform files as they are."""
    return Configuration.of(ROOT / "infra" / "terraform")


def rows(first_heading: str) -> list[list[str]]:
    """Return the cells of the table of the page whose first heading is this one, code marks and links taken off."""
    lines = PAGE.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([re.sub(r"`|\[([^\]]*)\]\([^)]*\)", r"\1", cell).strip() for cell in line.strip("|").split(" | ")])
    return table


CLASSES = {row[0]: row for row in rows("class")}


def classes() -> set[str]:
    """Return every class of the family in domain/errors.py but its root."""
    found = {name for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, AsientoError)}
    return found - {AsientoError.__name__}


def alarm(configuration: Configuration, name: str) -> str:
    """Return what an alarm says to whom it wakes."""
    policy = configuration.resources["google_monitoring_alert_policy", name]
    return policy.inside("documentation")[0].attributes["content"].text


def test_the_page_names_every_class() -> None:
    """Asiento's page of errors has one row for each class, and one for what has none."""
    assert CLASSES.keys() == classes() | {NO_CLASS}
    assert all(cell for row in CLASSES.values() for cell in row)


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_has_its_alarm_and_its_runbook(configuration: Configuration, name: str) -> None:
    """Asiento wakes somebody for each class of error, and the alarm names the runbook that the page names."""
    *_, alarm_name, runbook = CLASSES[name]
    assert (ROOT / "docs" / "runbooks" / runbook).is_file()
    assert f"docs/runbooks/{runbook}" in alarm(configuration, alarm_name)


def test_refused_calls_have_their_alarm(configuration: Configuration) -> None:
    """Asiento wakes somebody for refusals that are not kept apart, too."""
    assert "docs/runbooks/turned_away.md" in alarm(configuration, "calls_refused")


def test_every_reason_of_a_quarantine_is_explained() -> None:
    """Asiento says of each reason for a quarantine what it means and what mends it."""
    explained = {row[0]: row for row in rows("reason")}
    assert explained.keys() == {reason.value for reason in Quarantine}
    assert all(len(row) == 3 and all(row) for row in explained.values())


def test_every_refusal_is_explained() -> None:
    """Asiento says of each refusal which status it has and what the caller can do."""
    explained = {row[0]: int(row[1]) for row in rows("refusal")}
    assert explained == {refusal.value: STATUS.get(refusal, 401) for refusal in Refusal}


def test_the_command_line_ends_as_the_page_says() -> None:
    """Asiento's exit statuses tell a script whether trying again can help."""
    told = {row[0] for row in rows("status")}
    statuses = {cli._exit_status(error) for error in (TransientError(""), TerminalError(""), SettingsError(""))}
    assert told == {"0", *map(str, statuses)}


def _raised(tree: ast.AST) -> set[str]:
    """Return the names of what a module raises by name."""
    return {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }


def test_raises_nothing_without_a_class() -> None:
    """Asiento raises no bare Exception, and the root of its errors never."""
    forbidden = {"Exception", "BaseException", "RuntimeError", "KeyError", "AsientoError", "OSError"}
    found = {
        path.relative_to(ROOT).as_posix(): sorted(_raised(ast.parse(path.read_text(encoding="utf-8"))) & forbidden)
        for folder in ("shared", "functions")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_swallows_nothing() -> None:
    """Asiento has no handler that catches everything and does nothing."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("shared", "functions", "local")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
        and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
    ]
    assert silent == []
