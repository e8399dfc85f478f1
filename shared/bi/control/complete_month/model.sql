WITH months AS (
  SELECT
    month,
    DATE_DIFF(
      DATE_ADD(CAST(CONCAT(month, '-01') AS DATE), INTERVAL 1 MONTH), CAST(CONCAT(month, '-01') AS DATE), DAY
    ) AS days_in_month
  FROM (SELECT DISTINCT month FROM control.candidate WHERE build_id = @build_id) AS judged
),
certified AS (
  SELECT *, FORMAT_DATE('%Y-%m', day) AS month FROM staging.completeness
),
heard AS (
  SELECT DISTINCT provider FROM staging.deliveries WHERE channel IN ('webhook', 'fetch')
),
listings AS (
  SELECT DISTINCT provider, kind FROM certified
  UNION ALL
  SELECT heard.provider, 'any'
  FROM heard
  LEFT JOIN (SELECT DISTINCT provider FROM certified) AS known ON known.provider = heard.provider
  WHERE known.provider IS NULL
),
counted AS (
  SELECT
    month,
    provider,
    kind,
    COUNT(*) AS days_certified,
    COUNTIF(is_complete) AS days_complete,
    SUM(listed) AS listed,
    SUM(present) AS present
  FROM certified
  GROUP BY month, provider, kind
)
SELECT
  months.month,
  listings.provider,
  listings.kind,
  months.days_in_month,
  COALESCE(counted.days_certified, 0) AS days_certified,
  COALESCE(counted.days_complete, 0) AS days_complete,
  CAST(COALESCE(counted.listed, 0) AS INT64) AS listed,
  CAST(COALESCE(counted.present, 0) AS INT64) AS present
FROM months
CROSS JOIN listings
LEFT JOIN counted
  ON counted.month = months.month AND counted.provider = listings.provider AND counted.kind = listings.kind
