-- check: can_be_placed
-- Every paid or cancelled transaction has a total, a currency, a business unit and a day: none is left out of what people see.
SELECT
  sold_month AS month,
  currency,
  business_unit,
  CONCAT(told_by, ' lacks its total, currency, business unit or day') AS difference
FROM mart.transaction_event
WHERE build_id = @build_id
  AND (total_minor IS NULL OR currency IS NULL OR business_unit IS NULL OR sold_day IS NULL);
