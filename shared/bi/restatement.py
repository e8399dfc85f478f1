"""Restatement: what a certified month said, what it says now, and what each figure's change is made of.

    published certificate ─figures─┐
                                   ├─ differ ─▶ items of both builds ─▶ what came since about each ─▶ restatement
    certificate of this build ─────┘

Every amount of a change is in one of three places: explained by statements that came since, not explained, or not
followed because there are more items than a report follows. The three sum to the change, to the minor unit.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from typing import Any

import sqlglot
from sqlglot import exp

from shared.bi.certification import Grain
from shared.bi.models import Model

FIGURES_MODEL = "mart.figure"

KEPT = """
SELECT * FROM certificates.restatement ORDER BY restated_at_ms DESC, later_build_id DESC, month, currency, business_unit
"""
"""Every restatement, the latest first."""

_CHANGED_ITEMS = """
WITH earlier AS (
  SELECT figure, entity, SUM(amount_minor) AS amount_minor
  FROM ({earlier}) AS items
  WHERE month = @month AND currency = @currency AND business_unit = @business_unit
  GROUP BY figure, entity
),
later AS (
  SELECT figure, entity, SUM(amount_minor) AS amount_minor
  FROM ({later}) AS items
  WHERE month = @month AND currency = @currency AND business_unit = @business_unit
  GROUP BY figure, entity
)
SELECT
  COALESCE(earlier.figure, later.figure) AS figure,
  COALESCE(earlier.entity, later.entity) AS entity,
  CAST(earlier.amount_minor AS INT64) AS was_minor,
  CAST(later.amount_minor AS INT64) AS is_minor
FROM earlier
FULL OUTER JOIN later ON later.figure = earlier.figure AND later.entity = earlier.entity
WHERE earlier.amount_minor IS NULL OR later.amount_minor IS NULL OR earlier.amount_minor != later.amount_minor
ORDER BY figure, ABS(COALESCE(later.amount_minor, 0) - COALESCE(earlier.amount_minor, 0)) DESC, entity
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """A fact that came since the earlier certificate: by which event, in which delivery, and where its bytes are."""

    event_key: str
    version_at_ms: int
    delivery_id: str
    object_name: str
    derived_at_ms: int


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One entity that a figure sums otherwise than before. An amount of None means that the figure left it out."""

    entity: str
    was_minor: int | None
    is_minor: int | None
    why: str
    """One sentence; `is_explained` says whether statements that came since are behind it."""
    is_explained: bool
    fields: Mapping[str, tuple[Any, Any]]
    """What the statements changed of it: field to what stood and what stands, in the ledger's own values."""
    statements: tuple[Statement, ...]

    @property
    def change_minor(self) -> int:
        """Return what it adds to the figure's change, in minor units of the month's currency."""
        return (self.is_minor or 0) - (self.was_minor or 0)


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One figure of a restated month: certified, now, and the items behind the change, the largest first."""

    figure: str
    certified_count: int
    certified_minor: int
    now_count: int
    now_minor: int
    item_count: int
    """How many entities are summed otherwise, those that are not followed included."""
    not_followed_minor: int
    """What the entities past the followed ones amount to together."""
    items: tuple[ItemChange, ...]

    @property
    def change_minor(self) -> int:
        """Return how far the figure moved."""
        return self.now_minor - self.certified_minor

    @property
    def explained_minor(self) -> int:
        """Return how much of it statements that came since explain."""
        return sum(item.change_minor for item in self.items if item.is_explained)

    @property
    def unexplained_minor(self) -> int:
        """Return how much of it nothing explains: zero in a sound restatement."""
        return self.change_minor - self.explained_minor - self.not_followed_minor

    @property
    def is_explained(self) -> bool:
        """Return whether every followed item is explained and the items make up the change."""
        return self.unexplained_minor == 0 and all(item.is_explained for item in self.items)


@dataclass(frozen=True, slots=True)
class Restatement:
    """A certified month that changed: the two certificates, and each figure that is another one."""

    grain: Grain
    earlier_certificate_id: str
    earlier_build_id: str
    earlier_certified_at_ms: int
    earlier_code_version: str
    later_build_id: str
    later_code_version: str
    restated_at_ms: int
    figures: tuple[FigureChange, ...]

    @property
    def restatement_id(self) -> str:
        """Return the deterministic identity: which certificate gave way to which build."""
        return sha256(f"{self.earlier_certificate_id}\n{self.later_build_id}\n{self.grain}".encode()).hexdigest()[:32]

    @property
    def is_explained(self) -> bool:
        """Return whether statements that came since explain every figure's change."""
        return all(figure.is_explained for figure in self.figures)

    def document(self) -> dict[str, Any]:
        """Return it for scripts, with the sums that each figure comes to."""
        return {
            "restatement_id": self.restatement_id,
            **asdict(self),
            "grain": self.grain._asdict(),
            "is_explained": self.is_explained,
            "figures": [
                {
                    **asdict(figure),
                    "change_minor": figure.change_minor,
                    "explained_minor": figure.explained_minor,
                    "unexplained_minor": figure.unexplained_minor,
                }
                for figure in self.figures
            ],
        }

    def row(self) -> dict[str, Any]:
        """Return it as a row of `certificates.restatement`."""
        return {
            "restatement_id": self.restatement_id,
            **self.grain._asdict(),
            "earlier_certificate_id": self.earlier_certificate_id,
            "earlier_build_id": self.earlier_build_id,
            "earlier_certified_at_ms": self.earlier_certified_at_ms,
            "earlier_code_version": self.earlier_code_version,
            "later_build_id": self.later_build_id,
            "later_code_version": self.later_code_version,
            "restated_at_ms": self.restated_at_ms,
            "is_explained": self.is_explained,
            "figures": json.dumps(
                [asdict(figure) for figure in self.figures], ensure_ascii=False, separators=(",", ":")
            ),
        }


def read_restatement(row: Mapping[str, Any]) -> Restatement:
    """Read a row of `certificates.restatement` back."""
    figures = []
    for said in json.loads(row["figures"]):
        items = tuple(
            ItemChange(
                **{
                    **item,
                    "fields": {name: (was, now) for name, (was, now) in item["fields"].items()},
                    "statements": tuple(Statement(**each) for each in item["statements"]),
                }
            )
            for item in said["items"]
        )
        figures.append(FigureChange(**{**said, "items": items}))
    return Restatement(
        grain=Grain(row["month"], row["currency"], row["business_unit"]),
        earlier_certificate_id=row["earlier_certificate_id"],
        earlier_build_id=row["earlier_build_id"],
        earlier_certified_at_ms=row["earlier_certified_at_ms"],
        earlier_code_version=row["earlier_code_version"],
        later_build_id=row["later_build_id"],
        later_code_version=row["later_code_version"],
        restated_at_ms=row["restated_at_ms"],
        figures=tuple(figures),
    )


@cache
def items_sql(figures: Model) -> str:
    """Return the query of the single items behind `mart.figure`: its step `amounts`, before it is summed.

    Columns: entity, month, currency, business_unit, figure, amount_minor; parameter: build_id.
    """
    summed = sqlglot.parse_one(figures.sql, read="bigquery", into=exp.Select)
    items: exp.Select = exp.select("entity", "month", "currency", "business_unit", "figure", "amount_minor").from_(
        "amounts"
    )
    for step in summed.ctes:
        items = items.with_(step.alias, as_=step.this)
    return items.sql(dialect="bigquery")


@cache
def changed_items_sql(figures: Model) -> str:
    """Return the query of the items of a month that two builds, `@earlier_build_id` and `@build_id`, sum otherwise."""
    later = items_sql(figures)
    return _CHANGED_ITEMS.format(earlier=later.replace("@build_id", "@earlier_build_id"), later=later)
