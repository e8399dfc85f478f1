-- check: has_no_fee_of_a_cancellation
-- No cancellation has fees of its own: its penalties are in its refunds, and nothing says where such a fee would go.
SELECT
  sold_month AS month,
  currency,
  business_unit,
  CONCAT(sale, ' is a cancellation with fees of ', CAST(fees_minor AS STRING), ': find out where they go') AS difference
FROM mart.fact_sale
WHERE build_id = @build_id AND sale_type = 'cancellation' AND fees_minor != 0;
