WITH platform AS (
  SELECT * FROM staging.payment WHERE provider = 'betterez'
),
described_by AS (
  -- Where a processor was not told the business unit, it is that of the platform's payment which it is the evidence for.
  SELECT processor_payment AS key, MIN(business_unit) AS business_unit
  FROM platform
  WHERE processor_payment IS NOT NULL
  GROUP BY processor_payment
),
reversed AS (
  -- The platform took the whole sale back. What a cash refund gives back is told by the refund, and by nobody twice.
  SELECT sale.key AS sale
  FROM staging.sale AS sale
  LEFT JOIN (
    SELECT DISTINCT original_sale FROM staging.refund WHERE refund_type = 'cash' AND status IN ('pending', 'success')
  ) AS refund ON refund.original_sale = sale.key
  WHERE sale.status = 'reversed' AND refund.original_sale IS NULL
),
payments AS (
  SELECT
    payment.key,
    payment.provider,
    payment.provider = 'betterez' AS is_platform,
    payment.sale,
    payment.processor_payment,
    payment.amount_minor,
    payment.currency,
    COALESCE(payment.business_unit, described_by.business_unit, 'unassigned') AS business_unit,
    payment.method,
    COALESCE(payment.processor, payment.provider) AS processor,
    payment.status,
    reversed.sale IS NOT NULL AS is_reversed,
    DATE(TIMESTAMP_MILLIS(payment.paid_at_ms), 'America/Argentina/Buenos_Aires') AS paid_day
  FROM staging.payment AS payment
  LEFT JOIN described_by ON described_by.key = payment.key
  LEFT JOIN reversed ON reversed.sale = payment.sale
)
SELECT
  key AS payment,
  provider,
  is_platform,
  sale,
  processor_payment,
  amount_minor,
  currency,
  business_unit,
  method,
  processor,
  status,
  status IN ('success', 'refunded', 'charged_back') AS is_captured,
  is_reversed,
  paid_day,
  FORMAT_DATE('%Y-%m', paid_day) AS paid_month
FROM payments
