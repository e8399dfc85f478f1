"""Trace forward: from one delivery to all that it changed, up to what people see and what was certified.

delivery ─▶ facts ─▶ entities, and the fields that stand by it ─▶ rows of the mart ─▶ cells of viz ─▶ certificates
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from shared.bi.cells import TurnedTrace, turned_round
from shared.bi.certification import Grain, catalog
from shared.bi.inputs import CERTIFICATE, PUBLISHED
from shared.bi.models import Model
from shared.bi.publication import PUBLISHED_CERTIFICATES
from shared.bi.restatement import FIGURES_MODEL, items_sql
from shared.domain.errors import NotFoundError, TerminalError
from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.settle import StoredFact
from shared.pipeline.trace import DeliveryTrace, Tracing, shown_amount, trace_delivery
from shared.ports.warehouse import Cell, Row, Warehouse

ENTITIES_MAX = 20
"""How many of the entities that a delivery speaks of are followed: a file may speak of thousands."""

_NAMES_AN_ENTITY = frozenset({"entity", *(kind.value for kind in EntityKind)})
"""The columns of the mart that hold keys of entities."""


@dataclass(frozen=True, slots=True)
class MartRows:
    """How many rows of a table of the mart name the entity, and in which column, in the latest published build."""

    table: str
    column: str
    rows: int


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A number that people see and that the entity is part of, with its part of it."""

    view: str
    key: Mapping[str, Cell]
    figure: str
    amount: int


@dataclass(frozen=True, slots=True)
class CertifiedFigure:
    """A certified figure that the entity is part of, with its part of it, and the certificate that viz shows it by."""

    certificate_id: str
    grain: Grain
    figure: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class EntityChange:
    """What the delivery said of one entity, what of it stands today, and where that is to be seen."""

    entity: str
    stands: Mapping[str, Value]
    superseded: Mapping[str, Value]
    """What it said and what was said again, later or otherwise."""
    mart: tuple[MartRows, ...]
    cells: tuple[ShownCell, ...]
    certified: tuple[CertifiedFigure, ...]


@dataclass(frozen=True, slots=True)
class DeliveryChange:
    """What one delivery changed. `entities` holds the first ones of `entity_count`."""

    delivery: DeliveryTrace
    outcome: str
    reason: str
    event_key: str
    attempts: int
    entity_count: int
    entities: tuple[EntityChange, ...]


def trace_forward(world: Tracing, delivery_id: str, *, entities_max: int = ENTITIES_MAX) -> DeliveryChange:
    """Say what a delivery changed. Raises NotFoundError where nothing of that id has an outcome."""
    verdict = world.ledger.verdict(delivery_id)
    if verdict is None:
        raise NotFoundError(f"no delivery {delivery_id} has an outcome: it never came, or it waits to be derived")
    said = _said(world.ledger.facts_of_delivery(delivery_id))
    shown = _Shown(world.warehouse)
    return DeliveryChange(
        delivery=trace_delivery(world, world.raw.read(verdict.object_name)),
        outcome=verdict.outcome.value,
        reason=verdict.reason,
        event_key=verdict.event_key,
        attempts=len(verdict.attempts),
        entity_count=len(said),
        entities=tuple(_change(world, shown, key, facts) for key, facts in list(said.items())[:entities_max]),
    )


def _said(facts: list[StoredFact]) -> dict[EntityKey, list[StoredFact]]:
    in_order = sorted(facts, key=lambda each: each.fact.key)
    return {key: list(of_key) for key, of_key in groupby(in_order, key=lambda each: each.fact.key)}


def _change(world: Tracing, shown: "_Shown", key: EntityKey, facts: list[StoredFact]) -> EntityChange:
    entity = world.ledger.entity(key)
    if entity is None:
        raise TerminalError(f"{key} has facts and is not in the ledger; replay the deliveries that speak of it")
    stands: dict[str, Value] = {}
    superseded: dict[str, Value] = {}
    for stored in facts:
        for name, value in stored.fact.values.items():
            place = stands if entity.registers[name] == (value, stored.stamp) else superseded
            place[name] = value
    return EntityChange(
        str(key),
        stands,
        superseded,
        tuple(shown.mart_rows(str(key))),
        tuple(shown.cells(str(key))),
        tuple(shown.certified(str(key))),
    )


class _Shown:
    """What is published, asked by entity."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        for table in (CERTIFICATE, PUBLISHED):
            warehouse.ensure_table(table.name, table.columns)
        certificates = warehouse.query(PUBLISHED_CERTIFICATES, {})
        self._certificates = {(str(row["build_id"]), _grain(row)): str(row["certificate_id"]) for row in certificates}
        self._builds = sorted({build_id for build_id, _ in self._certificates})

    def mart_rows(self, entity: str) -> Iterator[MartRows]:
        for model in catalog() if self._builds else ():
            for column in model.columns if model.layer == "mart" else ():
                if column.name in _NAMES_AN_ENTITY:
                    rows = self._count(model, column.name, entity)
                    if rows:
                        yield MartRows(model.name, column.name, rows)

    def cells(self, entity: str) -> Iterator[ShownCell]:
        for view in catalog() if self._builds else ():
            for trace in view.traces:
                turned = turned_round(view, trace)
                for row in list(self._warehouse.query(turned.sql, {"entity": entity})):
                    key = {name: row[f"key_{name}"] for name in view.key_columns}
                    amount = self._part(turned, entity, key) if turned.part_sql else row["amount"]
                    if amount is not None:
                        yield ShownCell(view.name, key, trace.figure, _whole(amount))

    def _part(self, turned: TurnedTrace, entity: str, key: Mapping[str, Cell]) -> Cell:
        named = {name: value for name, value in key.items() if value is not None}
        (row,) = self._warehouse.query(turned.part_sql, {"entity": entity, **named})
        return row["amount"]

    def certified(self, entity: str) -> Iterator[CertifiedFigure]:
        items = items_sql(next(model for model in catalog() if model.name == FIGURES_MODEL))
        sql = f"SELECT * FROM ({items}) AS items WHERE entity = @entity ORDER BY month, currency, business_unit, figure"  # noqa: S608  a model of ours
        for build_id in self._builds:
            for row in self._warehouse.query(sql, {"build_id": build_id, "entity": entity}):
                certificate_id = self._certificates.get((build_id, _grain(row)))
                if certificate_id is not None:
                    yield CertifiedFigure(certificate_id, _grain(row), str(row["figure"]), _whole(row["amount_minor"]))

    def _count(self, model: Model, column: str, entity: str) -> int:
        sql = f"SELECT COUNT(*) AS found FROM {model.name} WHERE build_id = @build_id AND {column} = @entity"  # noqa: S608  names of our own models
        (row,) = self._warehouse.query(sql, {"build_id": self._builds[-1], "entity": entity})
        return _whole(row["found"])


def render_change(change: DeliveryChange) -> list[str]:
    """Return what a delivery changed as lines of text."""
    delivery = change.delivery
    lines = [
        f"delivery {delivery.object_name}, received {delivery.received_at:%Y-%m-%d %H:%M:%S}Z",
        f"  {delivery.body_bytes} bytes, sha256 {delivery.body_sha256}",
        f"  {delivery.signature}",
        f"  {change.outcome} after {change.attempts} attempts{f': {change.reason}' if change.reason else ''}",
        f"  event {change.event_key or 'unread'} speaks of {change.entity_count} entities",
    ]
    for entity in change.entities:
        lines += _entity_lines(entity)
    if rest := change.entity_count - len(change.entities):
        lines.append(f"  and {rest} more entities")
    return lines


def _entity_lines(change: EntityChange) -> list[str]:
    return [
        f"  {change.entity}",
        f"    stands by it: {_values(change.stands)}",
        *([f"    said again since: {_values(change.superseded)}"] if change.superseded else []),
        *(f"    {each.table}: {each.rows} rows with {each.column}" for each in change.mart),
        *(_cell_line(each) for each in change.cells),
        *(
            f"    certificate {each.certificate_id} ({each.grain}) {each.figure}: "
            f"{shown_amount('amount_minor', each.amount_minor, each.grain.currency)}"
            for each in change.certified
        ),
    ]


def _cell_line(cell: ShownCell) -> str:
    key = " ".join(f"{name}={value}" for name, value in cell.key.items())
    return f"    {cell.view} {cell.figure} {key}: {shown_amount(cell.figure, cell.amount, cell.key.get('currency'))}"


def _values(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items())) or "nothing"


def _grain(row: Row) -> Grain:
    return Grain(*(str(row[part]) for part in Grain._fields))


def _whole(cell: Cell) -> int:
    if type(cell) is not int:
        msg = f"an amount or a count is a whole number, not {type(cell).__name__}"
        raise TypeError(msg)
    return cell
