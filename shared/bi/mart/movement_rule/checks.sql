-- check: covers_every_state
-- The books account for every state that any entity is in.
WITH states AS (
  SELECT 'sale' AS kind, 'sale_type' AS field, sale_type AS state, sold_month AS month, currency, business_unit, sale AS entity
  FROM mart.fact_sale WHERE build_id = @build_id
  UNION ALL
  SELECT 'sale', 'status', status, sold_month, currency, business_unit, sale
  FROM mart.fact_sale WHERE build_id = @build_id
  UNION ALL
  SELECT 'ticket', 'status', status, issued_month, currency, business_unit, ticket
  FROM mart.fact_ticket WHERE build_id = @build_id
  UNION ALL
  SELECT 'ticket', 'status', status, departure_month, currency, business_unit, ticket
  FROM mart.fact_ticket WHERE build_id = @build_id AND departure_month != issued_month
  UNION ALL
  SELECT 'payment', 'status', status, paid_month, currency, NULLIF(business_unit, 'unassigned'), payment
  FROM mart.fact_payment WHERE build_id = @build_id
  UNION ALL
  SELECT 'refund', 'refund_type', refund_type, refunded_month, currency, business_unit, refund
  FROM mart.fact_refund WHERE build_id = @build_id
  UNION ALL
  SELECT 'refund', 'status', status, refunded_month, currency, business_unit, refund
  FROM mart.fact_refund WHERE build_id = @build_id
  UNION ALL
  SELECT 'settlement_line', 'line_type', line_type,
    FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(settled_at_ms), 'America/Argentina/Buenos_Aires')), currency, business_unit, key
  FROM staging.settlement_line
  UNION ALL
  SELECT 'decision', 'decision', decision,
    FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(decided_at_ms), 'America/Argentina/Buenos_Aires')), currency, CAST(NULL AS STRING), key
  FROM staging.decision AS decided
)
SELECT
  states.month,
  states.currency,
  states.business_unit,
  CONCAT(MIN(states.entity), ' and ', CAST(COUNT(*) - 1 AS STRING), ' more have ', states.field, ' ', states.state,
    ', for which the books have no rule: add it to mart.movement_rule and to the entries') AS difference
FROM states
LEFT JOIN mart.movement_rule AS rule
  ON rule.build_id = @build_id AND rule.kind = states.kind AND rule.field = states.field AND rule.state = states.state
WHERE states.state IS NOT NULL AND rule.state IS NULL
GROUP BY states.month, states.currency, states.business_unit, states.kind, states.field, states.state;
