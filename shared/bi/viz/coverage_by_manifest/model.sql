WITH published AS (
  SELECT * FROM certificates.published
),
tags AS (
  SELECT build_id, route_id, service_id, travel_day, MIN(COALESCE(status, 'unknown')) AS status
  FROM mart.fact_manifest
  GROUP BY build_id, route_id, service_id, travel_day
),
tickets AS (
  SELECT
    ticket.travel_day AS business_day,
    COALESCE(ticket.route_id, 'unknown') AS route_id,
    COALESCE(tag.status, 'none') AS manifest_status,
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
  LEFT JOIN tags AS tag
    ON tag.build_id = ticket.build_id
    AND tag.route_id = ticket.route_id
    AND tag.service_id = ticket.service_id
    AND tag.travel_day = ticket.travel_day
  WHERE ticket.is_live
)
SELECT
  business_day,
  route_id,
  manifest_status,
  currency,
  business_unit,
  COUNT(*) AS seats_sold,
  COUNTIF(status = 'boarded') AS boarded,
  COUNTIF(status = 'no_show') AS no_show,
  COUNTIF(status NOT IN ('boarded', 'no_show')) AS unscanned,
  CAST(SUM(fare) AS INT64) AS fare_minor
FROM tickets
GROUP BY business_day, route_id, manifest_status, currency, business_unit
