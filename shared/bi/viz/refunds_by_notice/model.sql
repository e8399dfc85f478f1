WITH published AS (
  SELECT * FROM certificates.published
),
refunds AS (
  SELECT refund.*, notice.notice, notice.held
  FROM mart.fact_refund AS refund
  INNER JOIN mart.fact_refund_notice AS notice ON notice.build_id = refund.build_id AND notice.refund = refund.refund
  INNER JOIN published
    ON published.build_id = refund.build_id
    AND published.month = refund.refunded_month
    AND published.currency = refund.currency
    AND published.business_unit = refund.business_unit
  WHERE refund.is_owed
),
totals AS (
  SELECT
    refunded_day AS business_day,
    refund_type,
    notice,
    held,
    currency,
    business_unit,
    COUNT(*) AS refunds,
    CAST(SUM(item_minor) AS INT64) AS item_minor,
    CAST(SUM(penalty_minor) AS INT64) AS penalty_minor,
    CAST(SUM(amount_minor) AS INT64) AS amount_minor
  FROM refunds
  GROUP BY business_day, refund_type, notice, held, currency, business_unit
)
SELECT
  *,
  IF(item_minor > 0, DIV(10000 * penalty_minor, item_minor), NULL) AS kept_bp
FROM totals
