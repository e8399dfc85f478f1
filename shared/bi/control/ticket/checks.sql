-- check: is_exact
-- Every ticket in the kept bodies has an exact fare and two months.
SELECT
  month,
  CAST(NULL AS STRING) AS currency,
  business_unit,
  CONCAT('ticket ', ticket_id, ' has no exact fare or no day in the kept bodies') AS difference
FROM control.ticket
CROSS JOIN UNNEST([issued_month, departure_month]) AS month
WHERE build_id = @build_id
  AND (fare_minor IS NULL OR issued_month IS NULL OR departure_month IS NULL OR business_unit IS NULL OR status IS NULL);
