WITH tickets AS (
  SELECT
    *,
    DATE(TIMESTAMP_MILLIS(issued_at_ms), 'America/Argentina/Buenos_Aires') AS issued_day,
    DATE(TIMESTAMP_MILLIS(departs_at_ms), 'America/Argentina/Buenos_Aires') AS departure_day
  FROM staging.ticket
)
SELECT
  key AS ticket,
  ticket_number,
  sale,
  status,
  status IN ('open', 'boarded', 'no_show') AS is_live,
  fare_minor,
  currency,
  business_unit,
  channel,
  agency_id,
  issued_day,
  FORMAT_DATE('%Y-%m', issued_day) AS issued_month,
  departs_at_ms,
  departure_day,
  FORMAT_DATE('%Y-%m', departure_day) AS departure_month,
  route_id,
  service_id,
  origin,
  destination,
  changed_from,
  refund
FROM tickets
