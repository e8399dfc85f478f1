-- trace: total_minor
-- The transaction that tells the event.
SELECT event.told_by AS entity, 'total_minor' AS field, event.total_minor AS amount
FROM mart.transaction_event AS event
INNER JOIN certificates.published AS published
  ON published.build_id = event.build_id
  AND published.month = event.sold_month
  AND published.currency = event.currency
  AND published.business_unit = event.business_unit
WHERE event.sold_day = @business_day
  AND event.transaction_id = @transaction_id
  AND event.status = @status
  AND event.event_at = @event_at
  AND event.channel = @channel
  AND event.currency = @currency
  AND event.business_unit = @business_unit
ORDER BY entity;
