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
  AND payment.currency = @currency
  AND payment.business_unit = @business_unit
ORDER BY entity;

-- trace: reversed_minor
-- The captured payments of the day whose sales were taken back whole.
SELECT payment.payment AS entity, 'amount_minor' AS field, payment.amount_minor AS amount
FROM mart.fact_payment AS payment
INNER JOIN certificates.published AS published
  ON published.build_id = payment.build_id
  AND published.month = payment.paid_month
  AND published.currency = payment.currency
  AND published.business_unit = payment.business_unit
WHERE payment.is_platform
  AND payment.is_captured
  AND payment.is_reversed
  AND payment.paid_day = @business_day
  AND payment.processor = @processor
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
  AND refund.currency = @currency
  AND refund.business_unit = @business_unit
ORDER BY entity;

-- trace: fees_minor
-- What the processor kept, and its own charges.
SELECT
  movement.source AS entity,
  CONCAT(IF(movement.entry_type = 'fee_told_settled' OR movement.field = 'gross_minor', '-', ''), movement.field) AS field,
  movement.amount_minor AS amount
FROM mart.movement_settlement AS movement
INNER JOIN certificates.published AS published
  ON published.build_id = movement.build_id
  AND published.month = movement.month
  AND published.currency = movement.currency
  AND published.business_unit = movement.business_unit
WHERE movement.entry_type IN ('fee_told', 'fee_told_settled', 'fee_withheld', 'processor_charged')
  AND movement.entry_day = @business_day
  AND movement.processor = @processor
  AND movement.currency = @currency
  AND movement.business_unit = @business_unit
ORDER BY entity;

-- trace: paid_out_minor
-- What it paid out.
SELECT
  movement.source AS entity,
  CONCAT(IF(movement.entry_type = 'fee_told_settled' OR movement.field = 'gross_minor', '-', ''), movement.field) AS field,
  movement.amount_minor AS amount
FROM mart.movement_settlement AS movement
INNER JOIN certificates.published AS published
  ON published.build_id = movement.build_id
  AND published.month = movement.month
  AND published.currency = movement.currency
  AND published.business_unit = movement.business_unit
WHERE movement.entry_type = 'paid_out'
  AND movement.entry_day = @business_day
  AND movement.processor = @processor
  AND movement.currency = @currency
  AND movement.business_unit = @business_unit
ORDER BY entity;

-- trace: disputed_minor
-- What it took for disputes.
SELECT
  movement.source AS entity,
  CONCAT(IF(movement.entry_type = 'fee_told_settled' OR movement.field = 'gross_minor', '-', ''), movement.field) AS field,
  movement.amount_minor AS amount
FROM mart.movement_settlement AS movement
INNER JOIN certificates.published AS published
  ON published.build_id = movement.build_id
  AND published.month = movement.month
  AND published.currency = movement.currency
  AND published.business_unit = movement.business_unit
WHERE movement.entry_type = 'dispute_taken'
  AND movement.entry_day = @business_day
  AND movement.processor = @processor
  AND movement.currency = @currency
  AND movement.business_unit = @business_unit
ORDER BY entity;

-- trace: unexplained_minor
-- What nothing explains.
SELECT
  movement.source AS entity,
  CONCAT(IF(movement.entry_type = 'fee_told_settled' OR movement.field = 'gross_minor', '-', ''), movement.field) AS field,
  movement.amount_minor AS amount
FROM mart.movement_settlement AS movement
INNER JOIN certificates.published AS published
  ON published.build_id = movement.build_id
  AND published.month = movement.month
  AND published.currency = movement.currency
  AND published.business_unit = movement.business_unit
WHERE movement.entry_type NOT IN (
    'fee_told', 'fee_told_settled', 'fee_withheld', 'processor_charged', 'paid_out', 'dispute_taken'
  )
  AND movement.entry_day = @business_day
  AND movement.processor = @processor
  AND movement.currency = @currency
  AND movement.business_unit = @business_unit
ORDER BY entity;

-- trace: waiting_minor
-- The payments of the day that a processor took and that no settlement line names.
SELECT payment.payment AS entity, 'amount_minor' AS field, payment.amount_minor AS amount
FROM mart.fact_payment AS payment
INNER JOIN certificates.published AS published
  ON published.build_id = payment.build_id
  AND published.month = payment.paid_month
  AND published.currency = payment.currency
  AND published.business_unit = payment.business_unit
LEFT JOIN mart.settled_payment AS settled
  ON settled.build_id = payment.build_id AND settled.payment = payment.processor_payment
WHERE payment.is_platform
  AND payment.is_captured
  AND NOT payment.is_reversed
  AND payment.processor_payment IS NOT NULL
  AND settled.payment IS NULL
  AND payment.paid_day = @business_day
  AND payment.processor = @processor
  AND payment.currency = @currency
  AND payment.business_unit = @business_unit
ORDER BY entity;
