"""The order of models, found in the SQL itself; and what the SQL may refer to.

A model or check that reads a table of the layer being built must say `build_id = @build_id` of it, in the same select:
otherwise it would mix builds. The viz layer joins the published builds instead.
"""

from collections.abc import Collection, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter

import sqlglot
from sqlglot import exp

from shared.bi.models import FREE_LAYER, Check, Model
from shared.domain.errors import TerminalError


def ordered(models: Collection[Model], inputs: Collection[str]) -> tuple[Model, ...]:
    """Return the models so that each comes after what it reads.

    Raises TerminalError naming the tables of a cycle, a table that is neither model nor input, or a table that is read
    without its build.
    """
    by_name = {model.name: model for model in models}
    known = {*by_name, *inputs}
    graph: dict[str, list[str]] = {}
    for model in models:
        reads = references(model.sql)
        _refuse_unknown(model.name, reads, known)
        for check in model.checks:
            _refuse_unknown(check.name, references(check.sql), known)
        for trace in model.traces:
            _refuse_unknown(f"{model.name}.{trace.figure}", references(trace.sql), known)
        refuse_mixed_builds(model, by_name)
        graph[model.name] = sorted(name for name in reads if name in by_name)
    try:
        return tuple(by_name[name] for name in TopologicalSorter(graph).static_order())
    except CycleError as cycle:
        raise TerminalError(f"models read each other in a circle: {' reads '.join(reversed(cycle.args[1]))}") from None


@cache
def references(sql: str) -> frozenset[str]:
    """Return the tables that a query reads, as `dataset.table`; its own CTEs are none."""
    return frozenset(f"{table.db}.{table.name}" for table in _tables(sql))


def free_ordered(views: Collection[Model], production: Collection[Model]) -> tuple[Model, ...]:
    """Return the free views so that each comes after what it reads.

    Raises TerminalError where one reads anything but what everybody may see: viz, or another free view.
    """
    shown = {model.name for model in production if model.layer == "viz"}
    for view in views:
        _refuse_beyond_viz(view, shown)
    return ordered(views, shown)


def _refuse_beyond_viz(view: Model, shown: Collection[str]) -> None:
    if view.layer != FREE_LAYER or not view.is_view:
        raise TerminalError(f"{view.name} is no free view: it stands in {FREE_LAYER} and says `kind: view`")
    hidden = sorted(
        name for name in references(view.sql) if name not in shown and not name.startswith(f"{FREE_LAYER}.")
    )
    if hidden:
        raise TerminalError(
            f"{view.name} reads {', '.join(hidden)}: a free view reads viz, and nothing that is not certified"
        )


def refuse_mixed_builds(model: Model, models: Mapping[str, Model]) -> None:
    """Raise TerminalError where a model or one of its checks reads a built table without `build_id = @build_id`."""
    statements: list[Model | Check] = [*model.checks] if model.is_view else [model, *model.checks]
    for statement in statements:
        for table in _tables(statement.sql):
            read = models.get(f"{table.db}.{table.name}")
            if read is not None and not read.is_view and not _says_its_build(table):
                raise TerminalError(f"{statement.name} reads {read.name} without `WHERE build_id = @build_id`")


def _says_its_build(table: exp.Table) -> bool:
    select = table.find_ancestor(exp.Select)
    if select is None:
        return False
    conditions = [select.args.get("where"), *(join.args.get("on") for join in select.args.get("joins") or ())]
    return any(
        isinstance(equals.this, exp.Column)
        and equals.this.name == "build_id"
        and equals.this.table in ("", table.alias_or_name)
        and isinstance(equals.expression, exp.Parameter)
        and equals.expression.name == "build_id"
        for condition in conditions
        if condition is not None
        for equals in condition.find_all(exp.EQ)
    )


def _tables(sql: str) -> tuple[exp.Table, ...]:
    return tuple(table for table in _parsed(sql).find_all(exp.Table) if table.db)


@cache
def _parsed(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="bigquery")


def _refuse_unknown(name: str, reads: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(reads) - set(known))
    if unknown and any(each.startswith(f"{FREE_LAYER}.") for each in unknown):
        raise TerminalError(f"{name} reads {', '.join(unknown)}: production never depends on a free view")
    if unknown:
        raise TerminalError(f"{name} reads {', '.join(unknown)}, which is neither a model nor an input")
