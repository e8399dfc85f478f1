WITH published AS (
  SELECT * FROM certificates.published
),
movements AS (
  SELECT build_id, paid_month AS month, paid_day AS business_day, processor, COALESCE(method, 'unassigned') AS method,
    currency, business_unit, amount_minor AS captured_minor, 0 AS refunded_minor
  FROM mart.fact_payment
  WHERE is_platform AND is_captured
  UNION ALL
  SELECT build_id, refunded_month, refunded_day, processor, method, currency, business_unit, 0, amount_minor
  FROM mart.fact_refund
  WHERE is_cash_paid
)
SELECT
  movements.business_day,
  movements.processor,
  movements.method,
  movements.currency,
  movements.business_unit,
  CAST(SUM(movements.captured_minor) AS INT64) AS captured_minor,
  CAST(SUM(movements.refunded_minor) AS INT64) AS refunded_minor
FROM movements
INNER JOIN published
  ON published.build_id = movements.build_id
  AND published.month = movements.month
  AND published.currency = movements.currency
  AND published.business_unit = movements.business_unit
GROUP BY movements.business_day, movements.processor, movements.method, movements.currency, movements.business_unit
