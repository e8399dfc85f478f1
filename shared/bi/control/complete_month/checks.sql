-- check: every_day_is_complete
-- Every day of the month has a completeness certificate of every listing, and nothing is missing in any.
SELECT
  month,
  CAST(NULL AS STRING) AS currency,
  CAST(NULL AS STRING) AS business_unit,
  CASE
    WHEN kind = 'any' THEN CONCAT('no day of ', provider, ' was ever certified complete: reconcile with its API')
    ELSE CONCAT(
      'of ', CAST(days_in_month AS STRING), ' days ', CAST(days_certified AS STRING), ' are certified and ',
      CAST(days_complete AS STRING), ' are complete in the listing of ', kind, ' of ', provider, ', ',
      CAST(listed - present AS STRING), ' listed are not kept: reconcile the month'
    )
  END AS difference
FROM control.complete_month
WHERE build_id = @build_id AND days_complete < days_in_month;
