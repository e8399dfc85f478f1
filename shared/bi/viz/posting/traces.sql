-- trace: amount_minor
-- The entity that the entry is about.
SELECT
  entry.source AS entity,
  IF(posting.amount_minor = entry.amount_minor, entry.field,
    IF(STARTS_WITH(entry.field, '-'), SUBSTR(entry.field, 2), CONCAT('-', entry.field))) AS field,
  posting.amount_minor AS amount
FROM mart.posting AS posting
INNER JOIN certificates.published AS published
  ON published.build_id = posting.build_id
  AND published.month = posting.month
  AND published.currency = posting.currency
  AND published.business_unit = posting.business_unit
INNER JOIN mart.journal_entry AS entry ON entry.build_id = posting.build_id AND entry.entry_id = posting.entry_id
WHERE posting.entry_day = @entry_day
  AND posting.month = @month
  AND posting.currency = @currency
  AND posting.business_unit = @business_unit
  AND posting.entry_id = @entry_id
  AND posting.entry_type = @entry_type
  AND entry.source = @source
  AND posting.account = @account
ORDER BY entity;
