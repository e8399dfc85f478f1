WITH published AS (
  SELECT * FROM certificates.published
),
movements AS (
  SELECT build_id, paid_month AS month, paid_day AS business_day, processor, currency, business_unit,
    amount_minor AS captured, IF(is_reversed, amount_minor, 0) AS reversed, 0 AS refunded, 0 AS fees, 0 AS paid_out,
    0 AS disputed, 0 AS unexplained, 0 AS waiting
  FROM mart.fact_payment
  WHERE is_platform AND is_captured
  UNION ALL
  SELECT build_id, refunded_month, refunded_day, processor, currency, business_unit, 0, 0, amount_minor, 0, 0, 0, 0, 0
  FROM mart.fact_refund
  WHERE is_cash_paid
  UNION ALL
  SELECT build_id, month, entry_day, processor, currency, business_unit, 0, 0, 0,
    IF(entry_type IN ('fee_told', 'fee_told_settled', 'fee_withheld', 'processor_charged'), amount_minor, 0),
    IF(entry_type = 'paid_out', amount_minor, 0), IF(entry_type = 'dispute_taken', amount_minor, 0),
    -- What is none of these has no place of its own here: it must not go unseen.
    IF(entry_type NOT IN (
      'fee_told', 'fee_told_settled', 'fee_withheld', 'processor_charged', 'paid_out', 'dispute_taken'
    ), amount_minor, 0), 0
  FROM mart.movement_settlement
  UNION ALL
  SELECT payment.build_id, payment.paid_month, payment.paid_day, payment.processor, payment.currency, payment.business_unit,
    0, 0, 0, 0, 0, 0, 0, payment.amount_minor
  FROM mart.fact_payment AS payment
  LEFT JOIN mart.settled_payment AS settled
    ON settled.build_id = payment.build_id AND settled.payment = payment.processor_payment
  WHERE payment.is_platform
    AND payment.is_captured
    AND NOT payment.is_reversed
    AND payment.processor_payment IS NOT NULL
    AND settled.payment IS NULL
)
SELECT
  movements.business_day,
  movements.processor,
  movements.currency,
  movements.business_unit,
  CAST(SUM(movements.captured) AS INT64) AS captured_minor,
  CAST(SUM(movements.reversed) AS INT64) AS reversed_minor,
  CAST(SUM(movements.refunded) AS INT64) AS refunded_minor,
  CAST(SUM(movements.fees) AS INT64) AS fees_minor,
  CAST(SUM(movements.paid_out) AS INT64) AS paid_out_minor,
  CAST(SUM(movements.disputed) AS INT64) AS disputed_minor,
  CAST(SUM(movements.unexplained) AS INT64) AS unexplained_minor,
  CAST(SUM(movements.waiting) AS INT64) AS waiting_minor
FROM movements
INNER JOIN published
  ON published.build_id = movements.build_id
  AND published.month = movements.month
  AND published.currency = movements.currency
  AND published.business_unit = movements.business_unit
GROUP BY movements.business_day, movements.processor, movements.currency, movements.business_unit
