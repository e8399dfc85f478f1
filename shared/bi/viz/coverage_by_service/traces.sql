-- trace: seats_offered
-- The seats that the manifest of the trip offers.
SELECT manifest.manifest AS entity, 'capacity' AS field, manifest.seats AS amount
FROM mart.fact_manifest AS manifest
INNER JOIN certificates.published AS published
  ON published.build_id = manifest.build_id
  AND published.month = manifest.travel_month
  AND published.currency = manifest.currency
  AND published.business_unit = manifest.business_unit
WHERE manifest.is_offered
  AND manifest.seats IS NOT NULL
  AND manifest.travel_day = @business_day
  AND COALESCE(manifest.route_id, 'unknown') = @route_id
  AND COALESCE(manifest.service_id, 'unknown') = @service_id
  AND manifest.currency = @currency
  AND manifest.business_unit = @business_unit
ORDER BY entity;

-- trace: seats_sold
-- The tickets of the trip that stand.
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.service_id, 'unknown') = @service_id
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: boarded
-- Those whose passenger travelled.
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND ticket.status = 'boarded'
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.service_id, 'unknown') = @service_id
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: no_show
-- Those whose passenger did not come.
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND ticket.status = 'no_show'
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.service_id, 'unknown') = @service_id
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: unscanned
-- Those of which nobody said whether the passenger came.
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND ticket.status NOT IN ('boarded', 'no_show')
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.service_id, 'unknown') = @service_id
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: fare_minor
-- The fares of the tickets that stand.
SELECT ticket.ticket AS entity, 'fare_minor' AS field, ticket.fare_minor AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND ticket.travel_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.service_id, 'unknown') = @service_id
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;
