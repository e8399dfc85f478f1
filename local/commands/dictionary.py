"""Look up what a table or column of the BI layer means and is computed of, and make the analysts' free views."""

from collections.abc import Iterable
from typing import Annotated

import typer

from local.console import emit_json, harmless, out, table
from local.context import DEFAULT_HOME, AsJson, Home, world
from shared.bi.certification import catalog
from shared.bi.dictionary import meanings
from shared.bi.lineage import Place, sources
from shared.bi.models import Meaning, Model, read_free_views
from shared.bi.ordering import free_ordered
from shared.domain.errors import SettingsError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("dictionary")(dictionary)
    app.command("analytics")(analytics)


def dictionary(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="A table or view, such as viz.coverage_by_route; none lists them."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a table of the BI layer is, what one row is, and what each column says and is computed of.

    The same stands, for all tables, in docs/data-dictionary.md and docs/lineage.md.
    """
    known = {meaning.name: meaning for meaning in meanings()}
    if name is None:
        _list(known.values(), as_json=as_json)
    elif name in known:
        _show(known[name], as_json=as_json)
    else:
        raise SettingsError(f"there is no table {name[:80]!r}; `asiento dictionary` alone lists them")


def analytics(home: Home = DEFAULT_HOME) -> None:
    """Make the free views that the repository keeps, anew: they read viz, and no build waits for them."""
    views = free_ordered(read_free_views(), catalog())
    with world(home) as parts:
        for view in views:
            parts.warehouse.make_view(view.name, view.sql, replace=True)
    table("Free views", ("view", "one row is"), [(view.name, view.grain) for view in views])


def _list(known: Iterable[Meaning | Model], *, as_json: bool) -> None:
    rows = [(meaning.name, meaning.grain, meaning.owner) for meaning in known]
    if as_json:
        emit_json([dict(zip(("table", "grain", "owner"), row, strict=True)) for row in rows])
    else:
        table("The BI layer", ("table", "grain", "owner"), rows)


def _show(meaning: Meaning | Model, *, as_json: bool) -> None:
    steps = sources(catalog())
    columns = [
        {
            "column": column.name,
            "type": column.type,
            "unit": column.unit,
            "meaning": column.description,
            "computed_of": sorted(map(str, steps.get(Place(meaning.name, column.name), ()))),
        }
        for column in meaning.columns
    ]
    about = {"description": meaning.description, "grain": meaning.grain, "owner": meaning.owner}
    if as_json:
        emit_json({"table": meaning.name, **about, "columns": columns})
        return
    for sentence in (meaning.description, f"{meaning.grain} Owner: {meaning.owner}."):
        out.print(harmless(sentence))
    rows = [
        (each["column"], each["type"], each["unit"], each["meaning"], "\n".join(each["computed_of"]))
        for each in columns
    ]
    table(meaning.name, ("column", "type", "unit", "meaning", "computed of"), rows)
