WITH refunds AS (
  SELECT * FROM staging.refund WHERE provider = 'betterez'
),
timed AS (
  SELECT
    refund.key AS refund,
    ticket.key AS ticket,
    ticket.departs_at_ms - refund.refunded_at_ms AS notice_ms,
    refund.refunded_at_ms - ticket.issued_at_ms AS held_ms
  FROM refunds AS refund
  LEFT JOIN staging.ticket AS ticket ON ticket.key = refund.ticket
)
SELECT
  refund,
  ticket,
  CASE
    WHEN notice_ms IS NULL THEN 'unknown'
    WHEN notice_ms > 48 * 3600000 THEN 'over 48 h'
    WHEN notice_ms >= 24 * 3600000 THEN '24 to 48 h'
    WHEN notice_ms >= 3600000 THEN '1 to 24 h'
    WHEN notice_ms >= 0 THEN 'under 1 h'
    ELSE 'after departure'
  END AS notice,
  CASE
    WHEN held_ms IS NULL THEN 'unknown'
    WHEN held_ms < 86400000 THEN 'under 1 day'
    WHEN held_ms < 7 * 86400000 THEN '1 to 7 days'
    WHEN held_ms < 2592000000 THEN '7 to 30 days'
    ELSE '30 days or more'
  END AS held
FROM timed
