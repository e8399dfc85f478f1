SELECT
  month,
  currency,
  business_unit,
  account,
  entry_type,
  COUNT(*) AS postings,
  CAST(SUM(IF(amount_minor > 0, amount_minor, 0)) AS INT64) AS debit_minor,
  CAST(SUM(IF(amount_minor < 0, -amount_minor, 0)) AS INT64) AS credit_minor
FROM mart.posting
WHERE build_id = @build_id
GROUP BY month, currency, business_unit, account, entry_type
