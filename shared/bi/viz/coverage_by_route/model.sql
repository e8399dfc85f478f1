WITH published AS (
  SELECT * FROM certificates.published
),
manifests AS (
  SELECT manifest.*
  FROM mart.fact_manifest AS manifest
  INNER JOIN published
    ON published.build_id = manifest.build_id
    AND published.month = manifest.travel_month
    AND published.currency = manifest.currency
    AND published.business_unit = manifest.business_unit
  WHERE manifest.is_offered
),
trips AS (
  SELECT route_id, service_id, travel_day, currency, business_unit
  FROM manifests
  WHERE seats IS NOT NULL
  GROUP BY route_id, service_id, travel_day, currency, business_unit
),
tickets AS (
  SELECT ticket.*, trip.travel_day IS NOT NULL AS has_seats
  FROM mart.fact_ticket AS ticket
  INNER JOIN published
    ON published.build_id = ticket.build_id
    AND published.month = ticket.departure_month
    AND published.currency = ticket.currency
    AND published.business_unit = ticket.business_unit
  LEFT JOIN trips AS trip
    ON trip.route_id = ticket.route_id
    AND trip.service_id = ticket.service_id
    AND trip.travel_day = ticket.travel_day
    AND trip.currency = ticket.currency
    AND trip.business_unit = ticket.business_unit
  WHERE ticket.is_live
),
movements AS (
  SELECT travel_day AS business_day, COALESCE(route_id, 'unknown') AS route_id, currency, business_unit,
    CAST(NULL AS INT64) AS seats, 1 AS sold, IF(has_seats, 1, 0) AS sold_of_offered, status, fare_minor AS fare
  FROM tickets
  UNION ALL
  SELECT travel_day, COALESCE(route_id, 'unknown'), currency, business_unit, seats, 0, 0, 'seats', 0
  FROM manifests
),
totals AS (
  SELECT
    business_day,
    route_id,
    currency,
    business_unit,
    CAST(SUM(seats) AS INT64) AS seats_offered,
    CAST(SUM(sold) AS INT64) AS seats_sold,
    CAST(SUM(sold_of_offered) AS INT64) AS seats_sold_of_offered,
    COUNTIF(status = 'boarded') AS boarded,
    COUNTIF(status = 'no_show') AS no_show,
    COUNTIF(sold = 1 AND status NOT IN ('boarded', 'no_show')) AS unscanned,
    CAST(SUM(fare) AS INT64) AS fare_minor
  FROM movements
  GROUP BY business_day, route_id, currency, business_unit
)
SELECT
  business_day,
  route_id,
  currency,
  business_unit,
  seats_offered,
  seats_sold,
  seats_sold_of_offered,
  boarded,
  no_show,
  unscanned,
  fare_minor,
  IF(seats_offered > 0, DIV(10000 * seats_sold_of_offered, seats_offered), NULL) AS load_factor_bp
FROM totals
