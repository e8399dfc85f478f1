-- check: is_given_back_by_one_refund
-- What is given back is one whole ticket, by one refund that has not failed; and no ticket is given back without one.
SELECT
  month,
  currency,
  business_unit,
  difference
FROM (
  SELECT
    refund.refunded_month,
    ticket.departure_month,
    refund.currency,
    refund.business_unit,
    CASE
      WHEN ticket.ticket IS NULL THEN CONCAT(refund.refund, ' gives back no ticket that is known')
      WHEN ticket.status NOT IN ('refunded', 'exchanged') THEN
        CONCAT(refund.refund, ' gives back ', ticket.ticket, ', which is ', ticket.status)
      WHEN ticket.fare_minor != refund.item_minor THEN
        CONCAT(refund.refund, ' gives back ', CAST(refund.item_minor AS STRING), ' of ', ticket.ticket, ', whose fare is ',
          CAST(ticket.fare_minor AS STRING))
      WHEN refund.refunds > 1 THEN CONCAT(ticket.ticket, ' is given back by ', CAST(refund.refunds AS STRING), ' refunds')
      WHEN refund.currency != ticket.currency OR refund.business_unit != ticket.business_unit THEN
        CONCAT(refund.refund, ' and ', ticket.ticket, ' differ in currency or business unit')
    END AS difference
  FROM (
    SELECT *, COUNT(*) OVER (PARTITION BY COALESCE(ticket, refund)) AS refunds
    FROM mart.fact_refund
    WHERE build_id = @build_id AND is_owed
  ) AS refund
  LEFT JOIN mart.fact_ticket AS ticket ON ticket.build_id = @build_id AND ticket.ticket = refund.ticket
) AS given_back
CROSS JOIN UNNEST([refunded_month, COALESCE(departure_month, refunded_month)]) AS month
WHERE difference IS NOT NULL
UNION DISTINCT
SELECT
  month,
  currency,
  business_unit,
  CONCAT(ticket, ' is ', status, ' and no refund tells of it: reconcile')
FROM mart.fact_ticket
CROSS JOIN UNNEST([issued_month, departure_month]) AS month
WHERE build_id = @build_id
  AND given_back_day IS NULL
  AND (status = 'exchanged' OR (status = 'refunded' AND refund IS NOT NULL));

-- check: stands_in_a_standing_sale
-- No ticket stands whose sale has expired unpaid or was reversed.
SELECT
  month,
  ticket.currency,
  ticket.business_unit,
  CONCAT(ticket.ticket, ' is ', ticket.status, ' and its sale is ', sale.status) AS difference
FROM mart.fact_ticket AS ticket
INNER JOIN mart.fact_sale AS sale ON sale.build_id = @build_id AND sale.sale = ticket.sale
CROSS JOIN UNNEST([ticket.issued_month, ticket.departure_month]) AS month
WHERE ticket.build_id = @build_id AND ticket.is_live AND sale.status IN ('expired', 'reversed');
