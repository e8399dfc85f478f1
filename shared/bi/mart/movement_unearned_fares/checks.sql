-- check: opening_and_movements_are_closing
-- Unearned fares move from what stood to what stands, to the minor unit.
SELECT
  month,
  currency,
  business_unit,
  CONCAT('from ', CAST(opening_minor AS STRING), ' the books go by ', CAST(booked_in AS STRING), ' in and ',
    CAST(booked_out AS STRING), ' out, the tickets by ', CAST(begun_minor AS STRING), ' in and ', CAST(ended_minor AS STRING),
    ' out to ', CAST(closing_minor AS STRING)) AS difference
FROM (
  SELECT *,
    issued_minor + issued_in_exchange_minor AS booked_in,
    refunded_minor + exchanged_minor + travelled_minor + no_show_minor + expired_minor + forfeited_minor + voided_minor AS booked_out
  FROM mart.movement_unearned_fares
  WHERE build_id = @build_id
) AS movements
WHERE booked_in != begun_minor OR booked_out != ended_minor OR opening_minor + booked_in - booked_out != closing_minor;

-- check: knows_every_movement
-- Nothing is posted to unearned fares by a type of entry that the identity does not know.
SELECT
  month,
  currency,
  business_unit,
  CONCAT(CAST(unknown_types AS STRING), ' types of entry post to unearned fares and are in no column of the movements')
    AS difference
FROM mart.movement_unearned_fares
WHERE build_id = @build_id AND unknown_types != 0;

-- check: closing_is_the_balance
-- The fares of the tickets that stand are the balance of unearned fares.
SELECT
  balance.month,
  balance.currency,
  balance.business_unit,
  CONCAT('the account moved by ', CAST(balance.credit_minor - balance.debit_minor AS STRING), ', the tickets by ',
    CAST(movement.closing_minor - movement.opening_minor AS STRING)) AS difference
FROM mart.trial_balance AS balance
INNER JOIN mart.movement_unearned_fares AS movement
  ON movement.build_id = @build_id AND movement.month = balance.month AND movement.currency = balance.currency
  AND movement.business_unit = balance.business_unit
WHERE balance.build_id = @build_id AND balance.account = 'unearned_fares'
  AND balance.credit_minor - balance.debit_minor != movement.closing_minor - movement.opening_minor;
