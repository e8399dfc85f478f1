WITH set_aside AS (
  SELECT delivery_id FROM control.set_aside WHERE build_id = @build_id
),
deliveries AS (
  SELECT *
  FROM staging.deliveries
  WHERE provider = 'betterez' AND body IS NOT NULL AND delivery_id NOT IN (SELECT delivery_id FROM set_aside)
),
envelopes AS (
  SELECT delivery_id, channel_rank, body AS envelope FROM deliveries WHERE channel = 'webhook'
  UNION ALL
  -- The platform's list of webhooks that it could not deliver repeats them: what it says was told, not asked for.
  SELECT delivery_id, 0, JSON_QUERY(body, '$.payload')
  FROM deliveries
  WHERE channel = 'fetch' AND REGEXP_CONTAINS(target, '/undelivered/[^/]+$')
),
told AS (
  SELECT
    delivery_id,
    channel_rank,
    CONCAT('event ', JSON_VALUE(envelope, '$.id')) AS statement_id,
    JSON_VALUE(envelope, '$.event') AS event,
    CAST(REGEXP_EXTRACT(JSON_VALUE(envelope, '$.created'), '^[0-9]{1,11}$') AS INT64) * 1000 AS stated_at_ms,
    JSON_QUERY(envelope, '$.data') AS data
  FROM envelopes
  WHERE JSON_VALUE(envelope, '$.livemode') = 'true'
),
asked AS (
  SELECT
    delivery_id,
    channel_rank,
    CONCAT('fetch ', target) AS statement_id,
    REGEXP_EXTRACT(target, '/([a-z]+)/[^/]+$') AS collection,
    received_at_ms AS stated_at_ms,
    body AS data
  FROM deliveries
  WHERE channel = 'fetch'
),
events AS (
  SELECT
    delivery_id,
    channel_rank,
    statement_id,
    stated_at_ms,
    CASE
      WHEN event IN ('transaction.completed', 'transaction.updated', 'transaction.reversed') THEN 'transaction'
      WHEN event IN (
        'ticket.created', 'ticket.updated', 'ticket.moved', 'ticket.delivered', 'ticket.scan.created',
        'ticket.redemptions.updated'
      ) THEN 'ticket'
      WHEN event = 'refund.created' THEN 'refund'
    END AS about,
    data
  FROM told
  UNION ALL
  SELECT
    delivery_id,
    channel_rank,
    statement_id,
    stated_at_ms,
    CASE collection WHEN 'transactions' THEN 'transaction' WHEN 'tickets' THEN 'ticket' END,
    data
  FROM asked
)
SELECT delivery_id, channel_rank, statement_id, stated_at_ms, about, data
FROM events
WHERE about IS NOT NULL
