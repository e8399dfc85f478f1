-- trace: tickets_issued
-- The tickets issued in the month of sale.
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.issued_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.channel, 'unassigned') = @channel
  AND COALESCE(ticket.agency_id, 'none') = @agency_id
  AND ticket.issued_month = @sale_month
  AND ticket.departure_month = @travel_month
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: issued_minor
-- The fares of the tickets issued in the month of sale.
SELECT ticket.ticket AS entity, 'fare_minor' AS field, ticket.fare_minor AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.issued_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.channel, 'unassigned') = @channel
  AND COALESCE(ticket.agency_id, 'none') = @agency_id
  AND ticket.issued_month = @sale_month
  AND ticket.departure_month = @travel_month
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: tickets_earned
-- The tickets that stood in the month of travel.
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.channel, 'unassigned') = @channel
  AND COALESCE(ticket.agency_id, 'none') = @agency_id
  AND ticket.issued_month = @sale_month
  AND ticket.departure_month = @travel_month
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: earned_minor
-- The fares of the tickets that stood in the month of travel.
SELECT ticket.ticket AS entity, 'fare_minor' AS field, ticket.fare_minor AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND COALESCE(ticket.channel, 'unassigned') = @channel
  AND COALESCE(ticket.agency_id, 'none') = @agency_id
  AND ticket.issued_month = @sale_month
  AND ticket.departure_month = @travel_month
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;
