SELECT
  payment,
  DATE(TIMESTAMP_MILLIS(MIN(settled_at_ms)), 'America/Argentina/Buenos_Aires') AS settled_day
FROM staging.settlement_line
-- Lines of statements come in generations; the job of settlements holds those that stand against payments.
WHERE payment IS NOT NULL AND line_type NOT IN ('hold', 'dispute') AND generation IS NULL
GROUP BY payment
