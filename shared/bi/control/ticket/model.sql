WITH events AS (
  SELECT * FROM control.betterez_event WHERE build_id = @build_id
),
transactions AS (
  SELECT
    statement_id,
    channel_rank,
    stated_at_ms,
    COALESCE(JSON_VALUE(data, '$.updatedAt.value'), JSON_VALUE(data, '$.createdAt.value')) AS changed_at,
    COALESCE(JSON_VALUE(data, '$.currency'), JSON_VALUE(data, '$.shiftLocation.primaryCurrencyCode')) AS currency,
    JSON_VALUE(data, '$.accountId') AS business_unit,
    tickets
  FROM events
  WHERE about = 'transaction' AND tickets IS NOT NULL
),
tickets AS (
  SELECT statement_id, channel_rank, stated_at_ms, data AS ticket, CAST(NULL AS STRING) AS currency,
    CAST(NULL AS STRING) AS business_unit
  FROM events
  WHERE about = 'ticket'
  UNION ALL
  SELECT statement_id, channel_rank, COALESCE(UNIX_MILLIS(SAFE_CAST(changed_at AS TIMESTAMP)), stated_at_ms), ticket, currency,
    business_unit
  FROM transactions, UNNEST(JSON_QUERY_ARRAY(tickets, '$')) AS ticket
),
statements AS (
  SELECT
    JSON_VALUE(ticket, '$._id') AS ticket_id,
    LOWER(JSON_VALUE(ticket, '$.status')) AS status,
    COALESCE(
      NULLIF(JSON_VALUE(ticket, '$.currency'), ''),
      NULLIF(JSON_VALUE(ticket, '$.shiftLocation.primaryCurrencyCode'), ''),
      currency
    ) AS currency,
    COALESCE(NULLIF(JSON_VALUE(ticket, '$.accountId'), ''), business_unit) AS business_unit,
    JSON_VALUE(ticket, '$.total') AS total,
    UNIX_MILLIS(SAFE_CAST(JSON_VALUE(ticket, '$.createdAt.value') AS TIMESTAMP)) AS issued_at_ms,
    UNIX_MILLIS(SAFE_CAST(
      COALESCE(JSON_VALUE(ticket, '$.departureTimestamp.value'), JSON_VALUE(ticket, '$.departureTimestamp')) AS TIMESTAMP
    )) AS departs_at_ms,
    UNIX_MILLIS(SAFE_CAST(
      COALESCE(JSON_VALUE(ticket, '$.updatedAt.value'), JSON_VALUE(ticket, '$.createdAt.value')) AS TIMESTAMP
    )) AS changed_at_ms,
    stated_at_ms,
    channel_rank,
    statement_id
  FROM tickets
),
placed AS (
  SELECT
    *,
    COALESCE(changed_at_ms, stated_at_ms) AS version_ms,
    -- Of two statements of one instant the one further along a ticket's life is the later one.
    CASE
      WHEN status = 'paid' THEN 1
      WHEN status IN ('redeemed', 'boarded', 'noshow', 'no-show', 'no_show') THEN 2
      WHEN status IS NULL THEN 0
      ELSE 3
    END AS life_step
  FROM statements
  WHERE status IS NOT NULL OR total IS NOT NULL
),
latest AS (
  SELECT
    ticket_id,
    LAST_VALUE(status IGNORE NULLS) OVER statements_in_order AS status,
    LAST_VALUE(currency IGNORE NULLS) OVER statements_in_order AS currency,
    LAST_VALUE(business_unit IGNORE NULLS) OVER statements_in_order AS business_unit,
    LAST_VALUE(total IGNORE NULLS) OVER statements_in_order AS total,
    LAST_VALUE(issued_at_ms IGNORE NULLS) OVER statements_in_order AS issued_at_ms,
    LAST_VALUE(departs_at_ms IGNORE NULLS) OVER statements_in_order AS departs_at_ms
  FROM placed
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY ticket_id ORDER BY statement_id) = 1
  WINDOW statements_in_order AS (
    PARTITION BY ticket_id
    ORDER BY version_ms, life_step, channel_rank, statement_id
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
  )
),
given_back AS (
  SELECT ticket_id, MIN(refunded_at_ms) AS given_back_at_ms
  FROM control.refund
  WHERE build_id = @build_id AND is_owed AND ticket_id IS NOT NULL
  GROUP BY ticket_id
),
currencies AS (
  SELECT * FROM control.currency WHERE build_id = @build_id
),
amounts AS (
  SELECT
    latest.*,
    -- The platform counts 1/100,000 of a major unit; what does not fall on a whole minor unit is no amount.
    CAST(REGEXP_EXTRACT(latest.total, '^(-?[0-9]{1,17})(?:[.]0+)?$') AS INT64) AS scaled,
    CASE currencies.decimals WHEN 0 THEN 100000 WHEN 2 THEN 1000 WHEN 3 THEN 100 END AS scale
  FROM latest
  LEFT JOIN currencies ON currencies.currency = latest.currency
)
SELECT
  amounts.ticket_id,
  status,
  -- What is given back after departure had been travelled.
  status IN ('paid', 'redeemed', 'boarded', 'noshow', 'no-show', 'no_show')
    OR (status IN ('cancelled', 'canceled', 'changed') AND COALESCE(given_back_at_ms >= departs_at_ms, FALSE)) AS is_live,
  IF(MOD(scaled, scale) = 0, DIV(scaled, scale), NULL) AS fare_minor,
  currency,
  business_unit,
  FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(issued_at_ms), 'America/Argentina/Buenos_Aires')) AS issued_month,
  FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(departs_at_ms), 'America/Argentina/Buenos_Aires')) AS departure_month
FROM amounts
LEFT JOIN given_back ON given_back.ticket_id = amounts.ticket_id
