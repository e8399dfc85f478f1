-- check: can_be_placed
-- Every captured payment has an amount, a currency and a day.
SELECT
  paid_month AS month,
  currency,
  CAST(NULL AS STRING) AS business_unit,
  CONCAT(payment, ' lacks its amount, currency or day') AS difference
FROM mart.fact_payment
WHERE build_id = @build_id AND is_captured AND (amount_minor IS NULL OR currency IS NULL OR paid_day IS NULL);

-- check: has_no_conflict
-- No payment carries statements that may not differ and do.
SELECT
  payment.paid_month AS month,
  payment.currency,
  NULLIF(payment.business_unit, 'unassigned') AS business_unit,
  CONCAT(payment.payment, ' is in conflict') AS difference
FROM mart.fact_payment AS payment
INNER JOIN staging.payment AS entity ON entity.key = payment.payment
WHERE payment.build_id = @build_id AND entity.has_conflict;

-- check: platform_has_business_unit
-- Every captured payment of the platform names its business unit.
SELECT
  paid_month AS month,
  currency,
  CAST(NULL AS STRING) AS business_unit,
  CONCAT(payment, ' names no business unit') AS difference
FROM mart.fact_payment
WHERE build_id = @build_id AND is_platform AND is_captured AND business_unit = 'unassigned';

-- check: sale_has_come
-- The sale that a payment is for is in the ledger.
SELECT
  payment.paid_month AS month,
  payment.currency,
  NULLIF(payment.business_unit, 'unassigned') AS business_unit,
  CONCAT(payment.payment, ' is for ', payment.sale, ', which has not come: reconcile') AS difference
FROM mart.fact_payment AS payment
LEFT JOIN mart.fact_sale AS sale ON sale.sale = payment.sale AND sale.build_id = @build_id
WHERE payment.build_id = @build_id AND payment.is_captured AND payment.sale IS NOT NULL AND sale.sale IS NULL;
