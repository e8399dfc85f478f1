-- check: debits_are_credits
-- In every month the debits of all accounts are the credits of all accounts.
SELECT
  month,
  currency,
  business_unit,
  CONCAT('debits of ', CAST(SUM(debit_minor) AS STRING), ', credits of ', CAST(SUM(credit_minor) AS STRING)) AS difference
FROM mart.trial_balance
WHERE build_id = @build_id
GROUP BY month, currency, business_unit
HAVING SUM(debit_minor) != SUM(credit_minor);

-- check: is_of_the_chart
-- Every account with a balance is in the chart.
SELECT
  month,
  currency,
  business_unit,
  CONCAT(account, ' is not in the chart of accounts') AS difference
FROM mart.trial_balance
WHERE build_id = @build_id AND account_type IS NULL;
