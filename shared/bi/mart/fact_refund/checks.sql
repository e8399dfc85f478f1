-- check: can_be_placed
-- Every refund has its three amounts, a type, a currency, a business unit and a day.
SELECT
  refunded_month AS month,
  currency,
  business_unit,
  CONCAT(refund, ' lacks an amount, its type, currency, business unit or day') AS difference
FROM mart.fact_refund
WHERE build_id = @build_id
  AND (
    item_minor IS NULL OR penalty_minor IS NULL OR amount_minor IS NULL OR refund_type IS NULL OR status IS NULL
    OR currency IS NULL OR business_unit IS NULL OR refunded_day IS NULL
  );

-- check: item_is_amount_and_penalty
-- What goes back and what is kept make up what was given back.
SELECT
  refunded_month AS month,
  currency,
  business_unit,
  CONCAT(
    refund, ': item ', CAST(item_minor AS STRING), ' is not amount ', CAST(amount_minor AS STRING), ' and penalty ',
    CAST(penalty_minor AS STRING)
  ) AS difference
FROM mart.fact_refund
WHERE build_id = @build_id AND item_minor != amount_minor + penalty_minor;

-- check: has_no_conflict
-- No refund carries statements that may not differ and do.
SELECT
  refund.refunded_month AS month,
  refund.currency,
  refund.business_unit,
  CONCAT(refund.refund, ' is in conflict') AS difference
FROM mart.fact_refund AS refund
INNER JOIN staging.refund AS entity ON entity.key = refund.refund
WHERE refund.build_id = @build_id AND entity.has_conflict;

-- check: sale_has_come
-- The sale that a refund undoes and the transaction that holds it are in the ledger.
SELECT
  refund.refunded_month AS month,
  refund.currency,
  refund.business_unit,
  CONCAT(refund.refund, ' is of ', named, ', which has not come: reconcile') AS difference
FROM mart.fact_refund AS refund
CROSS JOIN UNNEST([refund.sale, refund.original_sale]) AS named
LEFT JOIN mart.fact_sale AS sale ON sale.sale = named AND sale.build_id = @build_id
WHERE refund.build_id = @build_id AND named IS NOT NULL AND sale.sale IS NULL;
