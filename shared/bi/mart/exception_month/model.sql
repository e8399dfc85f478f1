WITH exceptions AS (
  SELECT * FROM staging.exception
),
tickets AS (
  SELECT * FROM mart.fact_ticket WHERE build_id = @build_id
),
payments AS (
  SELECT * FROM mart.fact_payment WHERE build_id = @build_id
),
refunds AS (
  SELECT * FROM mart.fact_refund WHERE build_id = @build_id
),
places AS (
  SELECT ticket AS entity, issued_month AS month, currency, business_unit FROM tickets
  UNION ALL
  SELECT ticket, departure_month, currency, business_unit FROM tickets
  UNION ALL
  SELECT sale, issued_month, currency, business_unit FROM tickets
  UNION ALL
  SELECT sale, departure_month, currency, business_unit FROM tickets
  UNION ALL
  SELECT payment, paid_month, currency, business_unit FROM payments
  UNION ALL
  SELECT sale, paid_month, currency, business_unit FROM payments
  UNION ALL
  SELECT refund, refunded_month, currency, business_unit FROM refunds
  UNION ALL
  SELECT ticket, refunded_month, currency, business_unit FROM refunds
  UNION ALL
  SELECT sale, refunded_month, currency, business_unit FROM refunds
  UNION ALL
  SELECT original_sale, refunded_month, currency, business_unit FROM refunds
  UNION ALL
  SELECT payment, refunded_month, currency, business_unit FROM refunds
  UNION ALL
  SELECT sale, sold_month, currency, business_unit FROM mart.fact_sale WHERE build_id = @build_id
  UNION ALL
  SELECT source, month, currency, business_unit FROM mart.movement_settlement WHERE build_id = @build_id
  UNION ALL
  SELECT manifest, travel_month, currency, business_unit FROM mart.fact_manifest WHERE build_id = @build_id
),
placed AS (
  SELECT DISTINCT exceptions.exception_id, places.month, places.currency, places.business_unit
  FROM exceptions
  INNER JOIN places ON places.entity = exceptions.entity
  WHERE places.month IS NOT NULL
)
SELECT
  exceptions.exception_id,
  exceptions.kind,
  exceptions.subject,
  exceptions.is_blocking,
  exceptions.is_accepted,
  placed.month IS NOT NULL AS is_placed,
  COALESCE(
    placed.month,
    FORMAT_DATE(
      '%Y-%m',
      DATE_SUB(DATE(TIMESTAMP_MILLIS(exceptions.opened_at_ms), 'America/Argentina/Buenos_Aires'), INTERVAL 1 MONTH)
    )
  ) AS month,
  placed.currency,
  placed.business_unit
FROM exceptions
LEFT JOIN placed ON placed.exception_id = exceptions.exception_id
