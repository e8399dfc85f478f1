WITH days AS (
  SELECT *, FORMAT_DATE('%Y-%m', day) AS month FROM staging.compared_day
),
kinds AS (
  SELECT provider, COUNT(DISTINCT kind) AS kinds FROM days GROUP BY provider
),
months AS (
  SELECT
    provider,
    month,
    COUNT(*) AS days_compared,
    SUM(open_differences) AS open_differences,
    MIN(compared_at_ms) AS compared_since_ms,
    DATE_DIFF(DATE_ADD(DATE_TRUNC(MIN(day), MONTH), INTERVAL 1 MONTH), DATE_TRUNC(MIN(day), MONTH), DAY) AS days_in_month
  FROM days
  GROUP BY provider, month
)
SELECT months.provider, months.month, months.compared_since_ms
FROM months
INNER JOIN kinds ON kinds.provider = months.provider
WHERE months.days_compared = months.days_in_month * kinds.kinds AND months.open_differences = 0
