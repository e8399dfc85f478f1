-- check: is_exact
-- Every refund in the kept bodies has three exact amounts and a month.
SELECT
  refunded_month AS month,
  CAST(NULL AS STRING) AS currency,
  business_unit,
  CONCAT('refund ', refund_id, ' has no exact amounts or no day in the kept bodies') AS difference
FROM control.refund
WHERE build_id = @build_id
  AND (
    item_minor IS NULL OR penalty_minor IS NULL OR amount_minor IS NULL OR refunded_month IS NULL OR status IS NULL
    OR business_unit IS NULL
  );
