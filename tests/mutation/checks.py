"""Faults in the SQL of the certification checks, and which tests have data that tells a faulty check from a sound one.

While the tests run once, each check is asked again in every faulty form, on the same tables. A fault that answers alike
in every test has survived; where it answers otherwise, those tests are run with it, and one of them must fail.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.bi.certification import catalog
from shared.bi.models import Check
from shared.domain.errors import AsientoError
from shared.ports.warehouse import Parameters, Row

MODULE = "checks.sql"
"""What the faults of all checks together are called."""
TESTS = ("tests/bi/test_double_entry.py", "tests/pipeline/test_certification.py", "tests/pipeline/test_rebuild_bi.py")

_COMPARED: dict[type[exp.Expr], tuple[type[exp.Binary], ...]] = {
    exp.EQ: (exp.NEQ,),
    exp.NEQ: (exp.EQ,),
    exp.LT: (exp.LTE, exp.GTE),
    exp.LTE: (exp.LT, exp.GT),
    exp.GT: (exp.GTE, exp.LTE),
    exp.GTE: (exp.GT, exp.LT),
    exp.Add: (exp.Sub,),
    exp.Sub: (exp.Add,),
}


@dataclass(frozen=True, slots=True)
class CheckMutant:
    """One fault in one check."""

    check: Check
    before: str
    after: str
    nth: int
    sql: str

    @property
    def name(self) -> str:
        """Return what it is called."""
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.check.name}: {self.before} → {self.after}{again}"

    def install(self) -> None:
        """Let the check ask as the mutant does, in this process."""
        object.__setattr__(self.check, "sql", self.sql)


def source() -> str:
    """Return the SQL of all checks, in one order."""
    return "\n".join(sorted(check.sql for model in catalog() for check in model.checks))


def check_mutants() -> Iterator[CheckMutant]:
    """Yield every mutant of every check of the catalog."""
    for check in (check for model in catalog() for check in model.checks):
        told: Counter[tuple[str, str]] = Counter()
        sound = sqlglot.parse_one(check.sql, dialect="bigquery")
        for at, node in enumerate(sound.walk()):
            for changed in _changes(node):
                before, after = _shown(node), _shown(changed)
                told[before, after] += 1
                yield CheckMutant(check, before, after, told[before, after], _with(sound, at, changed))


def _changes(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what may stand in the place of one node; words of differences and the choice of the build are left alone.

    No check can forget its build: shared/bi/ordering.py refuses a query that does, whatever its tests see.
    """
    if node.find_ancestor(exp.Concat) or _names_build(node):
        return
    if type(node) in _COMPARED:
        for other in _COMPARED[type(node)]:
            yield other(this=node.this.copy(), expression=node.expression.copy())
    match node:
        case exp.And() | exp.Or():
            yield from (side.copy() for side, other in _sides(node) if not _mentions_build(other))
        case exp.Not():
            yield node.this.copy()
        case exp.Union():
            yield from (side.copy() for side, _ in _sides(node))
        case exp.Where() | exp.Having() if not _mentions_build(node):
            yield type(node)(this=exp.true())
        case exp.Join() if node.side:
            changed = node.copy()
            changed.set("side", None)
            changed.set("kind", "INNER")
            yield changed
        case exp.Literal() if not node.is_string:
            yield exp.Literal.number(int(node.this) + 1)


def _sides(node: exp.Expr) -> tuple[tuple[exp.Expr, exp.Expr], ...]:
    return (node.this, node.expression), (node.expression, node.this)


def _names_build(node: exp.Expr) -> bool:
    return isinstance(node, exp.EQ) and _mentions_build(node)


def _mentions_build(node: exp.Expr) -> bool:
    return any(parameter.name == "build_id" for parameter in node.find_all(exp.Parameter))


def _with(sound: exp.Expr, at: int, changed: exp.Expr) -> str:
    copied = sound.copy()
    place = next(node for number, node in enumerate(copied.walk()) if number == at)
    if place is copied:
        return changed.sql("bigquery")
    place.replace(changed)
    return copied.sql("bigquery")


def _shown(node: exp.Expr) -> str:
    text = " ".join(node.sql("bigquery").split())
    return text if len(text) <= 120 else f"{text[:80]} … {text[-38:]}"


class Watch:
    """Asks every faulty form of a check where the check is asked, and notes which tests would see other rows."""

    def __init__(self, mutants: list[CheckMutant]) -> None:
        """Begin with nothing seen."""
        self._mutants: dict[str, list[CheckMutant]] = defaultdict(list)
        for mutant in mutants:
            self._mutants[mutant.check.sql].append(mutant)
        self.seen_by: dict[str, set[str]] = defaultdict(set)
        self.unrunnable: set[str] = set()
        """Mutants that are no query any more: they are not counted."""

    def begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Watch the warehouse until the patch is undone."""
        sound = DuckDbWarehouse.query

        def query(warehouse: DuckDbWarehouse, sql: str, parameters: Parameters) -> Iterator[Row]:
            rows = list(sound(warehouse, sql, parameters))
            for mutant in self._mutants.get(sql, ()):
                try:
                    others = list(sound(warehouse, mutant.sql, parameters))
                except (AsientoError, duckdb.Error, sqlglot.errors.SqlglotError):
                    self.unrunnable.add(mutant.name)
                    continue
                if _bag(others) != _bag(rows):
                    self.seen_by[mutant.name].add(os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0])
            return iter(rows)

        monkeypatch.setattr(DuckDbWarehouse, "query", query)


def _bag(rows: Sequence[Row]) -> Counter[str]:
    return Counter(repr(sorted(row.items())) for row in rows)
