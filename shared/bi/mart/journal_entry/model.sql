WITH payments AS (
  SELECT * FROM mart.fact_payment WHERE build_id = @build_id AND is_platform AND is_captured
),
sales AS (
  SELECT * FROM mart.fact_sale WHERE build_id = @build_id
),
tickets AS (
  SELECT * FROM mart.fact_ticket WHERE build_id = @build_id
),
refunds AS (
  SELECT
    refund.*,
    COALESCE(ticket.is_live, FALSE) AS is_of_earned_fare
  FROM mart.fact_refund AS refund
  LEFT JOIN tickets AS ticket ON ticket.ticket = refund.ticket
  WHERE refund.build_id = @build_id AND refund.is_owed
),
departed AS (
  -- Tickets whose fare has become income, for whichever reason.
  SELECT
    *,
    CASE ended_as
      WHEN 'travelled' THEN 'fare_earned' WHEN 'no_show' THEN 'no_show_kept' WHEN 'expired' THEN 'fare_expired'
      WHEN 'forfeited' THEN 'fare_forfeited'
    END AS entry_type
  FROM tickets
  WHERE ended_as IN ('travelled', 'no_show', 'expired', 'forfeited') AND departs_at_ms < @as_of_ms
),
events AS (
  SELECT 'payment_captured' AS entry_type, payment AS source, 'amount_minor' AS field, paid_day AS entry_day, currency,
    business_unit, processor, amount_minor
  FROM payments
  UNION ALL
  SELECT 'payment_reversed', payment, 'amount_minor', paid_day, currency, business_unit, processor, amount_minor
  FROM payments
  WHERE is_reversed
  UNION ALL
  SELECT 'service_fee_charged', sale, 'fees_minor', sold_day, currency, business_unit, CAST(NULL AS STRING), fees_minor
  FROM sales
  WHERE status = 'paid' AND sale_type IN ('sale', 'change') AND fees_minor != 0
  UNION ALL
  SELECT IF(changed_from IS NULL, 'ticket_issued', 'ticket_issued_in_exchange'), ticket, 'fare_minor', issued_day, currency,
    business_unit, CAST(NULL AS STRING), fare_minor
  FROM tickets
  UNION ALL
  SELECT 'ticket_voided', ticket, 'fare_minor', issued_day, currency, business_unit, CAST(NULL AS STRING), fare_minor
  FROM tickets
  WHERE ended_as = 'void'
  UNION ALL
  SELECT entry_type, ticket, 'fare_minor', departure_day, currency, business_unit, CAST(NULL AS STRING), fare_minor
  FROM departed
  UNION ALL
  SELECT 'tax_due', ticket, 'taxes_minor', departure_day, currency, business_unit, CAST(NULL AS STRING), taxes_minor
  FROM departed
  WHERE taxes_minor != 0
  UNION ALL
  SELECT 'commission_earned', ticket, 'commission_minor', departure_day, currency, business_unit, CAST(NULL AS STRING),
    commission_minor
  FROM departed
  WHERE commission_minor != 0
  UNION ALL
  SELECT
    CONCAT(IF(is_of_earned_fare, 'earned_', ''), IF(refund_type = 'cash', 'item_refunded', 'item_exchanged')),
    refund, 'item_minor', refunded_day, currency, business_unit, CAST(NULL AS STRING), item_minor
  FROM refunds
  UNION ALL
  SELECT IF(refund_type = 'cash', 'refund_penalty_kept', 'exchange_penalty_kept'), refund, 'penalty_minor', refunded_day,
    currency, business_unit, CAST(NULL AS STRING), penalty_minor
  FROM refunds
  WHERE penalty_minor != 0
  UNION ALL
  SELECT 'refund_paid', refund, 'amount_minor', refunded_day, currency, business_unit, processor, amount_minor
  FROM refunds
  WHERE is_cash_paid
  UNION ALL
  SELECT entry_type, source, CONCAT(IF(entry_type = 'fee_told_settled' OR field = 'gross_minor', '-', ''), field), entry_day,
    currency, business_unit, processor, amount_minor
  FROM mart.movement_settlement
  WHERE build_id = @build_id
  UNION ALL
  SELECT 'written_off', decision, 'amount_minor', decided_day, currency, business_unit, CAST(NULL AS STRING), amount_minor
  FROM mart.movement_write_off
  WHERE build_id = @build_id
)
SELECT
  CONCAT(entry_type, '|', source) AS entry_id,
  entry_type,
  source,
  field,
  entry_day,
  FORMAT_DATE('%Y-%m', entry_day) AS month,
  currency,
  business_unit,
  processor,
  amount_minor
FROM events
