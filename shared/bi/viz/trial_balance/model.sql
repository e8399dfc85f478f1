SELECT
  balance.month,
  balance.currency,
  balance.business_unit,
  balance.account,
  balance.account_type,
  balance.opening_minor,
  balance.debit_minor,
  balance.credit_minor,
  balance.closing_minor
FROM mart.trial_balance AS balance
INNER JOIN certificates.published AS published
  ON published.build_id = balance.build_id
  AND published.month = balance.month
  AND published.currency = balance.currency
  AND published.business_unit = balance.business_unit
