-- check: sums_to_zero
-- The postings of every entry sum to zero.
SELECT
  month,
  currency,
  business_unit,
  CONCAT(MIN(entry_id), ' and ', CAST(COUNT(*) - 1 AS STRING), ' more entries of ', entry_type, ' are off zero by ',
    CAST(SUM(off_by_minor) AS STRING), ' minor units') AS difference
FROM (
  SELECT entry_type, entry_id, month, currency, business_unit, SUM(amount_minor) AS off_by_minor
  FROM mart.posting
  WHERE build_id = @build_id
  GROUP BY entry_type, entry_id, month, currency, business_unit
  HAVING SUM(amount_minor) != 0 OR SUM(amount_minor) IS NULL
)
GROUP BY entry_type, month, currency, business_unit;

-- check: every_entry_is_posted
-- Every journal entry has postings, and each has an account.
SELECT
  entry.month,
  entry.currency,
  entry.business_unit,
  CONCAT(MIN(entry.entry_id), ' and ', CAST(COUNT(*) - 1 AS STRING), ' more entries have no posting or no account') AS difference
FROM mart.journal_entry AS entry
LEFT JOIN mart.posting AS posting ON posting.build_id = @build_id AND posting.entry_id = entry.entry_id
WHERE entry.build_id = @build_id AND posting.account IS NULL
GROUP BY entry.month, entry.currency, entry.business_unit;

-- check: income_is_what_was_earned
-- Fare income of a month is the fares of the live tickets that departed in it.
SELECT
  COALESCE(booked.month, earned.month) AS month,
  COALESCE(booked.currency, earned.currency) AS currency,
  COALESCE(booked.business_unit, earned.business_unit) AS business_unit,
  CONCAT('fare income ', CAST(COALESCE(booked.amount_minor, 0) AS STRING), ', earned fares ',
    CAST(COALESCE(earned.amount_minor, 0) AS STRING)) AS difference
FROM (
  SELECT month, currency, business_unit, -SUM(amount_minor) AS amount_minor
  FROM mart.posting
  WHERE build_id = @build_id AND account = 'fare_income' AND month < @open_month
  GROUP BY month, currency, business_unit
) AS booked
FULL OUTER JOIN (
  SELECT departure_month AS month, currency, business_unit, SUM(fare_minor) AS amount_minor
  FROM mart.fact_ticket
  WHERE build_id = @build_id AND is_live AND departure_month < @open_month
  GROUP BY departure_month, currency, business_unit
) AS earned
  ON earned.month = booked.month AND earned.currency = booked.currency AND earned.business_unit = booked.business_unit
WHERE COALESCE(booked.amount_minor, 0) != COALESCE(earned.amount_minor, 0);
