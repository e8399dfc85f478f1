WITH deliveries AS (
  SELECT
    delivery.delivery_id,
    delivery.provider,
    delivery.received_at_ms,
    delivery.body,
    accepted.subject IS NOT NULL AS is_accepted,
    COALESCE(verdict.outcome, 'without an outcome') AS outcome,
    COALESCE(verdict.reason, '') AS reason,
    -- What an unknown type of event is about, no listing needs to show; what our code failed on or two statements deny,
    -- a person must see. Of the rest the provider's own later word is worth more than the event.
    COALESCE(
      verdict.outcome = 'quarantined' AND verdict.reason NOT IN ('unknown_event_type', 'stopped_by_contract'), FALSE
    ) AS is_answerable,
    IF(
      delivery.channel = 'webhook',
      CAST(REGEXP_EXTRACT(JSON_VALUE(delivery.body, '$.created'), '^[0-9]{1,11}$') AS INT64) * 1000,
      delivery.received_at_ms
    ) AS told_at_ms
  FROM staging.deliveries AS delivery
  LEFT JOIN staging.verdicts AS verdict ON verdict.delivery_id = delivery.delivery_id
  -- A person has looked at it and decided that the company does without what it says: the ledger never took it in.
  LEFT JOIN staging.exception AS accepted
    ON accepted.subject = delivery.delivery_id
    AND accepted.is_accepted
    AND accepted.kind IN ('quarantined_delivery', 'failed_delivery')
  WHERE verdict.delivery_id IS NULL
    -- An event of test mode is not in doubt: it is known to be no business of ours.
    OR (verdict.outcome IN ('conflict', 'quarantined', 'failed') AND verdict.reason != 'test_mode')
),
dated AS (
  SELECT
    *,
    COALESCE(JSON_VALUE(body, '$.data.transaction.accountId'), JSON_VALUE(body, '$.data.accountId')) AS business_unit
  FROM deliveries
  WHERE body IS NOT NULL AND told_at_ms IS NOT NULL AND reason != 'stopped_by_contract'
),
instants AS (
  SELECT delivery_id, told_at_ms AS at_ms FROM dated
  UNION ALL
  SELECT delivery_id, UNIX_MILLIS(SAFE_CAST(instant AS TIMESTAMP))
  FROM dated, UNNEST([
    JSON_VALUE(body, '$.data.createdAt.value'),
    JSON_VALUE(body, '$.data.departureTimestamp'),
    JSON_VALUE(body, '$.data.departureTimestamp.value'),
    JSON_VALUE(body, '$.data.transaction.createdAt.value')
  ]) AS instant
  UNION ALL
  SELECT delivery_id, UNIX_MILLIS(SAFE_CAST(
    COALESCE(JSON_VALUE(ticket, '$.departureTimestamp'), JSON_VALUE(ticket, '$.departureTimestamp.value')) AS TIMESTAMP
  ))
  FROM (SELECT * FROM dated WHERE STARTS_WITH(JSON_QUERY(body, '$.data.tickets'), '['))
    , UNNEST(JSON_QUERY_ARRAY(body, '$.data.tickets')) AS ticket
),
months AS (
  SELECT DISTINCT
    delivery_id,
    FORMAT_DATE('%Y-%m', DATE(TIMESTAMP_MILLIS(at_ms), 'America/Argentina/Buenos_Aires')) AS month
  FROM instants
  WHERE at_ms IS NOT NULL
),
compared AS (
  SELECT * FROM control.compared_month WHERE build_id = @build_id
)
SELECT
  dated.delivery_id,
  dated.provider,
  dated.outcome,
  dated.reason,
  dated.received_at_ms,
  TRUE AS is_dated,
  dated.is_answerable,
  dated.is_accepted
    OR (dated.is_answerable AND COALESCE(compared.compared_since_ms > dated.received_at_ms, FALSE)) AS is_answered,
  months.month,
  dated.business_unit
FROM dated
INNER JOIN months ON months.delivery_id = dated.delivery_id
LEFT JOIN compared ON compared.provider = dated.provider AND compared.month = months.month
UNION ALL
SELECT
  delivery_id,
  provider,
  outcome,
  reason,
  received_at_ms,
  FALSE,
  is_answerable,
  is_accepted,
  FORMAT_DATE('%Y-%m', DATE_SUB(DATE(TIMESTAMP_MILLIS(received_at_ms), 'America/Argentina/Buenos_Aires'), INTERVAL 1 MONTH)),
  CAST(NULL AS STRING)
FROM deliveries
-- Where the contract stops, amounts may be misread in many deliveries alike: it stops more than the months that it names.
WHERE body IS NULL OR told_at_ms IS NULL OR reason = 'stopped_by_contract'
