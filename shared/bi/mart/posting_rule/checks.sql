-- check: uses_the_chart
-- Every rule posts to an account of the chart.
SELECT
  CAST(NULL AS STRING) AS month,
  CAST(NULL AS STRING) AS currency,
  CAST(NULL AS STRING) AS business_unit,
  CONCAT(rule.entry_type, ' posts to ', rule.account, ', which is not in the chart') AS difference
FROM mart.posting_rule AS rule
LEFT JOIN mart.account AS chart ON chart.build_id = @build_id AND chart.account = rule.account
WHERE rule.build_id = @build_id AND chart.account IS NULL;
