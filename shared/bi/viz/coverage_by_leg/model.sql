WITH published AS (
  SELECT * FROM certificates.published
),
seats AS (
  SELECT manifest.travel_day, manifest.route_id, manifest.service_id, manifest.currency, manifest.business_unit,
    CAST(SUM(manifest.seats) AS INT64) AS seats_offered
  FROM mart.fact_manifest AS manifest
  INNER JOIN published
    ON published.build_id = manifest.build_id
    AND published.month = manifest.travel_month
    AND published.currency = manifest.currency
    AND published.business_unit = manifest.business_unit
  WHERE manifest.is_offered
  GROUP BY manifest.travel_day, manifest.route_id, manifest.service_id, manifest.currency, manifest.business_unit
),
tickets AS (
  SELECT
    ticket.travel_day AS business_day,
    COALESCE(ticket.route_id, 'unknown') AS route_id,
    COALESCE(ticket.service_id, 'unknown') AS service_id,
    COALESCE(ticket.origin, 'unknown') AS origin,
    COALESCE(ticket.destination, 'unknown') AS destination,
    ticket.currency,
    ticket.business_unit,
    ticket.status,
    ticket.fare_minor AS fare
  FROM mart.fact_ticket AS ticket
  INNER JOIN published
    ON published.build_id = ticket.build_id
    AND published.month = ticket.departure_month
    AND published.currency = ticket.currency
    AND published.business_unit = ticket.business_unit
  WHERE ticket.is_live
),
legs AS (
  SELECT
    business_day,
    route_id,
    service_id,
    origin,
    destination,
    currency,
    business_unit,
    COUNT(*) AS seats_sold,
    COUNTIF(status = 'boarded') AS boarded,
    COUNTIF(status = 'no_show') AS no_show,
    COUNTIF(status NOT IN ('boarded', 'no_show')) AS unscanned,
    CAST(SUM(fare) AS INT64) AS fare_minor
  FROM tickets
  GROUP BY business_day, route_id, service_id, origin, destination, currency, business_unit
)
SELECT
  leg.business_day,
  leg.route_id,
  leg.service_id,
  leg.origin,
  leg.destination,
  leg.currency,
  leg.business_unit,
  seats.seats_offered,
  leg.seats_sold,
  leg.boarded,
  leg.no_show,
  leg.unscanned,
  leg.fare_minor,
  IF(seats.seats_offered > 0, DIV(10000 * leg.seats_sold, seats.seats_offered), NULL) AS load_factor_bp
FROM legs AS leg
LEFT JOIN seats
  ON seats.travel_day = leg.business_day
  AND seats.route_id = leg.route_id
  AND seats.service_id = leg.service_id
  AND seats.currency = leg.currency
  AND seats.business_unit = leg.business_unit
