"""Models: a folder each, with the query, what a row means, and the checks that must hold.

    <layer>/<model>/model.sql     one GoogleSQL query: import CTEs, named steps, a last select
    <layer>/<model>/model.yaml    description, grain ("One row per ..."), owner, columns with type, unit and description;
                                  `kind: view` where it has no rows of its own: what people read
    <layer>/<model>/checks.sql    named queries; each row that one returns is something wrong; a model may have none
    <layer>/<model>/traces.sql    of a view of viz: a named query per figure, the way back from it
    <layer>/<model>/shadow.sql    of a view of viz: another definition of it, compared on every build and shown to nobody;
                                  `definition: shadow` in model.yaml makes it what is shown, and model.sql the shadow

Every check answers with the columns `month`, `currency`, `business_unit` and `difference`; a NULL among the first three
means that the row concerns all of them. Every trace takes the columns that name a row of its view as parameters and
answers with `entity` (a key of the ledger), `field` (the entity's field that is summed; empty where entities are
counted; with a minus before it where it is taken with its sign turned) and `amount`; the amounts sum to the figure. A
figure may instead be a ratio of two others (`ratio: [part, whole]` in model.yaml), in basis points, and is traced by them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from shared.domain.errors import TerminalError

FOLDER = Path(__file__).parent
LAYERS = ("mart", "control", "viz")
"""The layers that are made of models, in no order: the order comes from the SQL. `staging` is loaded, see inputs.py."""
FREE_LAYER = "analytics"
"""The layer of free views: they read viz, and no build makes them, reads them or waits for them."""

CHECK_COLUMNS = ("month", "currency", "business_unit", "difference")
TRACE_COLUMNS = ("entity", "field", "amount")
_TYPES = frozenset({"INT64", "STRING", "BOOL", "DATE"})
_NAMED = re.compile(r"^-- (?P<what>check|trace): (?P<name>\w+)\n-- (?P<says>.+)\n(?P<sql>(?s:.+?));$", re.MULTILINE)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its GoogleSQL type, its unit where it is a quantity or an instant, and what it says."""

    name: str
    type: str
    description: str
    unit: str = ""
    ratio: tuple[str, ...] = ()
    """Of a figure that is a share of another: the two figures, part and whole; the column is 10,000 times their quotient,
    rounded down, and NULL where there is no whole."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a table's model.yaml says of it."""

    name: str
    description: str
    grain: str
    owner: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One query whose every row is something wrong."""

    name: str
    """`mart.posting.sums_to_zero`: the model and the check's own name."""
    promise: str
    """What is true when it returns nothing."""
    sql: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The way back from one figure of a view: which entities of the ledger it sums."""

    figure: str
    """The column of the view."""
    says: str
    """What the figure sums, in words."""
    sql: str


@dataclass(frozen=True)
class Model:
    """One model. Its rows carry the build that wrote them; the views of viz show the published builds."""

    name: str
    description: str
    grain: str
    owner: str
    columns: tuple[Column, ...]
    sql: str
    checks: tuple[Check, ...]
    traces: tuple[Trace, ...]
    is_view: bool
    """Whether it is computed when it is read (`kind: view`) and has no rows of its own."""
    shadow_sql: str = ""
    """The definition beside the one that is shown; empty where there is none."""

    @property
    def layer(self) -> str:
        """Return the dataset."""
        return self.name.partition(".")[0]

    @property
    def key_columns(self) -> list[str]:
        """Return the columns that name a row of a view: all that are neither traced figures nor ratios of them."""
        traced = {trace.figure for trace in self.traces}
        return [column.name for column in self.columns if column.name not in traced and not column.ratio]

    @cached_property
    def stored_columns(self) -> Mapping[str, str]:
        """Return the columns of its table: the build first, then its own."""
        return {"build_id": "STRING", **{column.name: column.type for column in self.columns}}

    @property
    def insert_sql(self) -> str:
        """Return the statement that writes this model's rows for one build."""
        names = ", ".join(column.name for column in self.columns)
        return f"INSERT INTO {self.name} (build_id, {names})\nSELECT @build_id, {names} FROM (\n{self.sql}\n)"


def read_models(folder: Path = FOLDER) -> tuple[Model, ...]:
    """Read every model under the layers, by name; raises TerminalError naming the file that is not as it must be."""
    return tuple(read_model(path.parent) for layer in LAYERS for path in sorted((folder / layer).glob("*/model.sql")))


def read_free_views(folder: Path = FOLDER) -> tuple[Model, ...]:
    """Read the free views that the repository keeps, by name; raises TerminalError like read_models."""
    return tuple(read_model(path.parent) for path in sorted((folder / FREE_LAYER).glob("*/model.sql")))


def read_meaning(folder: Path) -> Meaning:
    """Read what a folder's model.yaml says; raises TerminalError."""
    return _meaning(_name(folder), _about(folder))


def read_model(folder: Path) -> Model:
    """Read one model's folder; raises TerminalError."""
    about = _about(folder)
    meaning = _meaning(_name(folder), about)
    name, is_view = meaning.name, about.get("kind") == "view"
    shown, shadow = _definitions(name, folder, about.get("definition", "model"))
    if shadow and not is_view:
        raise TerminalError(f"{name}/shadow.sql: only a view may have a shadow; put the other definition beside a view")
    return Model(
        name=name,
        description=meaning.description,
        grain=meaning.grain,
        owner=meaning.owner,
        columns=meaning.columns,
        sql=shown,
        checks=tuple(
            Check(f"{name}.{check}", promise, query) for check, promise, query in _named(folder / "checks.sql", "check")
        ),
        traces=tuple(Trace(*found) for found in _named(folder / "traces.sql", "trace")),
        is_view=is_view,
        shadow_sql=shadow,
    )


def _name(folder: Path) -> str:
    return f"{folder.parent.name}.{folder.name}"


def _about(folder: Path) -> Mapping[str, Any]:
    """Return what model.yaml holds, once it says all that it must."""
    name = _name(folder)
    about = yaml.load((folder / "model.yaml").read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a safe loader
    missing = {"description", "grain", "owner", "columns"} - set(about)
    if missing:
        raise TerminalError(f"{name}/model.yaml lacks {', '.join(sorted(missing))}")
    if not about["grain"].startswith("One row per "):
        raise TerminalError(f"{name}/model.yaml: say the grain as 'One row per ...', not {about['grain']!r}")
    return about  # type: ignore[no-any-return]  # YAML has no types of its own


def _meaning(name: str, about: Mapping[str, Any]) -> Meaning:
    return Meaning(
        name=name,
        description=" ".join(about["description"].split()),
        grain=about["grain"],
        owner=about["owner"],
        columns=tuple(_column(name, column, said) for column, said in about["columns"].items()),
    )


def _definitions(name: str, folder: Path, shown: str) -> tuple[str, str]:
    """Return the definition that is shown and the one beside it."""
    texts = {path.stem: path.read_text(encoding="utf-8").strip() for path in folder.glob("*.sql")}
    model, shadow = texts["model"], texts.get("shadow", "")
    if shown == "model":
        return model, shadow
    if shown == "shadow" and shadow:
        return shadow, model
    raise TerminalError(f"{name}/model.yaml: definition is model, or shadow where there is a shadow.sql; not {shown!r}")


def _column(model: str, name: str, said: Mapping[str, Any]) -> Column:
    if said.get("type") not in _TYPES or not said.get("description"):
        raise TerminalError(
            f"{model}.{name}: model.yaml must give a description and a type of {', '.join(sorted(_TYPES))}"
        )
    return Column(name, said["type"], said["description"], said.get("unit", ""), tuple(said.get("ratio", ())))


def _named(path: Path, what: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, sentence and query of each named query of a file; raises TerminalError where anything else is in it."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    if _NAMED.sub("", text).strip():
        raise TerminalError(
            f"{path.parent.name}/{path.name}: write '-- {what}: name', '-- a sentence', a query, and ';'"
        )
    for found in _NAMED.finditer(text):
        yield found["name"], found["says"], found["sql"].strip()
