-- check: both_paths_agree
-- The ledger path and the control path agree in every figure, to the item and to the minor unit.
SELECT
  month,
  currency,
  business_unit,
  CONCAT(
    figure, ': the ledger has ', CAST(ledger_minor AS STRING), ' in ', CAST(ledger_count AS STRING),
    ' items, the kept bodies have ', CAST(control_minor AS STRING), ' in ', CAST(control_count AS STRING),
    ' items; the ledger is off by ', CAST(ledger_minor - control_minor AS STRING)
  ) AS difference
FROM control.comparison
WHERE build_id = @build_id AND (ledger_count != control_count OR ledger_minor != control_minor);
