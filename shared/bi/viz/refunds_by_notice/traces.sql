-- trace: refunds
-- The items given back.
SELECT refund.refund AS entity, '' AS field, 1 AS amount
FROM mart.fact_refund AS refund
INNER JOIN certificates.published AS published
  ON published.build_id = refund.build_id
  AND published.month = refund.refunded_month
  AND published.currency = refund.currency
  AND published.business_unit = refund.business_unit
INNER JOIN mart.fact_refund_notice AS notice ON notice.build_id = refund.build_id AND notice.refund = refund.refund
WHERE refund.is_owed
  AND refund.refunded_day = @business_day
  AND refund.refund_type = @refund_type
  AND notice.notice = @notice
  AND notice.held = @held
  AND refund.currency = @currency
  AND refund.business_unit = @business_unit
ORDER BY entity;

-- trace: item_minor
-- The value of the items given back.
SELECT refund.refund AS entity, 'item_minor' AS field, refund.item_minor AS amount
FROM mart.fact_refund AS refund
INNER JOIN certificates.published AS published
  ON published.build_id = refund.build_id
  AND published.month = refund.refunded_month
  AND published.currency = refund.currency
  AND published.business_unit = refund.business_unit
INNER JOIN mart.fact_refund_notice AS notice ON notice.build_id = refund.build_id AND notice.refund = refund.refund
WHERE refund.is_owed
  AND refund.refunded_day = @business_day
  AND refund.refund_type = @refund_type
  AND notice.notice = @notice
  AND notice.held = @held
  AND refund.currency = @currency
  AND refund.business_unit = @business_unit
ORDER BY entity;

-- trace: penalty_minor
-- What is kept of each.
SELECT refund.refund AS entity, 'penalty_minor' AS field, refund.penalty_minor AS amount
FROM mart.fact_refund AS refund
INNER JOIN certificates.published AS published
  ON published.build_id = refund.build_id
  AND published.month = refund.refunded_month
  AND published.currency = refund.currency
  AND published.business_unit = refund.business_unit
INNER JOIN mart.fact_refund_notice AS notice ON notice.build_id = refund.build_id AND notice.refund = refund.refund
WHERE refund.is_owed
  AND refund.refunded_day = @business_day
  AND refund.refund_type = @refund_type
  AND notice.notice = @notice
  AND notice.held = @held
  AND refund.currency = @currency
  AND refund.business_unit = @business_unit
ORDER BY entity;

-- trace: amount_minor
-- What goes back of each.
SELECT refund.refund AS entity, 'amount_minor' AS field, refund.amount_minor AS amount
FROM mart.fact_refund AS refund
INNER JOIN certificates.published AS published
  ON published.build_id = refund.build_id
  AND published.month = refund.refunded_month
  AND published.currency = refund.currency
  AND published.business_unit = refund.business_unit
INNER JOIN mart.fact_refund_notice AS notice ON notice.build_id = refund.build_id AND notice.refund = refund.refund
WHERE refund.is_owed
  AND refund.refunded_day = @business_day
  AND refund.refund_type = @refund_type
  AND notice.notice = @notice
  AND notice.held = @held
  AND refund.currency = @currency
  AND refund.business_unit = @business_unit
ORDER BY entity;
