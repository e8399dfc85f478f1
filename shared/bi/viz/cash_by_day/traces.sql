-- trace: captured_minor
-- The captured payments of the day.
SELECT payment.payment AS entity, 'amount_minor' AS field, payment.amount_minor AS amount
FROM mart.fact_payment AS payment
INNER JOIN certificates.published AS published
  ON published.build_id = payment.build_id
  AND published.month = payment.paid_month
  AND published.currency = payment.currency
  AND published.business_unit = payment.business_unit
WHERE payment.is_platform
  AND payment.is_captured
  AND payment.paid_day = @business_day
  AND payment.processor = @processor
  AND COALESCE(payment.method, 'unassigned') = @method
  AND payment.currency = @currency
  AND payment.business_unit = @business_unit
ORDER BY entity;

-- trace: refunded_minor
-- What went back in cash on the day.
SELECT refund.refund AS entity, 'amount_minor' AS field, refund.amount_minor AS amount
FROM mart.fact_refund AS refund
INNER JOIN certificates.published AS published
  ON published.build_id = refund.build_id
  AND published.month = refund.refunded_month
  AND published.currency = refund.currency
  AND published.business_unit = refund.business_unit
WHERE refund.is_cash_paid
  AND refund.refunded_day = @business_day
  AND refund.processor = @processor
  AND refund.method = @method
  AND refund.currency = @currency
  AND refund.business_unit = @business_unit
ORDER BY entity;
