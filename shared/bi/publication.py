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

ACCEPTED = """
WITH accepted AS (
  SELECT month, currency, business_unit, exception_id FROM mart.exception_month WHERE build_id = @build_id AND is_accepted
  UNION DISTINCT
  SELECT month, CAST(NULL AS STRING), CAST(NULL AS STRING), accepted_by_exception
  FROM staging.difference
  WHERE accepted_by_exception IS NOT NULL
)
SELECT accepted.month, accepted.currency, accepted.business_unit, exception.exception_id, exception.kind,
  exception.subject, exception.at_risk_minor, exception.at_risk_currency, exception.decision, exception.decided_by,
  exception.reason, exception.decided_at_ms
FROM accepted
INNER JOIN staging.exception AS exception ON exception.exception_id = accepted.exception_id
ORDER BY exception.exception_id, accepted.month, accepted.currency, accepted.business_unit
"""
"""What named persons have accepted, and which months, currencies and business units it concerns; NULL for all of them."""

COMPLETED = """
SELECT month, provider, kind, days_in_month, days_complete, listed, present
FROM control.complete_month
WHERE build_id = @build_id
ORDER BY month, provider, kind
"""
"""Of each judged month, how far it is certified complete."""

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

PUBLISHED_CERTIFICATES = """
SELECT certificate.*
FROM certificates.certificate AS certificate
INNER JOIN certificates.published AS published
  ON published.build_id = certificate.build_id
  AND published.month = certificate.month
  AND published.currency = certificate.currency
  AND published.business_unit = certificate.business_unit
ORDER BY certificate.month, certificate.currency, certificate.business_unit
"""
"""The certificates by which viz shows what it shows."""

_KEPT_IN_THE_MART = (
    " AND build_id NOT IN (SELECT build_id FROM certificates.published)"
    " AND build_id NOT IN (SELECT earlier_build_id FROM certificates.restatement WHERE later_build_id = @build_id)"
)


def begun_sql(model: Model) -> str:
    """Return the query that tells whether a model has rows of a build."""
    return f"SELECT build_id FROM {model.name} WHERE build_id = @build_id LIMIT 1"  # noqa: S608  the name of a model of ours


def prune_sql(model: Model) -> str:
    """Return the statement that forgets the rows of other builds: in control all of them.

    In the mart those stay that something shows, and those that this build's restatements are about: they can be looked
    into until the next build.
    """
    kept = _KEPT_IN_THE_MART if model.layer == "mart" else ""
    return f"DELETE FROM {model.name} WHERE build_id != @build_id{kept}"  # noqa: S608  the name of a model of ours


def contents_sql(model: Model) -> str:
    """Return the query of all that a model holds of a build, or a view shows, in an order of its own.

    The table has another name here: in GoogleSQL the name of a table in FROM hides a column of the same name.
    """
    columns = ", ".join(column.name for column in model.columns)
    places = ", ".join(str(place) for place in range(1, len(model.columns) + 1))
    where = "" if model.is_view else " WHERE build_id = @build_id"
    return f"SELECT {columns} FROM {model.name} AS contents{where} ORDER BY {places}"  # noqa: S608  names of our own models
