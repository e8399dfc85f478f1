-- trace: tickets
-- The live tickets that departed on the day.
SELECT ticket.ticket AS entity, '' AS field, 1 AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND ticket.departure_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;

-- trace: earned_minor
-- The fares of the live tickets that departed on the day.
SELECT ticket.ticket AS entity, 'fare_minor' AS field, ticket.fare_minor AS amount
FROM mart.fact_ticket AS ticket
INNER JOIN certificates.published AS published
  ON published.build_id = ticket.build_id
  AND published.month = ticket.departure_month
  AND published.currency = ticket.currency
  AND published.business_unit = ticket.business_unit
WHERE ticket.is_live
  AND ticket.departure_day = @business_day
  AND COALESCE(ticket.route_id, 'unknown') = @route_id
  AND ticket.currency = @currency
  AND ticket.business_unit = @business_unit
ORDER BY entity;
