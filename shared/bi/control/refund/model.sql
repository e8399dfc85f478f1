WITH events AS (
  SELECT * FROM control.betterez_event WHERE build_id = @build_id
),
transactions AS (
  SELECT
    statement_id,
    channel_rank,
    stated_at_ms,
    refund,
    COALESCE(JSON_VALUE(data, '$.updatedAt.value'), JSON_VALUE(data, '$.createdAt.value')) AS changed_at,
    COALESCE(JSON_VALUE(data, '$.currency'), JSON_VALUE(data, '$.shiftLocation.primaryCurrencyCode')) AS currency,
    JSON_VALUE(data, '$.accountId') AS business_unit
  FROM (SELECT * FROM events WHERE about = 'transaction' AND refunds IS NOT NULL), UNNEST(JSON_QUERY_ARRAY(refunds, '$')) AS refund
),
refunds AS (
  SELECT statement_id, channel_rank, stated_at_ms, data AS refund, CAST(NULL AS STRING) AS currency,
    CAST(NULL AS STRING) AS business_unit
  FROM events
  WHERE about = 'refund'
  UNION ALL
  SELECT statement_id, channel_rank, COALESCE(UNIX_MILLIS(SAFE_CAST(changed_at AS TIMESTAMP)), stated_at_ms), refund, currency,
    business_unit
  FROM transactions
),
statements AS (
  SELECT
    JSON_VALUE(refund, '$._id') AS refund_id,
    NULLIF(JSON_VALUE(refund, '$.ticketId'), '') AS ticket_id,
    LOWER(JSON_VALUE(refund, '$.status')) AS status,
    IF(LOWER(JSON_VALUE(refund, '$.type')) = 'change', 'exchange', 'cash') AS refund_type,
    COALESCE(
      NULLIF(JSON_VALUE(refund, '$.currency'), ''),
      NULLIF(JSON_VALUE(refund, '$.shiftLocation.primaryCurrencyCode'), ''),
      currency
    ) AS currency,
    COALESCE(NULLIF(JSON_VALUE(refund, '$.accountId'), ''), business_unit) AS business_unit,
    JSON_VALUE(refund, '$.amount') AS item,
    COALESCE(JSON_VALUE(refund, '$.penalty'), '0') AS penalty,
    JSON_VALUE(refund, '$.amountToRefund') AS amount,
    COALESCE(
      UNIX_MILLIS(SAFE_CAST(JSON_VALUE(refund, '$.createdAt.value') AS TIMESTAMP)),
      UNIX_MILLIS(SAFE_CAST(JSON_VALUE(refund, '$.updatedAt.value') AS TIMESTAMP)),
      stated_at_ms
    ) AS refunded_at_ms,
    COALESCE(
      UNIX_MILLIS(SAFE_CAST(JSON_VALUE(refund, '$.updatedAt.value') AS TIMESTAMP)),
      UNIX_MILLIS(SAFE_CAST(JSON_VALUE(refund, '$.createdAt.value') AS TIMESTAMP)),
      stated_at_ms
    ) AS version_ms,
    channel_rank,
    statement_id
  FROM refunds
),
latest AS (
  SELECT *
  FROM statements
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY refund_id
    ORDER BY
      version_ms DESC,
      -- Of two statements of one instant the one further along a refund's life is the later one.
      CASE WHEN status = 'error' THEN 2 WHEN status IN ('success', 'paid', 'refunded', 'completed') THEN 1 ELSE 0 END DESC,
      channel_rank DESC,
      statement_id DESC
  ) = 1
),
currencies AS (
  SELECT * FROM control.currency WHERE build_id = @build_id
),
amounts AS (
  SELECT
    latest.*,
    -- The platform counts 1/100,000 of a major unit; what does not fall on a whole minor unit is no amount.
    CAST(REGEXP_EXTRACT(latest.item, '^(-?[0-9]{1,17})(?:[.]0+)?$') AS INT64) AS item_scaled,
    CAST(REGEXP_EXTRACT(latest.penalty, '^(-?[0-9]{1,17})(?:[.]0+)?$') AS INT64) AS penalty_scaled,
    CAST(REGEXP_EXTRACT(latest.amount, '^(-?[0-9]{1,17})(?:[.]0+)?$') AS INT64) AS amount_scaled,
    CASE currencies.decimals WHEN 0 THEN 100000 WHEN 2 THEN 1000 WHEN 3 THEN 100 END AS scale
  FROM latest
  LEFT JOIN currencies ON currencies.currency = latest.currency
)
SELECT
  refund_id,
  ticket_id,
  status,
  refund_type,
  status IN ('success', 'paid', 'refunded', 'completed', 'created', 'pending', 'review') AS is_owed,
  IF(MOD(item_scaled, scale) = 0, DIV(item_scaled, scale), NULL) AS item_minor,
  IF(MOD(penalty_scaled, scale) = 0, DIV(penalty_scaled, scale), NULL) AS penalty_minor,
  IF(MOD(amount_scaled, scale) = 0, DIV(amount_scaled, scale), NULL) AS amount_minor,
  currency,
  business_unit,
  refunded_at_ms,
  FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(refunded_at_ms), 'America/Argentina/Buenos_Aires')) AS refunded_month
FROM amounts
