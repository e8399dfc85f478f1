-- trace: seats_offered
-- The seats that the manifests of the route's departures offer.
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
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: seats_sold_of_offered
-- The tickets that stand on departures whose seats are known.
WITH published AS (
  SELECT * FROM certificates.published
),
trips AS (
  SELECT DISTINCT manifest.service_id
  FROM mart.fact_manifest AS manifest
  INNER JOIN published
    ON published.build_id = manifest.build_id
    AND published.month = manifest.travel_month
    AND published.currency = manifest.currency
    AND published.business_unit = manifest.business_unit
  WHERE manifest.is_offered
    AND manifest.seats IS NOT NULL
    AND manifest.travel_day = @business_day
    AND manifest.route_id = @route_id
    AND manifest.currency = @currency
    AND manifest.business_unit = @business_unit
)
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
INNER JOIN trips AS trip ON trip.service_id = ticket.service_id
WHERE ticket.is_live
  AND ticket.travel_day = @business_day
  AND ticket.route_id = @route_id
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
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;
