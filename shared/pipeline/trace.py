"""Trace: from a published number back to the bytes it came from, with the signature checked again (DESIGN I10).

    figure of a viz row ─▶ rows of the mart ─▶ entities of the ledger ─▶ facts ─▶ deliveries ─▶ stored bytes, signature

What is shown of a figure of many rows is the first few; all of them are summed, and the sum must be the figure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from shared.bi.certification import catalog
from shared.bi.models import Model, Trace
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import NotFoundError, RefusedError, TerminalError
from shared.domain.facts import EntityKey, Value
from shared.domain.money import CURRENCY_DECIMALS, Money
from shared.domain.settle import StoredFact
from shared.domain.times import from_ms
from shared.pipeline.receive import verify
from shared.pipeline.restoring import Restore, as_kept, signature_erased
from shared.ports.key_store import Erasure
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import Provider
from shared.ports.raw_store import RawStore
from shared.ports.secrets import Secrets
from shared.ports.warehouse import Cell, Warehouse

SHOWN_MAX = 3
"""How many of the rows behind a figure are followed to their bytes unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """What tracing needs of the world."""

    warehouse: Warehouse
    ledger: LedgerStore
    raw: RawStore
    providers: Mapping[str, Provider]
    secrets: Secrets
    restored: Restore = as_kept
    """How a kept delivery becomes what came."""


@dataclass(frozen=True, slots=True)
class DeliveryTrace:
    """The bytes: where they are kept, their digest taken anew, and what their signature says today."""

    delivery_id: str
    object_name: str
    received_at: datetime
    target: str
    body_sha256: str
    body_bytes: int
    is_proved: bool
    """Whether the signature holds, or none was to be had because we asked ourselves."""
    signature: str


@dataclass(frozen=True, slots=True)
class FactTrace:
    """One statement about the entity: when, by which event, and whether the summed value stands by it."""

    event_key: str
    version_at: datetime
    stands: bool
    stated: Mapping[str, Value]
    delivery: DeliveryTrace


@dataclass(frozen=True, slots=True)
class ItemTrace:
    """One row of the mart: the entity, what it adds to the figure, and the facts that the entity was folded from."""

    entity: str
    field: str
    """The field of the entity that is summed; empty where entities are counted."""
    amount: int
    values: Mapping[str, Value]
    facts: tuple[FactTrace, ...]


@dataclass(frozen=True, slots=True)
class FigureTrace:
    """A published figure and what it is made of. The amounts of all its items sum to it; `items` holds the first ones."""

    view: str
    key: Mapping[str, Cell]
    figure: str
    says: str
    amount: int
    item_count: int
    items: tuple[ItemTrace, ...]

    @property
    def is_proved(self) -> bool:
        """Return whether every signature that was checked again holds."""
        return all(fact.delivery.is_proved for item in self.items for fact in item.facts)


def trace_figure(
    world: Tracing, view: str, key: Mapping[str, str], figure: str, *, shown_max: int = SHOWN_MAX
) -> FigureTrace:
    """Follow one figure of one row of a viz view to the bytes.

    `key` names the row by all columns that are no figures, as text. Raises NotFoundError where there is no such view,
    figure or published row, TerminalError where what it is made of does not sum to it.
    """
    model, trace = _find(view, figure)
    parameters = _typed(model, key)
    published = _published(world.warehouse, model, parameters, figure)
    rows = (
        (str(row["entity"]), str(row["field"]), row["amount"]) for row in world.warehouse.query(trace.sql, parameters)
    )
    total = item_count = 0
    shown: list[tuple[str, str, int]] = []
    for entity, name, cell in rows:
        amount = _whole(cell)
        total += amount
        item_count += 1
        if len(shown) < shown_max:
            shown.append((entity, name, amount))
    if total != published:
        raise TerminalError(
            f"{view}.{figure} shows {published} and its {item_count} rows sum to {total}: the view or its traces.sql is wrong"
        )
    items = tuple(_item(world, *each) for each in shown)
    return FigureTrace(view, parameters, figure, trace.says, published, item_count, items)


def figures(view: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield every view and figure that can be traced."""
    for model in catalog():
        for trace in model.traces:
            if view in (None, model.name):
                yield model.name, trace.figure


def _find(view: str, figure: str) -> tuple[Model, Trace]:
    for model in catalog():
        for trace in model.traces:
            if (model.name, trace.figure) == (view, figure):
                return model, trace
        for column in model.columns:
            if column.ratio and (model.name, column.name) == (view, figure):
                part, whole = column.ratio
                raise NotFoundError(f"{view}.{figure} is the share of {part} in {whole}, in 1/10,000: trace these two")
    known = ", ".join(f"{name}.{column}" for name, column in figures())
    raise NotFoundError(f"{view}.{figure} cannot be traced; these can: {known}")


def key_columns(model: Model) -> list[str]:
    """Return the columns that name a row of a view."""
    return model.key_columns


def _typed(model: Model, key: Mapping[str, str]) -> dict[str, str | date]:
    types = {column.name: column.type for column in model.columns}
    wanted = key_columns(model)
    if sorted(key) != sorted(wanted):
        raise NotFoundError(
            f"a row of {model.name} is named by {', '.join(wanted)}; given were {', '.join(sorted(key)) or 'none'}"
        )
    return {name: _date(name, key[name]) if types[name] == "DATE" else key[name] for name in wanted}


def _date(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotFoundError(f"{name} is a day, YYYY-MM-DD, not {text[:20]!r}") from None


def _published(warehouse: Warehouse, model: Model, parameters: Mapping[str, str | date], figure: str) -> int:
    where = " AND ".join(f"{name} = @{name}" for name in parameters)
    sql = f"SELECT {figure} FROM {model.name} WHERE {where}"  # noqa: S608  names of our own model; values are parameters
    rows = list(islice(warehouse.query(sql, parameters), 2))
    if len(rows) != 1:
        named = ", ".join(f"{name} {value}" for name, value in parameters.items())
        raise NotFoundError(
            f"{model.name} shows no row with {named}: either there is none, or its month is not certified"
        )
    if rows[0][figure] is None:
        raise NotFoundError(
            f"{model.name} does not tell {figure} of this row: see the column in docs/data-dictionary.md"
        )
    return _whole(rows[0][figure])


def _item(world: Tracing, entity_key: str, signed_name: str, amount: int) -> ItemTrace:
    key = EntityKey.parse(entity_key)
    entity = world.ledger.entity(key)
    if entity is None:
        raise TerminalError(f"{entity_key} is in the mart and not in the ledger; rebuild")
    name = signed_name.removeprefix("-")
    stated = -amount if signed_name.startswith("-") else amount
    if name and entity.values.get(name) != stated:
        raise TerminalError(
            f"{entity_key}.{name} was {stated} in the published build and is {entity.values.get(name)} in the ledger; rebuild"
        )
    # A counted entity is counted for its status.
    standing = entity.registers.get(name or "status")
    facts = tuple(
        _fact(world, stored, stands=standing is not None and stored.stamp == standing[1])
        for stored in world.ledger.facts(key)
    )
    return ItemTrace(entity_key, name, amount, entity.values, facts)


def _fact(world: Tracing, stored: StoredFact, *, stands: bool) -> FactTrace:
    verdict = world.ledger.verdict(stored.delivery_id)
    if verdict is None:
        raise TerminalError(f"delivery {stored.delivery_id} has facts and no outcome; replay it")
    return FactTrace(
        event_key=stored.stamp.event_key,
        version_at=from_ms(stored.stamp.at_ms),
        stands=stands,
        stated=stored.fact.values,
        delivery=trace_delivery(world, world.raw.read(verdict.object_name)),
    )


def trace_delivery(world: Tracing, delivery: Delivery) -> DeliveryTrace:
    """Take the digest of kept bytes anew and check their signature again, as of the moment at which they came."""
    is_proved, signature = _signature(world, delivery)
    return DeliveryTrace(
        delivery_id=delivery.delivery_id,
        object_name=delivery.object_name,
        received_at=delivery.received_at,
        target=delivery.target,
        body_sha256=delivery.body_sha256,
        body_bytes=len(delivery.body),
        is_proved=is_proved,
        signature=signature,
    )


def _signature(world: Tracing, delivery: Delivery) -> tuple[bool, str]:
    if delivery.channel is Channel.FETCH:
        return True, f"fetched over TLS by {delivery.target}, not signed"
    if not delivery.channel.is_signed:
        return True, f"read from {delivery.target}, not signed"
    provider = world.providers[delivery.provider]
    try:
        came = world.restored(delivery)
    except TerminalError as changed:
        return False, str(changed)
    if isinstance(came, Erasure):
        return False, signature_erased(came)
    try:
        verify(came, provider, world.secrets, delivery.received_at)
    except RefusedError as refused:
        return False, f"signature does not hold with the secrets that are live today: {refused.refusal.value}"
    return True, f"signature verified again ({provider.capabilities.signature_scheme})"


def render(trace: FigureTrace) -> list[str]:
    """Return the tree as lines of text, one branch a line."""
    row = ", ".join(f"{name} {value}" for name, value in trace.key.items())
    amount = shown_amount(trace.figure, trace.amount, trace.key.get("currency"))
    lines = [f"{trace.view}.{trace.figure} = {amount}  ({row})", f"{trace.says} {_counted(trace)}"]
    rest = trace.item_count - len(trace.items)
    for index, item in enumerate(trace.items):
        lines += _branch(
            _item_lines(item, trace.key.get("currency")), is_last=index == len(trace.items) - 1 and not rest
        )
    if rest:
        shown = sum(item.amount for item in trace.items)
        others = shown_amount(trace.figure, trace.amount - shown, trace.key.get("currency"))
        lines += _branch([f"and {rest} more, together {others}"], is_last=True)
    return lines


def _counted(trace: FigureTrace) -> str:
    return f"{trace.item_count} of them, summed again to the figure."


def _item_lines(item: ItemTrace, currency: Cell) -> list[str]:
    lines = [
        f"{item.entity}  {shown_amount(item.field, item.amount, currency)}  {item.values.get('status', '')}".rstrip()
    ]
    for index, fact in enumerate(item.facts):
        lines += _branch(_fact_lines(fact, item.field or "status"), is_last=index == len(item.facts) - 1)
    return lines


def _fact_lines(fact: FactTrace, field: str) -> list[str]:
    delivery = fact.delivery
    said = f"says {field} {fact.stated[field]}" if field in fact.stated else f"does not say {field}"
    return [
        f"fact of {fact.version_at:%Y-%m-%d %H:%M:%S}Z, event {fact.event_key}: {said}{', and stands' if fact.stands else ''}",
        *_branch(
            [
                f"delivery {delivery.object_name}, received {delivery.received_at:%Y-%m-%d %H:%M:%S}Z",
                *_branch([f"{delivery.body_bytes} bytes, sha256 {delivery.body_sha256}"], is_last=False),
                *_branch([delivery.signature], is_last=True),
            ],
            is_last=True,
        ),
    ]


def _branch(lines: list[str], *, is_last: bool) -> list[str]:
    head, indent = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
    return [head + lines[0], *(indent + line for line in lines[1:])]


def shown_amount(name: str, amount: int, currency: Cell) -> str:
    """Show money with its currency, a count as it is."""
    if name.endswith("_minor") and isinstance(currency, str) and currency in CURRENCY_DECIMALS:
        return str(Money(currency, amount))
    return str(amount)


def _whole(cell: Cell) -> int:
    if type(cell) is not int:
        msg = f"a figure is a whole number, not {type(cell).__name__}"
        raise TypeError(msg)
    return cell
