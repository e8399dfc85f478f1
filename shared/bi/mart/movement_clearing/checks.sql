-- check: opening_and_movements_are_closing
-- What a processor holds moves from what stood to what stands, to the minor unit.
SELECT
  month,
  currency,
  NULLIF(business_unit, 'unassigned') AS business_unit,
  CONCAT(processor, ': the books come from ', CAST(opening_minor AS STRING), ' to ', CAST(booked AS STRING),
    ', payments, refunds and settlement lines to ', CAST(closing_minor AS STRING), '; the books are off by ',
    CAST(booked - closing_minor AS STRING)) AS difference
FROM (
  SELECT *, opening_minor + captured_minor - reversed_minor - refunded_minor - fees_minor - disputed_minor
    - unexplained_minor - paid_out_minor AS booked
  FROM mart.movement_clearing
  WHERE build_id = @build_id
) AS movements
WHERE booked != closing_minor;

-- check: knows_every_movement
-- Nothing is posted to clearing by a type of entry that the identity does not know.
SELECT
  month,
  currency,
  NULLIF(business_unit, 'unassigned') AS business_unit,
  CONCAT(CAST(unknown_types AS STRING), ' types of entry post to clearing of ', processor,
    ' and are in no column of the movements') AS difference
FROM mart.movement_clearing
WHERE build_id = @build_id AND unknown_types != 0;

-- check: closing_is_the_balance
-- What payments, refunds and settlement lines leave with a processor is the balance of its clearing account.
SELECT
  balance.month,
  balance.currency,
  NULLIF(balance.business_unit, 'unassigned') AS business_unit,
  CONCAT(balance.account, ' moved by ', CAST(balance.debit_minor - balance.credit_minor AS STRING), ', its payments, refunds and ',
    'settlement lines by ', CAST(movement.closing_minor - movement.opening_minor AS STRING)) AS difference
FROM mart.trial_balance AS balance
INNER JOIN mart.movement_clearing AS movement
  ON movement.build_id = @build_id AND movement.month = balance.month AND movement.currency = balance.currency
  AND movement.business_unit = balance.business_unit AND CONCAT('clearing:', movement.processor) = balance.account
WHERE balance.build_id = @build_id
  AND balance.debit_minor - balance.credit_minor != movement.closing_minor - movement.opening_minor;
