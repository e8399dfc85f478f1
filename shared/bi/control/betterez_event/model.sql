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
kinds AS (
  -- What each event is about; of others nothing is taken.
  SELECT event, about
  FROM UNNEST([
    STRUCT('transaction.completed' AS event, 'transaction' AS about),
    STRUCT('transaction.updated', 'transaction'),
    STRUCT('transaction.reversed', 'transaction'),
    STRUCT('ticket.created', 'ticket'),
    STRUCT('ticket.updated', 'ticket'),
    STRUCT('ticket.moved', 'ticket'),
    STRUCT('ticket.delivered', 'ticket'),
    STRUCT('ticket.scan.created', 'ticket'),
    STRUCT('ticket.redemptions.updated', 'ticket'),
    STRUCT('refund.created', 'refund')
  ])
),
told AS (
  SELECT
    delivery_id,
    channel_rank,
    CONCAT('event ', JSON_VALUE(envelope, '$.id')) AS statement_id,
    JSON_VALUE(envelope, '$.event') AS event,
    CAST(REGEXP_EXTRACT(JSON_VALUE(envelope, '$.created'), '^[0-9]{1,11}$') AS INT64) * 1000 AS stated_at_ms,
    JSON_VALUE(envelope, '$.livemode') AS livemode,
    JSON_QUERY(envelope, '$.data') AS data
  FROM envelopes
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
  SELECT told.delivery_id, told.channel_rank, told.statement_id, told.stated_at_ms, kinds.about, told.data
  FROM told
  INNER JOIN kinds ON kinds.event = told.event
  WHERE told.livemode = 'true'
  UNION ALL
  SELECT delivery_id, channel_rank, statement_id, stated_at_ms, IF(collection = 'transactions', 'transaction', 'ticket'), data
  FROM asked
  WHERE collection IN ('transactions', 'tickets')
),
parts AS (
  SELECT
    *,
    JSON_QUERY(data, '$.transaction') AS transaction,
    JSON_QUERY(data, '$.tickets') AS tickets,
    JSON_QUERY(data, '$.refunds') AS refunds
  FROM events
)
SELECT
  delivery_id,
  channel_rank,
  statement_id,
  stated_at_ms,
  about,
  IF(about = 'transaction', transaction, data) AS data,
  IF(about = 'transaction' AND STARTS_WITH(tickets, '['), tickets, NULL) AS tickets,
  IF(about = 'transaction' AND STARTS_WITH(refunds, '['), refunds, NULL) AS refunds
FROM parts
