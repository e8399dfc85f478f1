-- check: no_difference_is_open
-- No difference between the ledger and what a provider lists is open on a day of the month.
SELECT
  FORMAT_DATE('%Y-%m', day) AS month,
  CAST(NULL AS STRING) AS currency,
  CAST(NULL AS STRING) AS business_unit,
  CONCAT(CAST(MAX(open_differences) AS STRING), ' differences of ', kind, ' with ', provider, ' are open: reconcile them') AS difference
FROM staging.compared_day
WHERE open_differences > 0
GROUP BY month, provider, kind;
