"""The data dictionary: what every table and column of the BI layer means, as the pages docs/data-dictionary.md and lineage.md.

`python -m shared.bi.dictionary` writes both pages; with `--check` it writes nothing and fails where one is out of date.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from shared.bi.certification import catalog
from shared.bi.inputs import INPUTS
from shared.bi.lineage import Place, Sources, origins, path, sources
from shared.bi.models import FOLDER, Meaning, Model, read_free_views, read_meaning
from shared.domain.errors import TerminalError

_DOCS = Path(__file__).resolve().parents[2] / "docs"

_DICTIONARY = """\
# Data dictionary

Every table and view of the BI layer: what it is, what one row is, who answers for it, and what each column says. This page is
generated from the `model.yaml` of each folder under `shared/bi/`: change that, then run `make generate`; a test fails while the
two differ. How the layers work together is in [bi.md](bi.md); what each number is computed of is in [lineage.md](lineage.md).

Every table of `mart` and `control` has one more column, `build_id`: the build that wrote the row. `viz` shows certified months
only; `analytics` holds free views, on which nothing depends.
"""

_LINEAGE = """\
# Column lineage

What each column of `viz` is computed of, found in the SQL itself by sqlglot: one step back, and in the end, in `staging`. What
a row is joined or filtered by decides whether it is there and is not drawn. A figure that counts leads to the key of what it
counts. This page is generated: run `make generate`; a test fails while it and the SQL differ.

From `staging` on, `asiento trace` goes back to facts, deliveries and bytes ([bi.md](bi.md)).
"""

_LAYERS: Mapping[str, str] = {
    "staging": "deliveries and ledger as they are",
    "mart": "all business logic",
    "control": "the same figures by SQL straight over the bodies, and what is in doubt",
    "certificates": "what was judged, and what is shown",
    "viz": "certified months, shaped for people",
    "analytics": "free views",
}


def meanings() -> tuple[Meaning | Model, ...]:
    """Return what every table and view means, by layer and name; raises TerminalError naming an input that says nothing."""
    known: list[Meaning | Model] = [
        *map(_input_meaning, (each.name for each in INPUTS)),
        *catalog(),
        *read_free_views(),
    ]
    layers = list(_LAYERS)
    return tuple(sorted(known, key=lambda each: (layers.index(each.name.partition(".")[0]), each.name)))


def _input_meaning(name: str) -> Meaning:
    folder = FOLDER.joinpath(*name.split("."))
    if not (folder / "model.yaml").is_file():
        raise TerminalError(f"shared/bi/{name.replace('.', '/')}/model.yaml is missing: say what the table means")
    return read_meaning(folder)


def render_dictionary() -> str:
    """Return the page of the data dictionary."""
    lines = [_DICTIONARY]
    layer = ""
    for meaning in meanings():
        if meaning.name.partition(".")[0] != layer:
            layer = meaning.name.partition(".")[0]
            lines.append(f"## {layer}: {_LAYERS[layer]}\n")
        lines += _table_lines(meaning)
    return "\n".join(lines).rstrip() + "\n"


def _table_lines(meaning: Meaning | Model) -> Iterator[str]:
    kind = "view" if isinstance(meaning, Model) and meaning.is_view else "table"
    yield f"### `{meaning.name}`\n"
    yield f"{meaning.description}\n"
    yield f"*{meaning.grain}* A {kind}; owner: {meaning.owner}.\n"
    yield "| column | type | unit | meaning |\n|---|---|---|---|"
    yield from (
        f"| `{column.name}` | {column.type} | {column.unit} | {_cell(column.description)} |"
        for column in meaning.columns
    )
    yield ""


def render_lineage() -> str:
    """Return the page of the lineage of every view of viz."""
    steps = sources(catalog())
    views = sorted((model for model in catalog() if model.layer == "viz"), key=lambda model: model.name)
    return "\n".join([_LINEAGE, *(line for view in views for line in _view_lines(view, steps))]).rstrip() + "\n"


def _view_lines(view: Model, steps: Sources) -> Iterator[str]:
    yield f"## `{view.name}`\n"
    yield "```mermaid\nflowchart LR"
    yield from _drawn(view, steps)
    yield "```\n"
    yield "| column | computed of | in the end of |\n|---|---|---|"
    for column in view.columns:
        place = Place(view.name, column.name)
        yield f"| `{column.name}` | {_places(steps[place])} | {_places(origins(place, steps))} |"
    yield ""


def _drawn(view: Model, steps: Sources) -> Iterator[str]:
    """Yield the arrows between tables, with the view's figures alone: columns are in the table below the drawing."""
    figures = [Place(view.name, column.name) for column in view.columns if column.name not in view.key_columns]
    arrows = {(before.table, after.table) for figure in figures for before, after in path(figure, steps)}
    for before, after in sorted(arrows):
        yield f"  {_node(before)} --> {_node(after)}"
    for figure in figures:
        yield f"  {_node(view.name)} --> {_node(str(figure))}([{figure.column}])"


def _node(name: str) -> str:
    return f"{name.replace('.', '_')}[{name}]" if name.count(".") == 1 else name.replace(".", "_")


def _places(places: frozenset[Place]) -> str:
    return ", ".join(f"`{place}`" for place in sorted(places)) or "a constant"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {"data-dictionary.md": render_dictionary, "lineage.md": render_lineage}
"""The generated pages and what writes them."""


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` compare them; return the exit status."""
    status = 0
    for name, render in PAGES.items():
        page = _DOCS / name
        if "--check" not in arguments:
            page.write_text(render(), encoding="utf-8")
        elif not page.is_file() or page.read_text(encoding="utf-8") != render():
            sys.stderr.write(f"docs/{name} is out of date: run `make generate`\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
