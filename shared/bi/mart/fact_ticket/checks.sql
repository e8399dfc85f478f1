-- check: can_be_placed
-- Every ticket has a fare, a currency, a business unit, a day of issue and a day of departure.
SELECT
  month,
  currency,
  business_unit,
  CONCAT(ticket, ' lacks its fare, status, currency, business unit, issue or departure') AS difference
FROM mart.fact_ticket
CROSS JOIN UNNEST([issued_month, departure_month]) AS month
WHERE build_id = @build_id
  AND (fare_minor IS NULL OR currency IS NULL OR business_unit IS NULL OR status IS NULL OR issued_day IS NULL OR departure_day IS NULL);

-- check: has_no_conflict
-- No ticket carries statements that may not differ and do.
SELECT
  month,
  ticket.currency,
  ticket.business_unit,
  CONCAT(ticket.ticket, ' is in conflict') AS difference
FROM mart.fact_ticket AS ticket
INNER JOIN staging.ticket AS entity ON entity.key = ticket.ticket
CROSS JOIN UNNEST([ticket.issued_month, ticket.departure_month]) AS month
WHERE ticket.build_id = @build_id AND entity.has_conflict;

-- check: sale_has_come
-- The sale that a ticket belongs to is in the ledger: where it is not, its payments may be missing too.
SELECT
  ticket.issued_month AS month,
  ticket.currency,
  ticket.business_unit,
  CONCAT(ticket.ticket, ' belongs to ', ticket.sale, ', which has not come: reconcile') AS difference
FROM mart.fact_ticket AS ticket
LEFT JOIN mart.fact_sale AS sale ON sale.sale = ticket.sale AND sale.build_id = @build_id
WHERE ticket.build_id = @build_id AND ticket.sale IS NOT NULL AND sale.sale IS NULL;
