-- check: every_entry_is_posted
-- Every journal entry has as many postings as its rule has accounts, at least two, and each has an account.
SELECT
  entries.month,
  entries.currency,
  entries.business_unit,
  CONCAT(CAST(entries.entries AS STRING), ' entries of ', entries.entry_type, ' have ',
    CAST(COALESCE(posted.postings, 0) AS STRING), ' postings, their rule has ', CAST(COALESCE(rules.legs, 0) AS STRING),
    ' accounts each') AS difference
FROM (
  SELECT month, currency, business_unit, entry_type, COUNT(*) AS entries
  FROM mart.journal_entry
  WHERE build_id = @build_id
  GROUP BY month, currency, business_unit, entry_type
) AS entries
LEFT JOIN (
  SELECT entry_type, COUNT(*) AS legs FROM mart.posting_rule WHERE build_id = @build_id GROUP BY entry_type
) AS rules ON rules.entry_type = entries.entry_type
LEFT JOIN (
  SELECT month, currency, business_unit, entry_type, SUM(postings) AS postings
  FROM mart.movement_account
  WHERE build_id = @build_id AND account IS NOT NULL
  GROUP BY month, currency, business_unit, entry_type
) AS posted
  ON posted.month = entries.month AND posted.currency = entries.currency AND posted.business_unit = entries.business_unit
  AND posted.entry_type = entries.entry_type
WHERE COALESCE(posted.postings, 0) != entries.entries * COALESCE(rules.legs, 0) OR COALESCE(rules.legs, 0) < 2;

-- check: sums_to_zero
-- The postings of every entry sum to zero in its currency.
SELECT
  posting.month,
  posting.currency,
  posting.business_unit,
  CONCAT(MIN(posting.entry_id), ' and ', CAST(COUNT(DISTINCT posting.entry_id) - 1 AS STRING), ' more entries of ',
    posting.entry_type, ' are off zero by ', CAST(SUM(posting.amount_minor) AS STRING), ' minor units') AS difference
FROM mart.posting AS posting
INNER JOIN (
  SELECT entry_id, currency
  FROM mart.posting
  WHERE build_id = @build_id
  GROUP BY entry_id, currency
  HAVING SUM(amount_minor) != 0 OR SUM(amount_minor) IS NULL
) AS unbalanced ON unbalanced.entry_id = posting.entry_id AND unbalanced.currency = posting.currency
WHERE posting.build_id = @build_id
GROUP BY posting.entry_type, posting.month, posting.currency, posting.business_unit;

-- check: income_is_what_was_earned
-- What departures bring to fare income in a month is the fares of the live tickets that departed in it.
SELECT
  COALESCE(booked.month, earned.month) AS month,
  COALESCE(booked.currency, earned.currency) AS currency,
  COALESCE(booked.business_unit, earned.business_unit) AS business_unit,
  CONCAT('fare income ', CAST(COALESCE(booked.amount_minor, 0) AS STRING), ', earned fares ',
    CAST(COALESCE(earned.amount_minor, 0) AS STRING)) AS difference
FROM (
  SELECT month, currency, business_unit, SUM(credit_minor - debit_minor) AS amount_minor
  FROM mart.movement_account
  WHERE build_id = @build_id AND account = 'fare_income' AND NOT STARTS_WITH(entry_type, 'earned_item_') AND month < @open_month
  GROUP BY month, currency, business_unit
) AS booked
FULL OUTER JOIN (
  SELECT month, currency, business_unit, amount_minor
  FROM mart.figure AS summed
  WHERE build_id = @build_id AND figure = 'fares_earned'
) AS earned
  ON earned.month = booked.month AND earned.currency = booked.currency AND earned.business_unit = booked.business_unit
WHERE COALESCE(booked.amount_minor, 0) != COALESCE(earned.amount_minor, 0);
