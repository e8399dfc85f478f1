SELECT
  movement.month,
  movement.currency,
  movement.business_unit,
  movement.account,
  movement.entry_type,
  movement.debit_minor - movement.credit_minor AS amount_minor
FROM mart.movement_account AS movement
INNER JOIN certificates.published AS published
  ON published.build_id = movement.build_id
  AND published.month = movement.month
  AND published.currency = movement.currency
  AND published.business_unit = movement.business_unit
