WITH judged AS (
  SELECT
    *,
    CASE notice WHEN 'over 48 h' THEN 1000 WHEN '24 to 48 h' THEN 2000 WHEN '1 to 24 h' THEN 3000 END AS rule_bp
  FROM viz.refunds_by_notice
  WHERE refund_type = 'cash'
)
SELECT
  business_day,
  notice,
  held,
  currency,
  business_unit,
  refunds,
  item_minor,
  penalty_minor,
  kept_bp,
  rule_bp
FROM judged
WHERE rule_bp IS NULL OR kept_bp IS NULL OR kept_bp != rule_bp
