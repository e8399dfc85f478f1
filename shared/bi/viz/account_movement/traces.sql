-- trace: amount_minor
-- The postings of the month by entries of the type.
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
WHERE posting.month = @month
  AND posting.currency = @currency
  AND posting.business_unit = @business_unit
  AND posting.account = @account
  AND posting.entry_type = @entry_type
ORDER BY entity;
