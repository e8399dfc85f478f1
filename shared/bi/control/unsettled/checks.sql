-- check: nothing_readable_is_unsettled
-- No delivery that names the month is unsettled, unless the provider was asked about the month since and nothing differed.
SELECT
  month,
  CAST(NULL AS STRING) AS currency,
  business_unit,
  CONCAT('delivery ', MIN(delivery_id), ' and ', CAST(COUNT(*) - 1 AS STRING), ' more of ', provider, ' are ', outcome, ' ', reason)
    AS difference
FROM control.unsettled
WHERE build_id = @build_id AND is_dated AND NOT is_answered
GROUP BY month, business_unit, provider, outcome, reason;

-- check: nothing_unread_is_unanswered
-- What could not be read is answered: the provider was asked about the whole month after it came, and nothing differed.
SELECT
  candidate.month,
  CAST(NULL AS STRING) AS currency,
  CAST(NULL AS STRING) AS business_unit,
  CONCAT('delivery ', MIN(unread.delivery_id), ' and ', CAST(COUNT(*) - 1 AS STRING), ' more of ', unread.provider,
    ' name no time, and the month was not compared with the provider since: derive, then reconcile it') AS difference
FROM (SELECT DISTINCT month FROM control.candidate WHERE build_id = @build_id) AS candidate
INNER JOIN (SELECT * FROM control.unsettled WHERE build_id = @build_id AND NOT is_dated AND NOT is_answered) AS unread
  ON unread.month <= candidate.month
LEFT JOIN (SELECT * FROM control.compared_month WHERE build_id = @build_id) AS compared
  ON compared.provider = unread.provider
  AND compared.month = candidate.month
  AND compared.compared_since_ms > unread.received_at_ms
  AND unread.is_answerable
WHERE compared.provider IS NULL
GROUP BY candidate.month, unread.provider;
