WITH payments AS (
  SELECT * FROM mart.fact_payment WHERE build_id = @build_id
),
processors AS (
  -- Of whom we know payments. The lines of anybody else, a bank say, are evidence and move nothing here.
  SELECT DISTINCT processor FROM payments
),
lines AS (
  SELECT
    line.*,
    COALESCE(line.report, '') AS of_report,
    -- A line with gross, fee and net says what it does to the balance; one with a part of them says what happened outside.
    line.gross_minor IS NOT NULL AND line.fee_minor IS NOT NULL AND line.net_minor IS NOT NULL AS is_of_balance
  FROM staging.settlement_line AS line
  INNER JOIN processors ON processors.processor = line.provider
  WHERE line.line_type NOT IN ('opening_balance', 'closing_balance', 'balance')
),
reports AS (
  -- A processor may tell the same in several kinds of report: one of them is booked, the others are evidence.
  SELECT provider, MIN(of_report) AS of_report
  FROM lines
  WHERE of_report != ''
  GROUP BY provider
),
told AS (
  SELECT lines.*
  FROM lines
  LEFT JOIN reports ON reports.provider = lines.provider
  WHERE lines.of_report = '' OR lines.of_report = reports.of_report
),
disputed AS (
  SELECT DISTINCT payment FROM told WHERE line_type = 'dispute' AND is_of_balance AND payment IS NOT NULL
),
classified AS (
  SELECT
    told.*,
    CASE
      WHEN told.line_type = 'payout' THEN IF(told.status IN ('failed', 'canceled'), 'nothing', 'payout')
      WHEN told.line_type = 'dispute' AND told.is_of_balance THEN 'dispute'
      WHEN told.line_type = 'dispute' THEN
        IF(
          told.status IN ('won', 'prevented') OR STARTS_WITH(COALESCE(told.status, ''), 'warning_') OR disputed.payment IS NOT NULL,
          'nothing', 'dispute'
        )
      WHEN told.line_type = 'refund' OR (told.line_type = 'movement' AND told.refund IS NOT NULL) THEN 'refund'
      WHEN told.line_type = 'payment' OR (told.line_type = 'movement' AND told.payment IS NOT NULL) THEN 'payment'
      WHEN told.line_type = 'hold' THEN 'nothing'
      WHEN told.line_type = 'movement' AND STARTS_WITH(told.description, 'payout') THEN 'nothing'
      -- What a dispute takes is told by the dispute.
      WHEN told.line_type = 'movement' AND told.description = 'adjustment' THEN 'nothing'
      WHEN told.line_type = 'movement' AND told.description = 'stripe_fee' THEN 'charge'
      WHEN told.line_type = 'other' OR told.description IS NOT NULL THEN 'other'
    END AS tells,
    ROW_NUMBER() OVER (
      PARTITION BY told.payment, told.line_type IN ('payment', 'movement') AND told.is_of_balance
      ORDER BY told.settled_at_ms, told.key
    ) AS place
  FROM told
  LEFT JOIN disputed ON disputed.payment = told.payment
),
fees_told AS (
  SELECT staged.key AS payment, staged.fee_minor
  FROM staging.payment AS staged
  WHERE staged.fee_minor != 0
),
placed AS (
  SELECT
    line.*,
    COALESCE(line.business_unit, payment.business_unit, refund.business_unit, 'unassigned') AS unit
  FROM classified AS line
  LEFT JOIN payments AS payment ON payment.payment = line.payment
  LEFT JOIN staging.refund AS refund ON refund.key = line.refund
),
bookings AS (
  SELECT 'fee_told' AS entry_type, fee.payment AS source, 'fee_minor' AS field, payment.processor, payment.currency,
    payment.business_unit AS unit, payment.paid_day AS day, fee.fee_minor AS amount_minor
  FROM fees_told AS fee
  INNER JOIN payments AS payment ON payment.payment = fee.payment
  WHERE payment.is_captured AND NOT payment.is_platform
  UNION ALL
  -- Once the balance itself tells the fee of a payment, what the payment had told is taken back and the line stands.
  SELECT 'fee_told_settled', fee.payment, 'fee_minor', line.provider, line.currency, payment.business_unit,
    DATE(TIMESTAMP_MILLIS(line.settled_at_ms), 'America/Argentina/Buenos_Aires'), -fee.fee_minor
  FROM placed AS line
  INNER JOIN fees_told AS fee ON fee.payment = line.payment
  INNER JOIN payments AS payment ON payment.payment = fee.payment
  WHERE line.tells = 'payment' AND line.is_of_balance AND line.place = 1 AND payment.is_captured
  UNION ALL
  SELECT 'fee_withheld', key, 'fee_minor', provider, currency, unit,
    DATE(TIMESTAMP_MILLIS(settled_at_ms), 'America/Argentina/Buenos_Aires'), fee_minor
  FROM placed
  WHERE is_of_balance AND fee_minor != 0
  UNION ALL
  SELECT
    CASE tells
      WHEN 'payout' THEN 'paid_out' WHEN 'dispute' THEN 'dispute_taken' WHEN 'charge' THEN 'processor_charged'
      ELSE 'unexplained_movement'
    END,
    key,
    IF(gross_minor IS NULL, 'net_minor', 'gross_minor'),
    provider,
    currency,
    unit,
    DATE(TIMESTAMP_MILLIS(settled_at_ms), 'America/Argentina/Buenos_Aires'),
    -- What the balance loses is positive here; a net alone is what reached the bank.
    COALESCE(-gross_minor, net_minor)
  FROM placed
  WHERE tells IN ('payout', 'dispute', 'charge', 'other') OR tells IS NULL
)
SELECT
  entry_type,
  source,
  field,
  processor,
  currency,
  unit AS business_unit,
  day AS entry_day,
  FORMAT_DATE('%Y-%m', day) AS month,
  amount_minor
FROM bookings
WHERE day IS NULL OR day < DATE(TIMESTAMP_MILLIS(@as_of_ms), 'America/Argentina/Buenos_Aires')
