WITH published AS (
  SELECT * FROM certificates.published
)
SELECT
  event.sold_day AS business_day,
  event.transaction_id,
  event.status,
  event.event_at,
  event.channel,
  event.currency,
  event.business_unit,
  event.total_minor
FROM mart.transaction_event AS event
INNER JOIN published
  ON published.build_id = event.build_id
  AND published.month = event.sold_month
  AND published.currency = event.currency
  AND published.business_unit = event.business_unit
