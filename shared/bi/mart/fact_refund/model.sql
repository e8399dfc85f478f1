WITH refunds AS (
  SELECT *, DATE(TIMESTAMP_MILLIS(refunded_at_ms), 'America/Argentina/Buenos_Aires') AS refunded_day
  FROM staging.refund
  WHERE provider = 'betterez'
),
payments AS (
  SELECT * FROM mart.fact_payment WHERE build_id = @build_id AND is_platform AND is_captured
),
paid_by AS (
  -- Where a refund does not say by which payment the money goes back, it goes back the way that the sale was paid.
  SELECT sale, MIN(processor) AS processor, MIN(method) AS method
  FROM payments
  GROUP BY sale
)
SELECT
  refund.key AS refund,
  refund.sale,
  refund.original_sale,
  refund.ticket,
  refund.payment,
  refund.refund_type,
  refund.item_minor,
  refund.penalty_minor,
  refund.amount_minor,
  refund.currency,
  refund.business_unit,
  refund.status,
  refund.status IN ('pending', 'success') AS is_owed,
  refund.refund_type = 'cash' AND refund.status = 'success' AS is_cash_paid,
  COALESCE(payment.processor, paid_by.processor, 'unassigned') AS processor,
  COALESCE(payment.method, paid_by.method, 'unassigned') AS method,
  refund.refunded_day,
  FORMAT_DATE('%Y-%m', refund.refunded_day) AS refunded_month
FROM refunds AS refund
LEFT JOIN payments AS payment ON payment.payment = refund.payment
LEFT JOIN paid_by ON paid_by.sale = refund.original_sale
