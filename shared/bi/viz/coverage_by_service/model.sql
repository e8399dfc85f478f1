WITH published AS (
  SELECT * FROM certificates.published
),
movements AS (
  SELECT build_id, departure_month AS month, travel_day AS business_day, COALESCE(route_id, 'unknown') AS route_id, COALESCE(service_id, 'unknown') AS service_id, currency, business_unit,
    CAST(NULL AS INT64) AS seats, 1 AS sold, status, fare_minor AS fare
  FROM mart.fact_ticket
  WHERE is_live
  UNION ALL
  SELECT build_id, travel_month, travel_day, COALESCE(route_id, 'unknown'), COALESCE(service_id, 'unknown'), currency, business_unit, seats, 0, 'seats', 0
  FROM mart.fact_manifest
  WHERE is_offered
),
totals AS (
  SELECT
    movements.business_day,
    movements.route_id,
    movements.service_id,
    movements.currency,
    movements.business_unit,
    CAST(SUM(movements.seats) AS INT64) AS seats_offered,
    CAST(SUM(movements.sold) AS INT64) AS seats_sold,
    COUNTIF(movements.status = 'boarded') AS boarded,
    COUNTIF(movements.status = 'no_show') AS no_show,
    COUNTIF(movements.sold = 1 AND movements.status NOT IN ('boarded', 'no_show')) AS unscanned,
    CAST(SUM(movements.fare) AS INT64) AS fare_minor
  FROM movements
  INNER JOIN published
    ON published.build_id = movements.build_id
    AND published.month = movements.month
    AND published.currency = movements.currency
    AND published.business_unit = movements.business_unit
  GROUP BY movements.business_day, movements.route_id, movements.service_id, movements.currency, movements.business_unit
)
SELECT
  business_day,
  route_id,
  service_id,
  currency,
  business_unit,
  seats_offered,
  seats_sold,
  boarded,
  no_show,
  unscanned,
  fare_minor,
  IF(seats_offered > 0, DIV(10000 * seats_sold, seats_offered), NULL) AS load_factor_bp
FROM totals
