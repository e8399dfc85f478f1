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
    DATE(TIMESTAMP_MILLIS(payment.paid_at_ms), 'America/Argentina/Buenos_Aires') AS paid_day
  FROM staging.payment AS payment
  LEFT JOIN described_by ON described_by.key = payment.key
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
  paid_day,
  FORMAT_DATE('%Y-%m', paid_day) AS paid_month
FROM payments
