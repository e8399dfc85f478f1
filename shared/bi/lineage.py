"""Column lineage: of every column of every model, which columns it comes from, found in the SQL itself.

A column comes from what its value is computed of. What a row is joined or filtered by decides whether it is there, and is not
followed. A figure that counts comes from the entities that its trace names; in the mart, from the rows of what it reads.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlglot import exp
from sqlglot.lineage import Node, lineage
from sqlglot.schema import MappingSchema

from shared.bi.inputs import INPUTS
from shared.bi.models import Model
from shared.bi.ordering import references

ROWS = "(rows)"
"""Stands for a column where what is counted is the rows of a table."""

_COUNTS = "'' AS field"
"""How a trace says that it counts entities and sums no field of theirs."""
_POINTERS = frozenset({"certificates.published"})
"""What decides which rows are shown, and is no source of a value."""


class Place(NamedTuple):
    """One column of one table; `ROWS` of it where its rows are counted."""

    table: str
    column: str

    def __str__(self) -> str:
        """Return it as SQL names it."""
        return f"{self.table}.{self.column}" if self.column != ROWS else f"rows of {self.table}"


Sources = Mapping[Place, frozenset[Place]]
"""From each column of a model to the columns that its SQL computes it of."""


def sources(models: Iterable[Model]) -> Sources:
    """Return where each column of each model comes from, one step back."""
    models = tuple(models)
    schema = _schema(models)
    return {place: found for model in models for place, found in _sources_of(model, schema)}


def origins(place: Place, steps: Sources) -> frozenset[Place]:
    """Return the columns of inputs that a column comes from in the end."""
    if place not in steps:
        return frozenset({place})
    return frozenset().union(*(origins(before, steps) for before in steps[place]))


def path(place: Place, steps: Sources) -> Iterator[tuple[Place, Place]]:
    """Yield every step from a column back to the inputs, as pairs (from, to), each once, the nearest first."""
    seen: set[Place] = set()
    waiting = [place]
    while waiting:
        here = waiting.pop(0)
        if here in seen:
            continue
        seen.add(here)
        for before in sorted(steps.get(here, ())):
            yield before, here
            waiting.append(before)


def _sources_of(model: Model, schema: MappingSchema) -> Iterator[tuple[Place, frozenset[Place]]]:
    computed = _computed_of(model.sql, schema)
    counted = {
        trace.figure: _computed_of(trace.sql, schema)["entity"] for trace in model.traces if _COUNTS in trace.sql
    }
    rows = frozenset(Place(table, ROWS) for table in references(model.sql) - _POINTERS)
    for column in model.columns:
        # A share is computed of all that its two figures are computed of, what they count included.
        parts = (column.name, *column.ratio)
        found = frozenset().union(*(computed[each] | counted.get(each, frozenset()) for each in parts))
        yield Place(model.name, column.name), found or (rows if column.type == "INT64" else frozenset())


def _computed_of(sql: str, schema: MappingSchema) -> Mapping[str, frozenset[Place]]:
    """Return the columns of tables that each column of a query's answer is computed of."""
    nodes = lineage(None, sql, schema=schema, dialect="bigquery", trim_selects=False)
    return {column: frozenset(_leaves(node)) for column, node in nodes.items()}


def _leaves(node: Node) -> Iterator[Place]:
    for leaf in node.walk():
        if isinstance(leaf.source, exp.Table) and leaf.source.db and not leaf.downstream:
            yield Place(f"{leaf.source.db}.{leaf.source.name}", leaf.name.rpartition(".")[2].strip('"`'))


def _schema(models: Iterable[Model]) -> MappingSchema:
    """Return every table with its columns, as sqlglot takes it."""
    schema: dict[str, Any] = {}
    tables = {each.name: dict(each.columns) for each in INPUTS}
    tables |= {
        model.name: {column.name: column.type for column in model.columns}
        if model.is_view
        else dict(model.stored_columns)
        for model in models
    }
    for name, columns in tables.items():
        dataset, _, table = name.partition(".")
        schema.setdefault(dataset, {})[table] = columns
    return MappingSchema(schema, dialect="bigquery")
