-- check: is_exact
-- Every captured payment in the kept bodies has an exact amount and a month.
SELECT
  paid_month AS month,
  CAST(NULL AS STRING) AS currency,
  business_unit,
  CONCAT('payment ', payment_id, ' has no exact amount or no day in the kept bodies') AS difference
FROM control.payment
WHERE build_id = @build_id AND is_captured AND (amount_minor IS NULL OR paid_month IS NULL OR business_unit IS NULL);
