WITH entries AS (
  SELECT * FROM mart.journal_entry WHERE build_id = @build_id
),
rules AS (
  SELECT * FROM mart.posting_rule WHERE build_id = @build_id
)
SELECT
  entry.entry_id,
  entry.entry_type,
  entry.entry_day,
  entry.month,
  IF(rule.is_per_processor, CONCAT(rule.account, ':', entry.processor), rule.account) AS account,
  entry.currency,
  entry.business_unit,
  rule.sign * entry.amount_minor AS amount_minor
FROM entries AS entry
INNER JOIN rules AS rule ON rule.entry_type = entry.entry_type
