SELECT
  posting.entry_day,
  posting.month,
  posting.currency,
  posting.business_unit,
  posting.entry_id,
  posting.entry_type,
  entry.source,
  posting.account,
  posting.amount_minor
FROM mart.posting AS posting
INNER JOIN certificates.published AS published
  ON published.build_id = posting.build_id
  AND published.month = posting.month
  AND published.currency = posting.currency
  AND published.business_unit = posting.business_unit
INNER JOIN mart.journal_entry AS entry ON entry.build_id = posting.build_id AND entry.entry_id = posting.entry_id
