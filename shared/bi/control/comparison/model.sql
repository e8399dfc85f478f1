WITH ledger AS (
  SELECT * FROM mart.figure WHERE build_id = @build_id
),
bodies AS (
  SELECT * FROM control.figure WHERE build_id = @build_id
)
SELECT
  COALESCE(ledger.month, bodies.month) AS month,
  COALESCE(ledger.currency, bodies.currency) AS currency,
  COALESCE(ledger.business_unit, bodies.business_unit) AS business_unit,
  COALESCE(ledger.figure, bodies.figure) AS figure,
  COALESCE(ledger.item_count, 0) AS ledger_count,
  COALESCE(ledger.amount_minor, 0) AS ledger_minor,
  COALESCE(bodies.item_count, 0) AS control_count,
  COALESCE(bodies.amount_minor, 0) AS control_minor
FROM ledger
FULL OUTER JOIN bodies
  ON bodies.month = ledger.month
  AND bodies.currency = ledger.currency
  AND bodies.business_unit = ledger.business_unit
  AND bodies.figure = ledger.figure
