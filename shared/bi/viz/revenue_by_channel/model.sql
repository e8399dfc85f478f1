WITH published AS (
  SELECT * FROM certificates.published
),
tickets AS (
  SELECT *, COALESCE(route_id, 'unknown') AS route, COALESCE(channel, 'unassigned') AS sold_by,
    COALESCE(agency_id, 'none') AS agency
  FROM mart.fact_ticket
),
movements AS (
  SELECT build_id, issued_month AS month, issued_month AS sale_month, departure_month AS travel_month, route, sold_by, agency,
    currency, business_unit, 1 AS issued, fare_minor AS issued_fare, CAST(NULL AS INT64) AS earned,
    CAST(NULL AS INT64) AS earned_fare
  FROM tickets
  UNION ALL
  SELECT build_id, departure_month, issued_month, departure_month, route, sold_by, agency, currency, business_unit, NULL, NULL,
    IF(is_live, 1, 0), IF(is_live, fare_minor, 0)
  FROM tickets
)
SELECT
  movements.sale_month,
  movements.travel_month,
  movements.route AS route_id,
  movements.sold_by AS channel,
  movements.agency AS agency_id,
  movements.currency,
  movements.business_unit,
  CAST(SUM(movements.issued) AS INT64) AS tickets_issued,
  CAST(SUM(movements.issued_fare) AS INT64) AS issued_minor,
  CAST(SUM(movements.earned) AS INT64) AS tickets_earned,
  CAST(SUM(movements.earned_fare) AS INT64) AS earned_minor
FROM movements
INNER JOIN published
  ON published.build_id = movements.build_id
  AND published.month = movements.month
  AND published.currency = movements.currency
  AND published.business_unit = movements.business_unit
GROUP BY
  movements.sale_month, movements.travel_month, movements.route, movements.sold_by, movements.agency, movements.currency,
  movements.business_unit
