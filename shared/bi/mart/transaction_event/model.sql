WITH sales AS (
  SELECT * FROM mart.fact_sale WHERE build_id = @build_id
),
stated AS (
  SELECT sale.*, entity.version_at_ms AS event_at_ms
  FROM sales AS sale
  INNER JOIN staging.sale AS entity ON entity.key = sale.sale
),
events AS (
  SELECT *, sale AS about, IF(status = 'paid', 'paid', 'cancelled') AS became
  FROM stated
  WHERE sale_type != 'cancellation' AND status IN ('paid', 'reversed')
  UNION ALL
  -- A cancellation is a transaction of its own, and an event of the one that it undoes.
  SELECT *, COALESCE(original_sale, sale), 'cancelled'
  FROM stated
  WHERE sale_type = 'cancellation' AND status = 'paid'
),
latest AS (
  SELECT *
  FROM events
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY about, became ORDER BY event_at_ms DESC, sale DESC) = 1
)
SELECT
  latest.about AS transaction_key,
  COALESCE(named.sale_number, latest.about) AS transaction_id,
  latest.became AS status,
  latest.sale AS told_by,
  latest.event_at_ms,
  FORMAT_DATETIME('%Y-%m-%d %H:%M:%S', DATETIME(TIMESTAMP_MILLIS(latest.event_at_ms), 'America/Argentina/Buenos_Aires')) AS event_at,
  latest.total_minor,
  latest.currency,
  latest.business_unit,
  COALESCE(latest.channel, 'unassigned') AS channel,
  latest.sold_day,
  latest.sold_month
FROM latest
LEFT JOIN sales AS named ON named.sale = latest.about
