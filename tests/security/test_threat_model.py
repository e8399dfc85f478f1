"""Asiento's threat model names, for each threat, a test that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
WHO = {"anybody", "who recorded a request", "who holds a secret", "who holds a leaked secret", "a person inside", "us"}


def rows() -> list[list[str]]:
    """Return the cells of the table of threats."""
    table = PAGE.partition("| who | what |")[2].split("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in table]


def test_every_threat_has_a_test_that_is_there() -> None:
    """Asiento claims no guard that nothing shows: each row ends with a test, or a module of tests, that exists."""
    assert len(rows()) >= 30
    for who, what, how, shown_by in rows():
        assert who in WHO
        assert what
        assert how
        named = re.fullmatch(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", shown_by)
        assert named is not None, shown_by
        code = (ROOT / named[1]).read_text(encoding="utf-8")
        assert f"def {named[2] or 'test_'}" in code, shown_by


def test_everybody_is_thought_of() -> None:
    """Asiento thinks of strangers, of who listens, of who signs, of who is inside, and of itself."""
    assert {row[0] for row in rows()} == WHO


def test_every_test_of_the_closed_door_is_named_or_beside_one_that_is() -> None:
    """Asiento's page points into every module of this folder that shows a guard."""
    modules = {f"tests/security/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}
    assert modules - set(re.findall(r"tests/security/\w+\.py", PAGE)) == set()
