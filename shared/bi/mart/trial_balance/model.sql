WITH booked AS (
  SELECT month, currency, business_unit, account, SUM(debit_minor) AS debit_minor, SUM(credit_minor) AS credit_minor
  FROM mart.movement_account
  WHERE build_id = @build_id AND month < @open_month
  GROUP BY month, currency, business_unit, account
),
months AS (
  SELECT DISTINCT month FROM booked
),
kept AS (
  SELECT currency, business_unit, account, MIN(month) AS first_month
  FROM booked
  GROUP BY currency, business_unit, account
),
rows_of_months AS (
  -- An account keeps its balance through months in which nothing is booked on it.
  SELECT
    months.month,
    kept.currency,
    kept.business_unit,
    kept.account,
    COALESCE(booked.debit_minor, 0) AS debit_minor,
    COALESCE(booked.credit_minor, 0) AS credit_minor
  FROM kept
  INNER JOIN months ON months.month >= kept.first_month
  LEFT JOIN booked
    ON booked.month = months.month AND booked.currency = kept.currency AND booked.business_unit = kept.business_unit
    AND booked.account = kept.account
),
balances AS (
  SELECT
    *,
    SUM(debit_minor - credit_minor) OVER (PARTITION BY currency, business_unit, account ORDER BY month) AS closing_minor
  FROM rows_of_months
),
chart AS (
  SELECT * FROM mart.account WHERE build_id = @build_id
)
SELECT
  balances.month,
  balances.currency,
  balances.business_unit,
  balances.account,
  chart.account_type,
  CAST(closing_minor - debit_minor + credit_minor AS INT64) AS opening_minor,
  CAST(debit_minor AS INT64) AS debit_minor,
  CAST(credit_minor AS INT64) AS credit_minor,
  CAST(closing_minor AS INT64) AS closing_minor
FROM balances
LEFT JOIN chart ON chart.account = REGEXP_EXTRACT(balances.account, '^[^:]+')
