"""The simulator is an independent party: it shares nothing with what it tests."""

import ast
from pathlib import Path

import pytest

import local.simulator
from local.simulator.agenda import Agenda

_MODULES = sorted(Path(local.simulator.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("module", _MODULES, ids=lambda module: module.stem)
def test_nothing_of_asiento_is_imported(module: Path) -> None:
    """Asiento's simulator imports none of Asiento's code: agreement between the two would prove nothing otherwise."""
    imported = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")

    assert not {name for name in imported if name.partition(".")[0] in ("shared", "functions")}


def test_nothing_happens_in_the_past() -> None:
    """Asiento's simulator refuses to plan something for an instant that has passed."""
    agenda = Agenda()
    agenda.enter(1_000, lambda at_ms: agenda.enter(at_ms - 1, lambda _: None))

    with pytest.raises(ValueError, match="in the past"):
        agenda.run(2_000)


def test_the_agenda_keeps_order() -> None:
    """Asiento's simulator does things in the order of their time, and those of one instant as they were entered."""
    agenda = Agenda()
    done: list[str] = []
    for at_ms, name in ((3, "c"), (1, "a"), (3, "d"), (2, "b"), (9, "never")):
        agenda.enter(at_ms, lambda _, name: done.append(name), name)

    agenda.run(9)

    assert done == ["a", "b", "c", "d"]
