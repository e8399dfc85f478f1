-- check: no_difference_is_open
-- No difference between ledger and provider is open in the month, whichever job found it, that no person has accepted.
SELECT
  month,
  CAST(NULL AS STRING) AS currency,
  CAST(NULL AS STRING) AS business_unit,
  CONCAT(
    CAST(COUNT(*) AS STRING), ' differences of ', kind, ' with ', provider, ' are open (', job, '), ', MIN(entity), ' ',
    MIN(type), ' among them: reconcile or decide them'
  ) AS difference
FROM staging.difference
WHERE accepted_by_exception IS NULL
GROUP BY month, provider, kind, job;
