-- trace: seats_sold
-- The tickets of the trip that stand.
WITH tags AS (
  SELECT build_id, route_id, service_id, travel_day, MIN(COALESCE(status, 'unknown')) AS status
  FROM mart.fact_manifest
  GROUP BY build_id, route_id, service_id, travel_day
)
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
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
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(tag.status, 'none') = @manifest_status
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: boarded
-- Those whose passenger travelled.
WITH tags AS (
  SELECT build_id, route_id, service_id, travel_day, MIN(COALESCE(status, 'unknown')) AS status
  FROM mart.fact_manifest
  GROUP BY build_id, route_id, service_id, travel_day
)
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
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
  AND ticket.status = 'boarded'
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(tag.status, 'none') = @manifest_status
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: no_show
-- Those whose passenger did not come.
WITH tags AS (
  SELECT build_id, route_id, service_id, travel_day, MIN(COALESCE(status, 'unknown')) AS status
  FROM mart.fact_manifest
  GROUP BY build_id, route_id, service_id, travel_day
)
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
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
  AND ticket.status = 'no_show'
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(tag.status, 'none') = @manifest_status
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: unscanned
-- Those of which nobody said whether the passenger came.
WITH tags AS (
  SELECT build_id, route_id, service_id, travel_day, MIN(COALESCE(status, 'unknown')) AS status
  FROM mart.fact_manifest
  GROUP BY build_id, route_id, service_id, travel_day
)
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
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
  AND ticket.status NOT IN ('boarded', 'no_show')
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(tag.status, 'none') = @manifest_status
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: fare_minor
-- The fares of the tickets that stand.
WITH tags AS (
  SELECT build_id, route_id, service_id, travel_day, MIN(COALESCE(status, 'unknown')) AS status
  FROM mart.fact_manifest
  GROUP BY build_id, route_id, service_id, travel_day
)
SELECT ticket.ticket AS entity, 'fare_minor' AS field, ticket.fare_minor AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
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
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(tag.status, 'none') = @manifest_status
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;
