-- trace: opening_minor
-- What was posted to the account before the month.
SELECT
  entry.source AS entity,
  IF(posting.amount_minor = entry.amount_minor, entry.field,
    IF(STARTS_WITH(entry.field, '-'), SUBSTR(entry.field, 2), CONCAT('-', entry.field))) AS field,
  posting.amount_minor AS amount
FROM mart.posting AS posting
INNER JOIN certificates.published AS published ON published.build_id = posting.build_id
INNER JOIN mart.trial_balance AS balance
  ON balance.build_id = posting.build_id
  AND balance.month = published.month
  AND balance.currency = posting.currency
  AND balance.business_unit = posting.business_unit
  AND balance.account = posting.account
INNER JOIN mart.journal_entry AS entry ON entry.build_id = posting.build_id AND entry.entry_id = posting.entry_id
WHERE published.month = @month
  AND published.currency = @currency
  AND published.business_unit = @business_unit
  AND posting.currency = @currency
  AND posting.business_unit = @business_unit
  AND posting.account = @account
  AND balance.account_type = @account_type
  AND posting.month < published.month
ORDER BY entity, entry.entry_type;

-- trace: debit_minor
-- The debits of the month.
SELECT
  entry.source AS entity,
  IF(posting.amount_minor = entry.amount_minor, entry.field,
    IF(STARTS_WITH(entry.field, '-'), SUBSTR(entry.field, 2), CONCAT('-', entry.field))) AS field,
  posting.amount_minor AS amount
FROM mart.posting AS posting
INNER JOIN certificates.published AS published ON published.build_id = posting.build_id
INNER JOIN mart.trial_balance AS balance
  ON balance.build_id = posting.build_id
  AND balance.month = published.month
  AND balance.currency = posting.currency
  AND balance.business_unit = posting.business_unit
  AND balance.account = posting.account
INNER JOIN mart.journal_entry AS entry ON entry.build_id = posting.build_id AND entry.entry_id = posting.entry_id
WHERE published.month = @month
  AND published.currency = @currency
  AND published.business_unit = @business_unit
  AND posting.currency = @currency
  AND posting.business_unit = @business_unit
  AND posting.account = @account
  AND balance.account_type = @account_type
  AND posting.month = @month AND posting.amount_minor > 0
ORDER BY entity, entry.entry_type;

-- trace: credit_minor
-- The credits of the month.
SELECT
  entry.source AS entity,
  IF(-posting.amount_minor = entry.amount_minor, entry.field,
    IF(STARTS_WITH(entry.field, '-'), SUBSTR(entry.field, 2), CONCAT('-', entry.field))) AS field,
  -posting.amount_minor AS amount
FROM mart.posting AS posting
INNER JOIN certificates.published AS published ON published.build_id = posting.build_id
INNER JOIN mart.trial_balance AS balance
  ON balance.build_id = posting.build_id
  AND balance.month = published.month
  AND balance.currency = posting.currency
  AND balance.business_unit = posting.business_unit
  AND balance.account = posting.account
INNER JOIN mart.journal_entry AS entry ON entry.build_id = posting.build_id AND entry.entry_id = posting.entry_id
WHERE published.month = @month
  AND published.currency = @currency
  AND published.business_unit = @business_unit
  AND posting.currency = @currency
  AND posting.business_unit = @business_unit
  AND posting.account = @account
  AND balance.account_type = @account_type
  AND posting.month = @month AND posting.amount_minor < 0
ORDER BY entity, entry.entry_type;

-- trace: closing_minor
-- What was posted to the account until the end of the month.
SELECT
  entry.source AS entity,
  IF(posting.amount_minor = entry.amount_minor, entry.field,
    IF(STARTS_WITH(entry.field, '-'), SUBSTR(entry.field, 2), CONCAT('-', entry.field))) AS field,
  posting.amount_minor AS amount
FROM mart.posting AS posting
INNER JOIN certificates.published AS published ON published.build_id = posting.build_id
INNER JOIN mart.trial_balance AS balance
  ON balance.build_id = posting.build_id
  AND balance.month = published.month
  AND balance.currency = posting.currency
  AND balance.business_unit = posting.business_unit
  AND balance.account = posting.account
INNER JOIN mart.journal_entry AS entry ON entry.build_id = posting.build_id AND entry.entry_id = posting.entry_id
WHERE published.month = @month
  AND published.currency = @currency
  AND published.business_unit = @business_unit
  AND posting.currency = @currency
  AND posting.business_unit = @business_unit
  AND posting.account = @account
  AND balance.account_type = @account_type
  AND posting.month <= published.month
ORDER BY entity, entry.entry_type;
