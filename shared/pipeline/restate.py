"""Restate: when a certified month changes, say by how much, and which statements that came since are behind it.

earlier certificate, figures ─┐
                              ├─▶ changed items ─▶ facts derived since ─▶ restatement, kept for ever
judgement of this build ──────┘
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from shared.bi.certification import Grain, Judgement, catalog
from shared.bi.inputs import RESTATEMENT
from shared.bi.publication import PUBLISHED_CERTIFICATES
from shared.bi.restatement import (
    FIGURES_MODEL,
    KEPT,
    FigureChange,
    ItemChange,
    Restatement,
    Statement,
    changed_items_sql,
    read_restatement,
)
from shared.domain.facts import EntityKey
from shared.domain.fold import Entity, fold
from shared.domain.money import Money
from shared.domain.outcomes import Outcome, Verdict
from shared.domain.settle import StoredFact
from shared.domain.times import from_ms
from shared.ports.ledger_store import LedgerStore
from shared.ports.warehouse import Cell, Row, Warehouse

FOLLOWED_MAX = 100
"""How many items of one figure are followed to their statements; the others are summed."""

STATEMENTS_MAX = 5
"""How many statements are named for one item, the latest ones."""

_COMMIT_MS_MAX = timedelta(minutes=10) // timedelta(milliseconds=1)
"""How long before a certificate a derivation may have begun that its build has not seen: longer than one may take."""


@dataclass(frozen=True, slots=True)
class Restating:
    """What restating needs: the warehouse with the rows of both builds, the ledger, and which build takes over."""

    warehouse: Warehouse
    ledger: LedgerStore
    build_id: str
    code_version: str
    restated_at_ms: int


def restated(world: Restating, judgements: Iterable[Judgement]) -> list[Restatement]:
    """Return a restatement for each certified month that is published with other figures than it passes with now.

    The rows of the published build must still be there: this comes before publication and before pruning.
    """
    earlier = {_grain(row): row for row in world.warehouse.query(PUBLISHED_CERTIFICATES, {})}
    return [
        _restatement(world, judgement, earlier[judgement.grain])
        for judgement in judgements
        if judgement.passed
        and judgement.grain in earlier
        and _certified(earlier[judgement.grain]) != _figures(judgement)
    ]


def kept_restatements(warehouse: Warehouse, month: str | None = None) -> list[Restatement]:
    """Return every restatement that was ever kept, of one month if named, the latest first."""
    warehouse.ensure_table(RESTATEMENT.name, RESTATEMENT.columns)
    rows = warehouse.query(KEPT, {})
    return [read_restatement(row) for row in rows if month in (None, row["month"])]


def render(restatement: Restatement) -> list[str]:
    """Return a restatement as lines of text: each figure, then what is behind it."""
    currency = restatement.grain.currency
    lines = [
        (
            f"{restatement.grain}: certified {from_ms(restatement.earlier_certified_at_ms):%Y-%m-%d %H:%M}Z by build "
            f"{restatement.earlier_build_id}, restated {from_ms(restatement.restated_at_ms):%Y-%m-%d %H:%M}Z by build "
            f"{restatement.later_build_id}"
        )
    ]
    for figure in restatement.figures:
        lines += [
            (
                f"  {figure.figure}: certified {Money(currency, figure.certified_minor)} in {figure.certified_count} items, "
                f"now {Money(currency, figure.now_minor)} in {figure.now_count}: {Money(currency, figure.change_minor)}"
            ),
            (
                f"    explained {Money(currency, figure.explained_minor)}, not explained "
                f"{Money(currency, figure.unexplained_minor)}, not followed {Money(currency, figure.not_followed_minor)}"
            ),
        ]
        for item in figure.items:
            lines += _item_lines(item, currency)
    return lines


def _item_lines(item: ItemChange, currency: str) -> list[str]:
    fields = ", ".join(f"{name} {was} → {now}" for name, (was, now) in item.fields.items() if was is not None)
    return [
        f"    {item.entity} {Money(currency, item.change_minor)}: {item.why}{f' ({fields})' if fields else ''}",
        *(f"      event {each.event_key}, delivery {each.object_name}" for each in item.statements),
    ]


def _restatement(world: Restating, judgement: Judgement, earlier: Row) -> Restatement:
    certified, now = _certified(earlier), _figures(judgement)
    since_ms = _whole(earlier["certified_at_ms"])
    changes = _changed_items(world, judgement.grain, str(earlier["build_id"]))
    nothing = (0, 0)
    return Restatement(
        grain=judgement.grain,
        earlier_certificate_id=str(earlier["certificate_id"]),
        earlier_build_id=str(earlier["build_id"]),
        earlier_certified_at_ms=since_ms,
        earlier_code_version=str(earlier["code_version"]),
        later_build_id=world.build_id,
        later_code_version=world.code_version,
        restated_at_ms=world.restated_at_ms,
        figures=tuple(
            _figure_change(world, name, (*was, *is_now), changes.get(name) or _ChangedItems([]), since_ms)
            for name in sorted(certified.keys() | now.keys())
            if (was := certified.get(name, nothing)) != (is_now := now.get(name, nothing))
        ),
    )


@dataclass(slots=True)
class _ChangedItems:
    """The items of one figure that two builds sum otherwise: the largest ones as they are, the others summed."""

    followed: list[tuple[str, int | None, int | None]]
    count: int = 0
    rest_minor: int = 0

    def add(self, row: Row) -> None:
        was, now = _amount(row["was_minor"]), _amount(row["is_minor"])
        self.count += 1
        if len(self.followed) < FOLLOWED_MAX:
            self.followed.append((str(row["entity"]), was, now))
        else:
            self.rest_minor += (now or 0) - (was or 0)


def _changed_items(world: Restating, grain: Grain, earlier_build_id: str) -> Mapping[str, _ChangedItems]:
    figures = next(model for model in catalog() if model.name == FIGURES_MODEL)
    parameters = {"build_id": world.build_id, "earlier_build_id": earlier_build_id, **grain._asdict()}
    rows = world.warehouse.query(changed_items_sql(figures), parameters)
    changes: dict[str, _ChangedItems] = {}
    for figure, of_figure in groupby(rows, key=lambda row: str(row["figure"])):
        changes[figure] = items = _ChangedItems([])
        for row in of_figure:
            items.add(row)
    return changes


def _figure_change(
    world: Restating, name: str, counted: tuple[int, int, int, int], items: _ChangedItems, since_ms: int
) -> FigureChange:
    return FigureChange(
        name,
        *counted,
        items.count,
        items.rest_minor,
        tuple(_item_change(world.ledger, *item, since_ms) for item in items.followed),
    )


def _item_change(
    ledger: LedgerStore, entity: str, was_minor: int | None, is_minor: int | None, since_ms: int
) -> ItemChange:
    """Say why one entity counts otherwise than it did: what came since about itself, else about what it points at."""
    key = EntityKey.parse(entity)
    own = _History(ledger, key, since_ms)
    behind = next((each for each in _candidates(ledger, own, since_ms) if each.explains(key, was_minor)), None)
    if behind is None:
        why, is_explained = (
            "nothing that was told since changes it: code or rules are others, or a row was altered",
            False,
        )
    elif behind.key == key:
        why, is_explained = "first told of since" if behind.is_new else "told of otherwise since", True
    else:
        why, is_explained = f"it points at {behind.key}, which was told of since", True
    return ItemChange(
        entity,
        was_minor,
        is_minor,
        f"{_moved(was_minor, is_minor)}: {why}",
        is_explained=is_explained,
        fields=behind.changed_fields if behind else {},
        statements=behind.statements() if behind else (),
    )


def _candidates(ledger: LedgerStore, own: "_History", since_ms: int) -> Iterator["_History"]:
    """Yield where the cause of a change may lie: in the entity, in what it points at, in what was being committed then."""
    yield own
    for linked in own.links():
        yield _History(ledger, linked, since_ms)
    yield _History(ledger, own.key, since_ms - _COMMIT_MS_MAX)


def _moved(was_minor: int | None, is_minor: int | None) -> str:
    if was_minor is None:
        return "is counted now"
    return "is counted no more" if is_minor is None else "counts another amount"


class _History:
    """What was told of one entity before a certificate and since, and what that changed of it."""

    def __init__(self, ledger: LedgerStore, key: EntityKey, since_ms: int) -> None:
        self.key = key
        self._facts = ledger.facts(key)
        self._verdicts = {fact.delivery_id: ledger.verdict(fact.delivery_id) for fact in self._facts}
        self._came = self._derived_after(since_ms)
        before = _folded(key, (fact for fact in self._facts if fact not in self._came))
        self._now = _folded(key, self._facts)
        self.is_new = not before.values
        self.changed_fields = {
            name: (before.values.get(name), value)
            for name, value in sorted(self._now.values.items())
            if before.values.get(name) != value
        }

    def explains(self, key: EntityKey, was_minor: int | None) -> bool:
        """Return whether it can be behind a change: what was counted before cannot have been told of first since."""
        return bool(self.changed_fields) and not (self.is_new and self.key == key and was_minor is not None)

    def links(self) -> list[EntityKey]:
        return [key for _, key in self._now.links()]

    def statements(self) -> tuple[Statement, ...]:
        latest = sorted(self._came, key=lambda fact: fact.stamp)[-STATEMENTS_MAX:]
        return tuple(
            Statement(
                fact.stamp.event_key, fact.stamp.at_ms, fact.delivery_id, verdict.object_name, _derived_ms(verdict)
            )
            for fact in latest
            if (verdict := self._verdicts[fact.delivery_id]) is not None
        )

    def _derived_after(self, instant_ms: int) -> list[StoredFact]:
        return [
            fact
            for fact in self._facts
            if (verdict := self._verdicts[fact.delivery_id]) is not None and _derived_ms(verdict) > instant_ms
        ]


def _derived_ms(verdict: Verdict) -> int:
    """Return when a delivery first spoke: an attempt that could not read it said nothing, a later replay nothing new."""
    silent = (Outcome.FAILED, Outcome.QUARANTINED)
    return next((each.at_ms for each in verdict.attempts if each.outcome not in silent), verdict.attempts[-1].at_ms)


def _folded(key: EntityKey, facts: Iterable[StoredFact]) -> Entity:
    return fold(key, ((each.fact, each.stamp) for each in facts))


def _certified(certificate: Row) -> dict[str, tuple[int, int]]:
    """Return what a certificate says by the ledger path: figure to count and minor units."""
    said = json.loads(str(certificate["figures"]))
    return {name: (counted[0], counted[1]) for name, counted in said.items()}


def _figures(judgement: Judgement) -> dict[str, tuple[int, int]]:
    return {figure.name: (figure.ledger_count, figure.ledger_minor) for figure in judgement.figures}


def _grain(row: Mapping[str, Any]) -> Grain:
    return Grain(*(str(row[part]) for part in Grain._fields))


def _amount(cell: Cell) -> int | None:
    return None if cell is None else _whole(cell)


def _whole(cell: Cell) -> int:
    if type(cell) is not int:
        msg = f"an amount or instant is a whole number, not {type(cell).__name__}"
        raise TypeError(msg)
    return cell
