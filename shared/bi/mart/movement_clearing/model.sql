WITH payments AS (
  SELECT * FROM mart.fact_payment WHERE build_id = @build_id AND is_platform AND is_captured
),
changes AS (
  -- By payments, refunds and settlement lines: what came to each processor and what left it.
  SELECT month, currency, business_unit, processor, SUM(change_minor) AS change_minor
  FROM (
    SELECT paid_month AS month, currency, business_unit, processor, amount_minor AS change_minor
    FROM payments
    WHERE NOT is_reversed
    UNION ALL
    SELECT refunded_month, currency, business_unit, processor, -amount_minor
    FROM mart.fact_refund
    WHERE build_id = @build_id AND is_cash_paid
    UNION ALL
    SELECT month, currency, business_unit, processor, -amount_minor
    FROM mart.movement_settlement
    WHERE build_id = @build_id
  ) AS told
  WHERE month < @open_month
  GROUP BY month, currency, business_unit, processor
),
booked AS (
  -- By the books: what each type of entry posted to clearing.
  SELECT
    month,
    currency,
    business_unit,
    REGEXP_EXTRACT(account, '^clearing:(.*)$') AS processor,
    SUM(IF(entry_type = 'payment_captured', debit_minor - credit_minor, 0)) AS captured_minor,
    SUM(IF(entry_type = 'payment_reversed', credit_minor - debit_minor, 0)) AS reversed_minor,
    SUM(IF(entry_type = 'refund_paid', credit_minor - debit_minor, 0)) AS refunded_minor,
    SUM(IF(entry_type IN ('fee_told', 'fee_told_settled', 'fee_withheld', 'processor_charged'), credit_minor - debit_minor, 0))
      AS fees_minor,
    SUM(IF(entry_type = 'dispute_taken', credit_minor - debit_minor, 0)) AS disputed_minor,
    SUM(IF(entry_type = 'unexplained_movement', credit_minor - debit_minor, 0)) AS unexplained_minor,
    SUM(IF(entry_type = 'paid_out', credit_minor - debit_minor, 0)) AS paid_out_minor,
    COUNTIF(entry_type NOT IN (
      'payment_captured', 'payment_reversed', 'refund_paid', 'fee_told', 'fee_told_settled', 'fee_withheld',
      'processor_charged', 'dispute_taken', 'unexplained_movement', 'paid_out'
    )) AS unknown_types
  FROM mart.movement_account
  WHERE build_id = @build_id AND STARTS_WITH(account, 'clearing') AND month < @open_month
  GROUP BY month, currency, business_unit, processor
),
months AS (
  SELECT month, currency, business_unit, processor FROM changes
  UNION DISTINCT
  SELECT month, currency, business_unit, processor FROM booked
),
standing AS (
  SELECT
    months.*,
    COALESCE(changes.change_minor, 0) AS change_minor,
    SUM(COALESCE(changes.change_minor, 0)) OVER (
      PARTITION BY months.currency, months.business_unit, months.processor ORDER BY months.month
    ) AS closing_minor
  FROM months
  LEFT JOIN changes
    ON changes.month = months.month AND changes.currency = months.currency AND changes.business_unit = months.business_unit
    AND changes.processor = months.processor
)
SELECT
  standing.month,
  standing.currency,
  standing.business_unit,
  standing.processor,
  CAST(standing.closing_minor - standing.change_minor AS INT64) AS opening_minor,
  CAST(COALESCE(booked.captured_minor, 0) AS INT64) AS captured_minor,
  CAST(COALESCE(booked.reversed_minor, 0) AS INT64) AS reversed_minor,
  CAST(COALESCE(booked.refunded_minor, 0) AS INT64) AS refunded_minor,
  CAST(COALESCE(booked.fees_minor, 0) AS INT64) AS fees_minor,
  CAST(COALESCE(booked.disputed_minor, 0) AS INT64) AS disputed_minor,
  CAST(COALESCE(booked.unexplained_minor, 0) AS INT64) AS unexplained_minor,
  CAST(COALESCE(booked.paid_out_minor, 0) AS INT64) AS paid_out_minor,
  COALESCE(booked.unknown_types, 0) AS unknown_types,
  CAST(standing.closing_minor AS INT64) AS closing_minor
FROM standing
LEFT JOIN booked
  ON booked.month = standing.month AND booked.currency = standing.currency AND booked.business_unit = standing.business_unit
  AND booked.processor = standing.processor
