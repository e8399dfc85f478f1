SELECT
  FORMAT_DATE('%Y-%m', business_day) AS month,
  route_id,
  currency,
  business_unit,
  CAST(SUM(seats_sold) AS INT64) AS seats_sold,
  CAST(SUM(no_show) AS INT64) AS no_show,
  DIV(10000 * CAST(SUM(no_show) AS INT64), CAST(SUM(seats_sold) AS INT64)) AS no_show_bp
FROM viz.coverage_by_route
WHERE seats_sold > 0
GROUP BY month, route_id, currency, business_unit
