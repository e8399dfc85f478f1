WITH tickets AS (
  SELECT * FROM mart.fact_ticket WHERE build_id = @build_id
),
payments AS (
  SELECT * FROM mart.fact_payment WHERE build_id = @build_id AND is_captured
),
refunds AS (
  SELECT * FROM mart.fact_refund WHERE build_id = @build_id AND is_owed
),
amounts AS (
  -- One row per item of a figure: a restatement sets those of two builds side by side.
  SELECT ticket AS entity, issued_month AS month, currency, business_unit, 'tickets_issued' AS figure,
    fare_minor AS amount_minor
  FROM tickets
  UNION ALL
  SELECT ticket, departure_month, currency, business_unit, 'fares_earned', fare_minor FROM tickets WHERE is_live
  UNION ALL
  SELECT refund, refunded_month, currency, business_unit, CONCAT('refunds_', refund_type, '_item'), item_minor FROM refunds
  UNION ALL
  SELECT refund, refunded_month, currency, business_unit, CONCAT('refunds_', refund_type, '_penalty'), penalty_minor
  FROM refunds
  UNION ALL
  SELECT refund, refunded_month, currency, business_unit, CONCAT('refunds_', refund_type, '_amount'), amount_minor
  FROM refunds
  UNION ALL
  SELECT payment, paid_month, currency, business_unit, 'payments_captured', amount_minor FROM payments WHERE is_platform
  UNION ALL
  SELECT payment, paid_month, currency, business_unit, CONCAT('captured_by_', provider), amount_minor
  FROM payments
  WHERE NOT is_platform
)
SELECT
  month,
  currency,
  business_unit,
  figure,
  COUNT(*) AS item_count,
  CAST(SUM(amount_minor) AS INT64) AS amount_minor
FROM amounts
WHERE month < @open_month
GROUP BY month, currency, business_unit, figure
