WITH events AS (
  SELECT * FROM control.betterez_event WHERE build_id = @build_id
),
transactions AS (
  SELECT
    statement_id,
    channel_rank,
    stated_at_ms,
    JSON_VALUE(data, '$._id') AS transaction_id,
    JSON_VALUE(data, '$.accountId') AS business_unit,
    COALESCE(
      NULLIF(JSON_VALUE(data, '$.currency'), ''),
      NULLIF(JSON_VALUE(data, '$.shiftLocation.primaryCurrencyCode'), '')
    ) AS currency,
    JSON_VALUE(data, '$.createdAt.value') AS created_at,
    JSON_VALUE(data, '$.updatedAt.value') AS updated_at,
    JSON_QUERY(data, '$.payments') AS payments
  FROM events
  WHERE about = 'transaction' AND STARTS_WITH(JSON_QUERY(data, '$.payments'), '[')
),
statements AS (
  SELECT
    -- A payment without a reference is known by its place in the transaction; one engine counts places from 0, one from 1.
    CONCAT(transaction_id, ' ', COALESCE(
      NULLIF(JSON_VALUE(payment, '$.referenceNumber'), ''),
      CONCAT('#', CAST(place - MIN(place) OVER (PARTITION BY statement_id) AS STRING))
    )) AS payment_id,
    LOWER(JSON_VALUE(payment, '$.provider')) AS processor,
    NULLIF(JSON_VALUE(payment, '$.referenceNumber'), '') AS reference,
    LOWER(JSON_VALUE(payment, '$.status')) AS status,
    COALESCE(NULLIF(JSON_VALUE(payment, '$.currencyCode'), ''), currency) AS currency,
    business_unit,
    JSON_VALUE(payment, '$.amount') AS amount,
    UNIX_MILLIS(SAFE_CAST(COALESCE(JSON_VALUE(payment, '$.createdAt.value'), JSON_VALUE(payment, '$.createdAt'), created_at) AS TIMESTAMP))
      AS paid_at_ms,
    COALESCE(UNIX_MILLIS(SAFE_CAST(COALESCE(updated_at, created_at) AS TIMESTAMP)), stated_at_ms) AS version_ms,
    channel_rank,
    statement_id
  FROM transactions, UNNEST(JSON_QUERY_ARRAY(payments, '$')) AS payment WITH OFFSET AS place
),
latest AS (
  SELECT *
  FROM statements
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY payment_id
    ORDER BY
      version_ms DESC,
      -- Of two statements of one instant the one further along a payment's life is the later one.
      CASE status WHEN 'refunded' THEN 3 WHEN 'success' THEN 2 WHEN 'error' THEN 1 ELSE 0 END DESC,
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
    currencies.decimals,
    -- A decimal of major units, by its digits: 61.1 with two decimals is 61 and 10.
    REGEXP_EXTRACT(latest.amount, '^(-?[0-9]{1,15})(?:[.][0-9]*)?$') AS whole,
    COALESCE(REGEXP_EXTRACT(latest.amount, '^-?[0-9]+[.]([0-9]*?)0*$'), '') AS fraction
  FROM latest
  LEFT JOIN currencies ON currencies.currency = latest.currency
)
SELECT
  payment_id,
  processor,
  reference,
  status,
  status IN ('success', 'refunded') AS is_captured,
  IF(LENGTH(fraction) <= decimals, CAST(CONCAT(whole, SUBSTR(CONCAT(fraction, '000'), 1, decimals)) AS INT64), NULL) AS amount_minor,
  currency,
  business_unit,
  FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(paid_at_ms), 'America/Argentina/Buenos_Aires')) AS paid_month
FROM amounts
