WITH given_back AS (
  SELECT ticket, MIN(refunded_at_ms) AS given_back_at_ms
  FROM staging.refund
  WHERE provider = 'betterez' AND status IN ('pending', 'success') AND ticket IS NOT NULL
  GROUP BY ticket
),
unpaid AS (
  SELECT key AS sale FROM staging.sale WHERE status = 'expired'
),
tickets AS (
  SELECT
    ticket.*,
    -- What ends the right to travel, by facts that have a day: what is given back after departure had been travelled.
    CASE
      WHEN status = 'void' OR (status = 'expired' AND unpaid.sale IS NOT NULL) THEN 'void'
      WHEN status IN ('refunded', 'exchanged') AND given_back_at_ms < departs_at_ms THEN status
      WHEN status = 'refunded' AND given_back_at_ms IS NULL THEN 'forfeited'
      WHEN status = 'exchanged' AND given_back_at_ms IS NULL THEN 'exchanged'
      WHEN status IN ('open', 'boarded', 'refunded', 'exchanged') THEN 'travelled'
      WHEN status IN ('no_show', 'expired') THEN status
    END AS ended_as,
    DATE(TIMESTAMP_MILLIS(given_back_at_ms), 'America/Argentina/Buenos_Aires') AS given_back_day,
    DATE(TIMESTAMP_MILLIS(issued_at_ms), 'America/Argentina/Buenos_Aires') AS issued_day,
    DATE(TIMESTAMP_MILLIS(departs_at_ms), 'America/Argentina/Buenos_Aires') AS departure_day
  FROM staging.ticket AS ticket
  LEFT JOIN given_back ON given_back.ticket = ticket.key
  LEFT JOIN unpaid ON unpaid.sale = ticket.sale
),
dated AS (
  SELECT
    *,
    CASE
      WHEN ended_as = 'void' THEN issued_day
      WHEN ended_as IN ('refunded', 'exchanged') THEN given_back_day
      WHEN ended_as IS NOT NULL THEN departure_day
    END AS ended_day
  FROM tickets
)
SELECT
  key AS ticket,
  ticket_number,
  sale,
  status,
  ended_as IN ('travelled', 'no_show') AS is_live,
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
  COALESCE(SAFE_CAST(travel_day AS DATE), departure_day) AS travel_day,
  origin,
  destination,
  changed_from,
  refund,
  ended_as,
  ended_day,
  FORMAT_DATE('%Y-%m', ended_day) AS ended_month,
  given_back_day,
  taxes_minor,
  commission_minor
FROM dated
