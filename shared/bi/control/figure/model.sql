WITH tickets AS (
  SELECT * FROM control.ticket WHERE build_id = @build_id
),
refunds AS (
  SELECT * FROM control.refund WHERE build_id = @build_id AND is_owed
),
payments AS (
  SELECT * FROM control.payment WHERE build_id = @build_id AND is_captured
),
processor_payments AS (
  SELECT * FROM control.processor_payment WHERE build_id = @build_id AND is_captured
),
amounts AS (
  SELECT issued_month AS month, currency, business_unit, 'tickets_issued' AS figure, fare_minor AS amount_minor FROM tickets
  UNION ALL
  SELECT departure_month, currency, business_unit, 'fares_earned', fare_minor FROM tickets WHERE is_live
  UNION ALL
  SELECT refunded_month, currency, business_unit, CONCAT('refunds_', refund_type, '_item'), item_minor FROM refunds
  UNION ALL
  SELECT refunded_month, currency, business_unit, CONCAT('refunds_', refund_type, '_penalty'), penalty_minor FROM refunds
  UNION ALL
  SELECT refunded_month, currency, business_unit, CONCAT('refunds_', refund_type, '_amount'), amount_minor FROM refunds
  UNION ALL
  SELECT paid_month, currency, business_unit, 'payments_captured', amount_minor FROM payments
  UNION ALL
  SELECT paid_month, currency, business_unit, CONCAT('captured_by_', provider), amount_minor FROM processor_payments
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
