SELECT
  currency,
  business_unit,
  issued_month,
  changed_from IS NOT NULL AS is_issued_in_exchange,
  ended_as,
  ended_month,
  COUNT(*) AS tickets,
  CAST(SUM(fare_minor) AS INT64) AS fare_minor
FROM mart.fact_ticket
WHERE build_id = @build_id
GROUP BY currency, business_unit, issued_month, is_issued_in_exchange, ended_as, ended_month
