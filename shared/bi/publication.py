"""The statements around the models: what is judged, how it is published, what is forgotten, what a build holds."""

from shared.bi.models import Model

CANDIDATES = "SELECT month, currency, business_unit FROM control.candidate WHERE build_id = @build_id"
"""What a build judges."""

FIGURES = """
SELECT month, currency, business_unit, figure, ledger_count, ledger_minor, control_count, control_minor
FROM control.comparison
WHERE build_id = @build_id
"""
"""The figures of a build by both paths."""

PUBLISH = """
MERGE certificates.published AS shown
USING (
  SELECT month, currency, business_unit, build_id
  FROM certificates.certificate
  WHERE build_id = @build_id AND passed
) AS certified
ON shown.month = certified.month
  AND shown.currency = certified.currency
  AND shown.business_unit = certified.business_unit
WHEN MATCHED THEN UPDATE SET build_id = certified.build_id
WHEN NOT MATCHED THEN INSERT (month, currency, business_unit, build_id)
  VALUES (certified.month, certified.currency, certified.business_unit, certified.build_id)
"""
"""Publishes all certified months of a build at once: viz shows the old figures or the new ones, nothing in between."""


def begun_sql(model: Model) -> str:
    """Return the query that tells whether a model has rows of a build."""
    return f"SELECT build_id FROM {model.name} WHERE build_id = @build_id LIMIT 1"  # noqa: S608  the name of a model of ours


def prune_sql(model: Model) -> str:
    """Return the statement that forgets the rows of other builds: in the mart those that nothing shows, in control all."""
    shown = " AND build_id NOT IN (SELECT build_id FROM certificates.published)" if model.layer == "mart" else ""
    return f"DELETE FROM {model.name} WHERE build_id != @build_id{shown}"  # noqa: S608  the name of a model of ours


def contents_sql(model: Model) -> str:
    """Return the query of all that a model holds of a build, or a view shows, in an order of its own.

    The table has another name here: in GoogleSQL the name of a table in FROM hides a column of the same name.
    """
    columns = ", ".join(column.name for column in model.columns)
    places = ", ".join(str(place) for place in range(1, len(model.columns) + 1))
    where = "" if model.is_view else " WHERE build_id = @build_id"
    return f"SELECT {columns} FROM {model.name} AS contents{where} ORDER BY {places}"  # noqa: S608  names of our own models
