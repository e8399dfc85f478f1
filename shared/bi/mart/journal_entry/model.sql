WITH payments AS (
  SELECT * FROM mart.fact_payment WHERE build_id = @build_id AND is_platform AND is_captured
),
tickets AS (
  SELECT * FROM mart.fact_ticket WHERE build_id = @build_id
),
refunds AS (
  SELECT * FROM mart.fact_refund WHERE build_id = @build_id AND is_owed
),
events AS (
  SELECT 'payment_captured' AS entry_type, payment AS source, paid_day AS entry_day, currency, business_unit,
    processor, amount_minor
  FROM payments
  UNION ALL
  SELECT 'ticket_issued', ticket, issued_day, currency, business_unit, CAST(NULL AS STRING), fare_minor
  FROM tickets
  WHERE status != 'void'
  UNION ALL
  SELECT 'fare_earned', ticket, departure_day, currency, business_unit, CAST(NULL AS STRING), fare_minor
  FROM tickets
  WHERE is_live AND departs_at_ms < @as_of_ms
  UNION ALL
  SELECT 'item_given_back', refund, refunded_day, currency, business_unit, CAST(NULL AS STRING), item_minor
  FROM refunds
  UNION ALL
  SELECT 'penalty_kept', refund, refunded_day, currency, business_unit, CAST(NULL AS STRING), penalty_minor
  FROM refunds
  WHERE penalty_minor != 0
  UNION ALL
  SELECT 'refund_paid', refund, refunded_day, currency, business_unit, processor, amount_minor
  FROM refunds
  WHERE is_cash_paid
)
SELECT
  CONCAT(entry_type, '|', source) AS entry_id,
  entry_type,
  source,
  entry_day,
  FORMAT_DATE('%Y-%m', entry_day) AS month,
  currency,
  business_unit,
  processor,
  amount_minor
FROM events
