-- check: no_blocking_one_is_open
-- No exception that leaves money in doubt is open about anything that counts in the month.
SELECT
  month,
  currency,
  business_unit,
  CONCAT(MIN(subject), ' and ', CAST(COUNT(*) - 1 AS STRING), ' more are open as ', kind, ': mend or decide them') AS difference
FROM mart.exception_month
WHERE build_id = @build_id AND is_blocking AND NOT is_accepted AND is_placed
GROUP BY month, currency, business_unit, kind;

-- check: no_blocking_one_is_unplaced
-- No exception is open that leaves money in doubt and leads to no month, unless the month was over long before.
SELECT
  candidate.month,
  CAST(NULL AS STRING) AS currency,
  CAST(NULL AS STRING) AS business_unit,
  CONCAT(MIN(unplaced.subject), ' and ', CAST(COUNT(*) - 1 AS STRING), ' more are open as ', unplaced.kind,
    ' and lead to no month: mend or decide them') AS difference
FROM (SELECT DISTINCT month FROM control.candidate WHERE build_id = @build_id) AS candidate
INNER JOIN (
  SELECT * FROM mart.exception_month WHERE build_id = @build_id AND is_blocking AND NOT is_accepted AND NOT is_placed
) AS unplaced
  ON unplaced.month <= candidate.month
GROUP BY candidate.month, unplaced.kind;
