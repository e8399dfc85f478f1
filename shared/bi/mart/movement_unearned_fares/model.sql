WITH cohorts AS (
  SELECT * FROM mart.movement_cohort WHERE build_id = @build_id
),
changes AS (
  -- By the tickets alone: they begin in the month of issue and end in the month in which their right ends.
  SELECT month, currency, business_unit, SUM(begun_minor) AS begun_minor, SUM(ended_minor) AS ended_minor
  FROM (
    SELECT issued_month AS month, currency, business_unit, fare_minor AS begun_minor, 0 AS ended_minor FROM cohorts
    UNION ALL
    SELECT ended_month, currency, business_unit, 0, fare_minor FROM cohorts WHERE ended_month IS NOT NULL
  ) AS ends
  WHERE month < @open_month
  GROUP BY month, currency, business_unit
),
booked AS (
  -- By the books: what each type of entry posted to unearned fares.
  SELECT
    month,
    currency,
    business_unit,
    SUM(IF(entry_type = 'ticket_issued', credit_minor - debit_minor, 0)) AS issued_minor,
    SUM(IF(entry_type = 'ticket_issued_in_exchange', credit_minor - debit_minor, 0)) AS issued_in_exchange_minor,
    SUM(IF(entry_type = 'item_refunded', debit_minor - credit_minor, 0)) AS refunded_minor,
    SUM(IF(entry_type = 'item_exchanged', debit_minor - credit_minor, 0)) AS exchanged_minor,
    SUM(IF(entry_type = 'fare_earned', debit_minor - credit_minor, 0)) AS travelled_minor,
    SUM(IF(entry_type = 'no_show_kept', debit_minor - credit_minor, 0)) AS no_show_minor,
    SUM(IF(entry_type = 'fare_expired', debit_minor - credit_minor, 0)) AS expired_minor,
    SUM(IF(entry_type = 'fare_forfeited', debit_minor - credit_minor, 0)) AS forfeited_minor,
    SUM(IF(entry_type = 'ticket_voided', debit_minor - credit_minor, 0)) AS voided_minor,
    COUNTIF(entry_type NOT IN (
      'ticket_issued', 'ticket_issued_in_exchange', 'item_refunded', 'item_exchanged',
      'fare_earned', 'no_show_kept', 'fare_expired', 'fare_forfeited', 'ticket_voided'
    )) AS unknown_types
  FROM mart.movement_account
  WHERE build_id = @build_id AND account = 'unearned_fares' AND month < @open_month
  GROUP BY month, currency, business_unit
),
months AS (
  SELECT month, currency, business_unit FROM changes
  UNION DISTINCT
  SELECT month, currency, business_unit FROM booked
),
standing AS (
  SELECT
    months.month,
    months.currency,
    months.business_unit,
    COALESCE(changes.begun_minor, 0) AS begun_minor,
    COALESCE(changes.ended_minor, 0) AS ended_minor,
    SUM(COALESCE(changes.begun_minor, 0) - COALESCE(changes.ended_minor, 0)) OVER (
      PARTITION BY months.currency, months.business_unit ORDER BY months.month
    ) AS closing_minor
  FROM months
  LEFT JOIN changes
    ON changes.month = months.month AND changes.currency = months.currency AND changes.business_unit = months.business_unit
)
SELECT
  standing.month,
  standing.currency,
  standing.business_unit,
  CAST(standing.closing_minor - standing.begun_minor + standing.ended_minor AS INT64) AS opening_minor,
  CAST(COALESCE(booked.issued_minor, 0) AS INT64) AS issued_minor,
  CAST(COALESCE(booked.issued_in_exchange_minor, 0) AS INT64) AS issued_in_exchange_minor,
  CAST(COALESCE(booked.refunded_minor, 0) AS INT64) AS refunded_minor,
  CAST(COALESCE(booked.exchanged_minor, 0) AS INT64) AS exchanged_minor,
  CAST(COALESCE(booked.travelled_minor, 0) AS INT64) AS travelled_minor,
  CAST(COALESCE(booked.no_show_minor, 0) AS INT64) AS no_show_minor,
  CAST(COALESCE(booked.expired_minor, 0) AS INT64) AS expired_minor,
  CAST(COALESCE(booked.forfeited_minor, 0) AS INT64) AS forfeited_minor,
  CAST(COALESCE(booked.voided_minor, 0) AS INT64) AS voided_minor,
  COALESCE(booked.unknown_types, 0) AS unknown_types,
  CAST(standing.begun_minor AS INT64) AS begun_minor,
  CAST(standing.ended_minor AS INT64) AS ended_minor,
  CAST(standing.closing_minor AS INT64) AS closing_minor
FROM standing
LEFT JOIN booked
  ON booked.month = standing.month AND booked.currency = standing.currency AND booked.business_unit = standing.business_unit
