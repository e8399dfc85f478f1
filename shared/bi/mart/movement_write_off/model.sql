WITH decided AS (
  SELECT
    key AS decision,
    REGEXP_EXTRACT(subject, '^[^ ]+') AS subject,
    amount_minor,
    currency,
    DATE(TIMESTAMP_MILLIS(decided_at_ms), 'America/Argentina/Buenos_Aires') AS decided_day
  FROM staging.decision AS person
  WHERE decision = 'write_off' AND amount_minor != 0
),
known AS (
  SELECT payment AS entity, business_unit FROM mart.fact_payment WHERE build_id = @build_id
  UNION ALL
  SELECT refund, business_unit FROM mart.fact_refund WHERE build_id = @build_id
  UNION ALL
  SELECT ticket, business_unit FROM mart.fact_ticket WHERE build_id = @build_id
  UNION ALL
  SELECT sale, business_unit FROM mart.fact_sale WHERE build_id = @build_id
  UNION ALL
  SELECT key, business_unit FROM staging.settlement_line
)
SELECT
  decided.decision,
  decided.subject,
  decided.amount_minor,
  decided.currency,
  COALESCE(known.business_unit, 'unassigned') AS business_unit,
  decided.decided_day
FROM decided
LEFT JOIN known ON known.entity = decided.subject
