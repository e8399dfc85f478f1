"""Asiento's SQL is made of its own constants: what comes from outside is bound as a parameter, never written into a statement."""

import ast
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from shared.domain.errors import AsientoError
from shared.pipeline.trace import trace_figure
from shared.runtime import wiring
from shared.runtime.settings import Settings
from tests.conformance.samples import apply, delivery, derived, fact, sale

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("shared", "functions", "local")

_SQL = re.compile(
    r"\b(?:SELECT\s.+\sFROM|INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|CREATE\s+(?:OR|TABLE|VIEW|TEMP)|"
    r"DROP\s+\w+|MERGE\s+INTO|ALTER\s+\w+|PRAGMA\s|ATTACH\s|TRUNCATE\s|SELECT\s|WHERE\s|ORDER BY\s|COPY\s)",
    re.DOTALL,
)

COMPOSED = {
    "shared/adapters/embedded/ledger_store.py": "the lists of columns that stand at its top, shared by its queries",
    "shared/adapters/embedded/raw_store.py": "the list of columns that stands at its top",
    "shared/adapters/embedded/sqlite.py": "a time-out and a page count of its own, and a member of an enumeration",
    "shared/adapters/embedded/warehouse.py": "names of declared tables and columns, quoted",
    "shared/bi/cells.py": "what sqlglot parsed out of a model of ours",
    "shared/bi/models.py": "a model's name, columns and text",
    "shared/bi/ordering.py": "a message that quotes a clause of a model",
    "shared/bi/publication.py": "names of models and of their columns",
    "shared/bi/sealed_deliveries.py": "the channels and their ranks, members of an enumeration",
    "shared/pipeline/shadows.py": "a model's text and that of its shadow",
    "shared/pipeline/trace.py": "the name of a view and of a figure, both looked up among those that have a trace",
    "shared/pipeline/trace_forward.py": "names of models and of their columns",
    "shared/pipeline/verification/certified.py": "a model's text and the names of its columns",
    "local/commands/bi.py": "the name of a view, looked up among those that have a trace",
}
"""Each module that composes SQL, and what it puts into it: names and clauses of ours, never a value from outside."""


def composed(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield where a statement is put together from parts that are not written there: the function, and the line."""
    for function, node in _with_functions(tree, ""):
        text = _constant_text(node)
        if _is_composing(node) and _SQL.search(text):
            yield function, getattr(node, "lineno", 0)


def _with_functions(node: ast.AST, name: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        if _is_docstring(child):
            continue
        is_named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        inside = f"{name}.{child.name}".lstrip(".") if is_named and hasattr(child, "name") else name
        yield inside, child
        yield from _with_functions(child, inside)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_composing(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return not (isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "format_map", "join", "replace", "substitute")
    return False


def _constant_text(node: ast.AST) -> str:
    """Return the text that stands in a composing expression itself."""
    return " ".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def found() -> dict[str, list[str]]:
    """Return every module that composes SQL, with the functions and lines."""
    places: dict[str, list[str]] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for function, line in composed(ast.parse(path.read_text(encoding="utf-8"))):
                places.setdefault(path.relative_to(ROOT).as_posix(), []).append(f"{function}, line {line}")
    return places


def test_composes_sql_of_its_own_constants_only() -> None:
    """Asiento composes SQL in a few modules that are listed with the reason, and nowhere else; none of them is idle."""
    places = found()
    assert {module: where for module, where in places.items() if module not in COMPOSED} == {}
    assert COMPOSED.keys() - places.keys() == set()


@pytest.mark.parametrize(
    "code",
    [
        'run(f"SELECT * FROM t WHERE id = {given}")',
        'run("SELECT * FROM t WHERE id = " + given)',
        'run("SELECT * FROM t WHERE id = %s" % given)',
        'run("DELETE FROM t WHERE id = {}".format(given))',
        'run("SELECT a FROM t WHERE id IN (" + ", ".join(given) + ")")',
        'run("SELECT a FROM t ORDER BY @column".replace("@column", given))',
        'run(f"UPDATE t SET a = {given}")',
    ],
)
def test_sees_sql_that_is_composed(code: str) -> None:
    """Asiento would notice each way in which a value gets into a statement."""
    assert list(composed(ast.parse(f"x = {code}")))


@pytest.mark.parametrize(
    "code", ['run("SELECT a FROM t WHERE id = ?", (given,))', 'log(f"{name} is gone")', '"a" + "b"']
)
def test_leaves_bound_parameters_alone(code: str) -> None:
    """Asiento takes a statement with bound parameters for what it is."""
    assert not list(composed(ast.parse(f"x = {code}")))


HOSTILE = (
    "'; DROP TABLE objects; --", '" OR 1=1 --', "x%", "_", "\\", "`; SELECT 1", "' UNION SELECT body FROM objects --",
    "$where", "@build_id", ":after", "?1", "\u202e",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_values(tmp_path: Path, text: str) -> None:
    """Asiento's stores take a hostile id for an id: they find it, nothing else, and change nothing else."""
    with closing(wiring.embedded(Settings(home=tmp_path))) as parts:
        came = replace(delivery(1), delivery_id=text, target=text, headers={"x-signature": text})
        parts.raw.create_all([came, delivery(2)])
        assert parts.raw.read(came.object_name) == came
        parts.rejected.keep(came, text)
        parts.rejected.keep(delivery(2), "signature_wrong")
        parts.rejected.discard(came)
        assert [each.delivery_id for each, _ in parts.rejected.rejected()] == [delivery(2).delivery_id]
        key = sale(text)
        apply(
            parts.ledger, derived(2, "e2", fact(sale("s2"), status="paid")), derived(3, text, fact(key, channel=text))
        )
        entity = parts.ledger.entity(key)
        assert entity is not None
        assert entity.values["channel"] == text
        assert parts.ledger.without_verdict([text]) == {text}
        assert {str(each.key) for each in parts.ledger.entities()} == {str(key), str(sale("s2"))}
        assert list(parts.casebook.exceptions(provider=text, subject=text)) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_questions_are_refused(tmp_path: Path, text: str) -> None:
    """Asiento traces no view, figure or column that it does not know."""
    with closing(wiring.embedded(Settings(home=tmp_path))) as parts:
        tracing = wiring.tracing(parts)
        for view, figure in (
            (text, "tickets"),
            ("viz.cash_by_day", text),
            (f"viz.cash_by_day {text}", "captured_minor"),
        ):
            with pytest.raises(AsientoError):
                trace_figure(tracing, view, {}, figure)
        with pytest.raises(AsientoError):
            trace_figure(tracing, "viz.cash_by_day", {"business_day": "2026-03-01", text: "x"}, "captured_minor")
