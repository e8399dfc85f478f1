"""Shadows: another definition of a view, held against the one that is shown, over the rows of the build in hand.

A view shows what is published. To compare before anything is published, both definitions are asked as if every month that
this build judges were published by it. What differs is told, in the build's result and in its certificates; it stops nothing,
and neither does a shadow that cannot be run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import structlog

from shared.bi.models import Model
from shared.domain.errors import AsientoError
from shared.ports.warehouse import Parameters, Warehouse

log = structlog.get_logger("shadows")

_PUBLISHED = "certificates.published"
_AS_IF_PUBLISHED = "(SELECT month, currency, business_unit, build_id FROM control.candidate WHERE build_id = @build_id)"


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What the comparison of a view with its shadow came to, in rows."""

    view: str
    same: int = 0
    only_shown: int = 0
    only_shadow: int = 0
    different: int = 0
    first: str = ""
    """One row that is not the same on both sides, by its key."""
    failure: str = ""
    """Why the shadow could not be asked; empty where it could."""

    @property
    def agrees(self) -> bool:
        """Return whether both definitions say the same of every row."""
        return not (self.only_shown or self.only_shadow or self.different or self.failure)

    def __str__(self) -> str:
        """Return the one-line form."""
        if self.failure:
            return f"{self.view}: the shadow cannot be asked: {self.failure}"
        counts = (
            f"{self.same} rows are the same, {self.different} differ, {self.only_shown} are only in what is shown, "
            f"{self.only_shadow} only in the shadow"
        )
        return f"{self.view}: {counts}" + (f"; one is {self.first}" if self.first else "")


def compare_shadows(models: Iterable[Model], warehouse: Warehouse, parameters: Parameters) -> Iterator[Shadowed]:
    """Yield what each shadow comes to, of the build that the parameters name."""
    for model in models:
        if model.shadow_sql:
            yield _compare(model, warehouse, parameters)


def _compare(model: Model, warehouse: Warehouse, parameters: Parameters) -> Shadowed:
    try:
        row = next(iter(warehouse.query(comparison_sql(model), parameters)))
    except AsientoError as failure:
        log.warning("shadow failed", view=model.name, failure=str(failure))
        return Shadowed(model.name, failure=str(failure))
    same, only_shown, only_shadow, different = (
        int(str(row[name] or 0)) for name in ("same", "only_shown", "only_shadow", "different")
    )
    shadowed = Shadowed(model.name, same, only_shown, only_shadow, different, str(row["first"] or ""))
    if not shadowed.agrees:
        log.warning("shadow differs", view=model.name, found=str(shadowed))
    return shadowed


def comparison_sql(model: Model) -> str:
    """Return the query that counts the rows of a view and of its shadow that are the same, differ, or stand alone."""
    keys = model.key_columns
    figures = [column.name for column in model.columns if column.name not in keys]
    on = " AND ".join(f"shown.{name} = shadow.{name}" for name in keys)
    differs = " OR ".join(f"shown.{name} IS DISTINCT FROM shadow.{name}" for name in figures) or "FALSE"
    named = ", ' ', ".join(f"CAST(COALESCE(shown.{name}, shadow.{name}) AS STRING)" for name in keys)
    # The names are those of a model of ours; values are parameters.
    return f"""
WITH shown_rows AS (
{_as_if_published(model.sql)}
),
shadow_rows AS (
{_as_if_published(model.shadow_sql)}
),
paired AS (
  SELECT
    CONCAT({named}) AS named,
    CASE
      WHEN shadow.is_there IS NULL THEN 'only_shown'
      WHEN shown.is_there IS NULL THEN 'only_shadow'
      WHEN {differs} THEN 'different'
      ELSE 'same'
    END AS verdict
  FROM (SELECT *, TRUE AS is_there FROM shown_rows) AS shown
  FULL JOIN (SELECT *, TRUE AS is_there FROM shadow_rows) AS shadow ON {on}
)
SELECT
  COUNTIF(verdict = 'same') AS same,
  COUNTIF(verdict = 'only_shown') AS only_shown,
  COUNTIF(verdict = 'only_shadow') AS only_shadow,
  COUNTIF(verdict = 'different') AS different,
  MIN(IF(verdict = 'same', NULL, named)) AS first
FROM paired
"""  # noqa: S608  see above


def _as_if_published(sql: str) -> str:
    return sql.replace(_PUBLISHED, _AS_IF_PUBLISHED)
