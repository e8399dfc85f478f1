-- By the local day of the trip, as the manifest names it: who boards after midnight travels with the day before.
WITH published AS (
  SELECT * FROM certificates.published
),
earned AS (
  SELECT *, COALESCE(route_id, 'unknown') AS route FROM mart.fact_ticket WHERE is_live
)
SELECT
  earned.travel_day AS business_day,
  earned.route AS route_id,
  earned.currency,
  earned.business_unit,
  COUNT(*) AS tickets,
  CAST(SUM(earned.fare_minor) AS INT64) AS earned_minor
FROM earned
INNER JOIN published
  ON published.build_id = earned.build_id
  AND published.month = earned.departure_month
  AND published.currency = earned.currency
  AND published.business_unit = earned.business_unit
GROUP BY earned.travel_day, earned.route, earned.currency, earned.business_unit
