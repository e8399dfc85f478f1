"""Cells: which rows of which views sum an entity, found by turning the views' own traces round.

A trace names its row by conditions `column = @name` in the WHERE of its last select, or of each branch of a union. Turned
round, the conditions go and each column is answered instead, under the name of the parameter. A trace that asks for its
row in earlier steps too may then answer with rows too many: each is held against the trace itself.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp

from shared.bi.models import Model, Trace
from shared.domain.errors import TerminalError


@dataclass(frozen=True, slots=True)
class TurnedTrace:
    """A trace turned round. Its query answers with `key_<column>` of each row's name and the `amount` of `@entity` in it."""

    sql: str
    part_sql: str
    """The query of the `amount` of `@entity` in the one row that the parameters name; empty where `sql` is exact."""


@cache
def turned_round(view: Model, trace: Trace) -> TurnedTrace:
    """Turn the trace of a figure round.

    Where a figure is the same in several rows, the trace leaves the columns out that tell them apart; they are then those
    of the rows that the view shows. Raises TerminalError naming a trace that cannot be turned round.
    """
    statement = sqlglot.parse_one(trace.sql, read="bigquery")
    statement.set("order", None)
    branches = _branches(statement)
    found = [_take_out(select, view.key_columns) for select in branches]
    answered = [name for name in view.key_columns if name in found[0]]
    if not answered or any(sorted(each) != sorted(answered) for each in found):
        raise TerminalError(
            f"{view.name}.{trace.figure}: its trace must name its row by `column = @name` in the WHERE of each last select"
        )
    is_exact = not any([_take_out(select, view.key_columns) for select in statement.find_all(exp.Select)])  # noqa: C419  every select is changed
    if left := {each.name for each in statement.find_all(exp.Parameter)}:
        raise TerminalError(
            f"{view.name}.{trace.figure}: its trace compares with @{min(left)} otherwise than by `=`; compare with a column"
        )
    for select, columns in zip(branches, found, strict=True):
        # The answer may have a column of that name already; it is read by these names only.
        keys = [exp.alias_(columns[name], f"key_{name}") for name in answered]
        select.set("expressions", [*select.expressions, *keys])
    part = f"SELECT CAST(SUM(amount) AS INT64) AS amount FROM ({trace.sql}) AS part WHERE entity = @entity"  # noqa: S608  a trace of our own models
    return TurnedTrace(_summed(view, answered, statement.sql(dialect="bigquery")), "" if is_exact else part)


def _summed(view: Model, answered: Sequence[str], cells: str) -> str:
    """Sum an entity's part of each cell; the columns of the row's name that a trace leaves out come from the view."""
    named = {name: f"cells.key_{name}" if name in answered else f"shown.{name}" for name in view.key_columns}
    keys = ", ".join(f"{column} AS key_{name}" for name, column in named.items())
    places = ", ".join(str(place) for place in range(1, len(named) + 1))
    joined = " AND ".join(f"shown.{name} = cells.key_{name}" for name in answered)
    rows = "" if len(answered) == len(named) else f" INNER JOIN {view.name} AS shown ON {joined}"
    return (
        f"SELECT {keys}, CAST(SUM(cells.amount) AS INT64) AS amount FROM ({cells}) AS cells{rows} "  # noqa: S608  columns and traces of our own models
        f"WHERE cells.entity = @entity GROUP BY {places} ORDER BY {places}"
    )


def _branches(statement: exp.Expr) -> list[exp.Select]:
    """Return the selects whose rows are the statement's answer."""
    if isinstance(statement, exp.Select):
        return [statement]
    if isinstance(statement, exp.Union):
        return [*_branches(statement.this), *_branches(statement.expression)]
    if isinstance(statement, exp.Subquery):
        return _branches(statement.this)
    raise TerminalError(f"a trace is a select or a union of selects, not {type(statement).__name__}")


def _take_out(select: exp.Select, names: Collection[str]) -> dict[str, exp.Expr]:
    """Take the conditions `column = @name` out of the WHERE of a select and return the column of each name."""
    found: dict[str, exp.Expr] = {}
    where = select.args.get("where")
    if where is None:
        return found
    kept = []
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        name, column = _named_column(condition, names)
        if column is None:
            kept.append(condition)
        elif name in found:
            # Two columns that are to be the same parameter are to be the same.
            kept.append(exp.EQ(this=found[name].copy(), expression=column))
        else:
            found[name] = column
    select.set("where", exp.Where(this=exp.and_(*kept)) if kept else None)
    return found


def _named_column(condition: exp.Expr, names: Collection[str]) -> tuple[str, exp.Expr | None]:
    if isinstance(condition, exp.EQ):
        for column, parameter in ((condition.this, condition.expression), (condition.expression, condition.this)):
            if isinstance(parameter, exp.Parameter) and parameter.name in names:
                return parameter.name, column.copy()
    return "", None
