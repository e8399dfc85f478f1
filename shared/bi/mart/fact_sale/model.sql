WITH sales AS (
  SELECT *, DATE(TIMESTAMP_MILLIS(sold_at_ms), 'America/Argentina/Buenos_Aires') AS sold_day
  FROM staging.sale
)
SELECT
  key AS sale,
  sale_number,
  sale_type,
  status,
  total_minor,
  fees_minor,
  currency,
  business_unit,
  channel,
  agency_id,
  shift,
  original_sale,
  sold_at_ms,
  sold_day,
  FORMAT_DATE('%Y-%m', sold_day) AS sold_month
FROM sales
