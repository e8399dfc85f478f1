"""Plans: a GoogleSQL statement in a form that DuckDB answers in fewer passes over the bodies, with the same rows.

DuckDB parses a body once per call of a JSON function, and joins an array that belongs to a row by hashing the whole row,
body included. So calls on one body are made one call, and arrays are opened in the select that reads them.
"""

from collections.abc import Mapping, Sequence

from sqlglot import exp

_FUNCTIONS: Mapping[type[exp.Expr], str] = {exp.JSONExtractScalar: "json_value", exp.JSONExtract: "json_extract"}
"""JSON_VALUE and JSON_QUERY, as the parser reads them, and what they are called in DuckDB."""

_PICKS_ROWS = frozenset({"expressions", "from_", "where"})

_Call = tuple[type[exp.Expr], str]
"""Which JSON function is called, and on which column."""


def planned(statement: exp.Expr) -> exp.Expr:
    """Return the statement, changed in place; it was parsed from GoogleSQL and is to be written for DuckDB."""
    for step in statement.find_all(exp.CTE):
        _read_where_it_is_needed(step)
    for select in list(statement.find_all(exp.Select)):
        _open_array_in_place(select)
    for select in list(statement.find_all(exp.Select)):
        _parse_bodies_once(select)
    return statement


def _read_where_it_is_needed(step: exp.CTE) -> None:
    """Let a step that only picks rows of a table be read anew by each reader, each its own columns, and never be held."""
    query = step.this
    if not isinstance(query, exp.Select) or {name for name, said in query.args.items() if said} - _PICKS_ROWS:
        return
    source = query.args["from_"].this
    if [type(each) for each in query.expressions] == [exp.Star] and isinstance(source, exp.Table) and source.db:
        step.set("materialized", False)  # noqa: FBT003  how the library says NOT MATERIALIZED


def _open_array_in_place(select: exp.Select) -> None:
    """Turn `FROM rows, UNNEST(array) AS item` into `FROM (SELECT *, UNNEST(array) AS item FROM rows)`.

    A row whose array is NULL or empty gives no row in either form. Joins of other shapes stay as they are.
    """
    source, joins = select.args.get("from_"), select.args.get("joins")
    if source is None or not joins:
        return
    unnest = joins[0].this
    if not isinstance(unnest, exp.Unnest) or joins[0].side or joins[0].args.get("on"):
        return
    is_plain = isinstance(source.this, exp.Table | exp.Subquery) and len(unnest.expressions) == 1
    if not is_plain or not unnest.args.get("alias"):
        return
    (array,), place = unnest.expressions, unnest.args.get("offset")
    items: list[exp.Expr] = [exp.alias_(exp.Explode(this=array), _name_of(unnest))]
    if place:
        items.append(exp.alias_(exp.func("generate_subscripts", array.copy(), exp.Literal.number(1)), place))
    rows, name = source.this, source.this.alias_or_name
    opened = exp.Select(expressions=[exp.Star(), *items]).from_(rows)
    select.set("joins", joins[1:])
    select.set("from_", exp.From(this=opened.subquery(name or None)))


def _name_of(unnest: exp.Unnest) -> exp.Identifier:
    """Return the name of an opened item; GoogleSQL names it as one names a table."""
    alias = unnest.args["alias"]
    name = alias.this or alias.columns[0]
    return name.copy()  # type: ignore[no-any-return]  # arguments of a syntax tree have no types


def _parse_bodies_once(select: exp.Select) -> None:
    """Replace calls of one JSON function on one column, in what a select answers, by places in one call with all paths."""
    if select.args.get("group") or select.args.get("distinct"):
        return  # what is grouped by is told apart by how it is written
    same: dict[_Call, list[exp.Expr]] = {}
    for answered in select.expressions:
        for call in _calls(answered):
            same.setdefault((type(call), call.this.sql()), []).append(call)
    for calls in same.values():
        paths = list(dict.fromkeys(call.expression for call in calls))
        if len(paths) > 1:
            for call in calls:
                # Equal calls stand in every place: DuckDB answers them once a row.
                call.replace(_place_in(call, paths))


def _calls(answered: exp.Expr) -> list[exp.Expr]:
    """Return the calls with a constant path on a column, but none of a query inside."""
    nodes = answered.walk(prune=lambda each: isinstance(each, exp.Query))
    calls = [node for node in nodes if type(node) in _FUNCTIONS]
    return [call for call in calls if isinstance(call.this, exp.Column) and isinstance(call.expression, exp.JSONPath)]


def _place_in(call: exp.Expr, paths: Sequence[exp.Expr]) -> exp.Expr:
    """Return what a call returns, taken from the answer of one call with all paths."""
    listed = exp.Array(expressions=[path.copy() for path in paths])
    everything = exp.Anonymous(this=_FUNCTIONS[type(call)], expressions=[call.this.copy(), listed])
    place = exp.Literal.number(paths.index(call.expression) + 1)
    found = exp.Anonymous(this="list_extract", expressions=[everything, place])
    if isinstance(call, exp.JSONExtract):
        return found
    return exp.JSONExtractScalar(this=found, expression=exp.JSONPath(expressions=[exp.JSONPathRoot()]))
