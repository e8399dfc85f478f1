-- check: can_be_placed
-- Every booking of a processor's balance has an amount, a currency and a day.
SELECT
  month,
  currency,
  NULLIF(business_unit, 'unassigned') AS business_unit,
  CONCAT(source, ' lacks its amount, currency or day: ', entry_type) AS difference
FROM mart.movement_settlement
WHERE build_id = @build_id AND (amount_minor IS NULL OR currency IS NULL OR entry_day IS NULL);

-- check: says_what_it_moved
-- No movement of a balance leaves open what it moved.
SELECT
  FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(settled_at_ms), 'America/Argentina/Buenos_Aires')) AS month,
  currency,
  business_unit,
  CONCAT(key, ' names neither payment nor refund and does not say what it moved: take in the export that does') AS difference
FROM staging.settlement_line
WHERE line_type = 'movement' AND payment IS NULL AND refund IS NULL AND description IS NULL;

-- check: settles_what_was_captured
-- A payment that the processor has settled came to the amount that the platform took.
SELECT
  settled.month,
  payment.currency,
  payment.business_unit,
  CONCAT(payment.payment, ' took ', CAST(payment.amount_minor AS STRING), ' and ', settled.provider, ' settles ',
    CAST(settled.gross_minor AS STRING), IF(settled.report = '', '', CONCAT(' by its report ', settled.report))) AS difference
FROM (
  SELECT
    provider,
    payment,
    COALESCE(report, '') AS report,
    FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(MAX(settled_at_ms)), 'America/Argentina/Buenos_Aires')) AS month,
    SUM(gross_minor) AS gross_minor
  FROM staging.settlement_line
  -- Lines of statements come in generations; the job of settlements holds those that stand against payments.
  WHERE (line_type = 'payment' OR (line_type = 'movement' AND refund IS NULL)) AND generation IS NULL
  GROUP BY provider, payment, COALESCE(report, '')
) AS settled
INNER JOIN mart.fact_payment AS payment
  ON payment.build_id = @build_id AND payment.is_platform AND payment.is_captured AND payment.processor_payment = settled.payment
WHERE payment.amount_minor != settled.gross_minor;
