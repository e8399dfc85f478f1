-- check: is_exact
-- Every captured payment of a processor has an exact amount and a month in the kept bodies.
SELECT
  paid_month AS month,
  CAST(NULL AS STRING) AS currency,
  NULLIF(business_unit, 'unassigned') AS business_unit,
  CONCAT(provider, ' payment ', payment_id, ' has no exact amount or no day in the kept bodies') AS difference
FROM control.processor_payment
WHERE build_id = @build_id AND is_captured AND (amount_minor IS NULL OR paid_month IS NULL OR currency IS NULL);
