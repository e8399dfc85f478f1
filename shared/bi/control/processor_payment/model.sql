WITH set_aside AS (
  SELECT delivery_id FROM control.set_aside WHERE build_id = @build_id
),
deliveries AS (
  SELECT *
  FROM staging.deliveries
  WHERE provider IN ('stripe', 'mercadopago') AND body IS NOT NULL
    AND delivery_id NOT IN (SELECT delivery_id FROM set_aside)
),
charges AS (
  SELECT
    channel_rank,
    CAST(REGEXP_EXTRACT(JSON_VALUE(body, '$.created'), '^[0-9]{1,11}$') AS INT64) * 1000 AS version_ms,
    CONCAT('event ', JSON_VALUE(body, '$.id')) AS statement_id,
    JSON_QUERY(body, '$.data.object') AS charge
  FROM deliveries
  WHERE provider = 'stripe' AND channel = 'webhook'
    AND JSON_VALUE(body, '$.livemode') = 'true'
    AND JSON_VALUE(body, '$.data.object.object') = 'charge'
  UNION ALL
  SELECT channel_rank, received_at_ms, CONCAT('fetch ', target), body
  FROM deliveries
  WHERE provider = 'stripe' AND channel = 'fetch' AND JSON_VALUE(body, '$.object') = 'charge'
),
stripe_statements AS (
  SELECT
    'stripe' AS provider,
    JSON_VALUE(charge, '$.id') AS payment_id,
    JSON_VALUE(charge, '$.status') = 'succeeded' AND JSON_VALUE(charge, '$.captured') = 'true' AS is_captured,
    UPPER(JSON_VALUE(charge, '$.currency')) AS currency,
    NULLIF(JSON_VALUE(charge, '$.metadata.account_id'), '') AS business_unit,
    REGEXP_EXTRACT(JSON_VALUE(charge, '$.amount_captured'), '^[0-9]{1,17}$') AS minor_text,
    CAST(NULL AS STRING) AS major_text,
    CAST(REGEXP_EXTRACT(JSON_VALUE(charge, '$.created'), '^[0-9]{1,11}$') AS INT64) * 1000 AS paid_at_ms,
    version_ms,
    channel_rank,
    statement_id
  FROM charges
  WHERE JSON_VALUE(charge, '$.livemode') = 'true'
),
wallet_statements AS (
  SELECT
    'mercadopago' AS provider,
    JSON_VALUE(body, '$.id') AS payment_id,
    JSON_VALUE(body, '$.status') IN ('approved', 'refunded', 'charged_back', 'in_mediation') AS is_captured,
    JSON_VALUE(body, '$.currency_id') AS currency,
    NULLIF(JSON_VALUE(body, '$.metadata.account_id'), '') AS business_unit,
    CAST(NULL AS STRING) AS minor_text,
    JSON_VALUE(body, '$.transaction_amount') AS major_text,
    UNIX_MILLIS(SAFE_CAST(JSON_VALUE(body, '$.date_created') AS TIMESTAMP)) AS paid_at_ms,
    UNIX_MILLIS(SAFE_CAST(JSON_VALUE(body, '$.date_last_updated') AS TIMESTAMP)) AS version_ms,
    channel_rank,
    CONCAT('fetch ', target) AS statement_id
  FROM deliveries
  WHERE provider = 'mercadopago' AND channel = 'fetch' AND JSON_VALUE(body, '$.transaction_amount') IS NOT NULL
    AND COALESCE(JSON_VALUE(body, '$.live_mode'), 'true') = 'true'
),
latest AS (
  SELECT *
  FROM (SELECT * FROM stripe_statements UNION ALL SELECT * FROM wallet_statements)
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY provider, payment_id
    ORDER BY version_ms DESC, is_captured DESC, channel_rank DESC, statement_id DESC
  ) = 1
),
proved AS (
  -- Where a processor was not told the business unit, it is that of the platform's payment which it is the evidence for.
  SELECT processor, reference, MIN(business_unit) AS business_unit
  FROM control.payment
  WHERE build_id = @build_id AND reference IS NOT NULL
  GROUP BY processor, reference
),
currencies AS (
  SELECT * FROM control.currency WHERE build_id = @build_id
),
amounts AS (
  SELECT
    latest.* EXCEPT (business_unit),
    COALESCE(latest.business_unit, proved.business_unit, 'unassigned') AS business_unit,
    currencies.decimals,
    -- A decimal of major units, by its digits: 61.1 with two decimals is 61 and 10.
    REGEXP_EXTRACT(latest.major_text, '^([0-9]{1,15})(?:[.][0-9]*)?$') AS whole,
    COALESCE(REGEXP_EXTRACT(latest.major_text, '^[0-9]+[.]([0-9]*?)0*$'), '') AS fraction
  FROM latest
  LEFT JOIN proved ON proved.processor = latest.provider AND proved.reference = latest.payment_id
  LEFT JOIN currencies ON currencies.currency = latest.currency
)
SELECT
  provider,
  payment_id,
  is_captured,
  COALESCE(
    CAST(minor_text AS INT64),
    IF(LENGTH(fraction) <= decimals, CAST(CONCAT(whole, SUBSTR(CONCAT(fraction, '000'), 1, decimals)) AS INT64), NULL)
  ) AS amount_minor,
  currency,
  business_unit,
  FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(paid_at_ms), 'America/Argentina/Buenos_Aires')) AS paid_month
FROM amounts
