-- check: sold_is_what_became_of_them
-- Every ticket that was open or sold has travelled, not shown up, gone back, lapsed, been voided, or is open.
SELECT
  month,
  currency,
  business_unit,
  CONCAT('from ', CAST(opening AS STRING), ' the books go by ', CAST(booked_in AS STRING), ' in and ',
    CAST(booked_out AS STRING), ' out, the tickets by ', CAST(begun AS STRING), ' in and ', CAST(ended AS STRING),
    ' out to ', CAST(closing AS STRING)) AS difference
FROM (
  SELECT *,
    issued + issued_in_exchange AS booked_in,
    refunded + exchanged + travelled + no_show + expired + forfeited + voided AS booked_out
  FROM mart.movement_tickets
  WHERE build_id = @build_id
) AS movements
WHERE booked_in != begun OR booked_out != ended OR opening + booked_in - booked_out != closing;

-- check: knows_every_movement
-- Nothing is posted to unearned fares by a type of entry that the identity does not know.
SELECT
  month,
  currency,
  business_unit,
  CONCAT(CAST(unknown_types AS STRING), ' types of entry post to unearned fares and are in no column of the movements')
    AS difference
FROM mart.movement_tickets
WHERE build_id = @build_id AND unknown_types != 0;
