WITH cohorts AS (
  SELECT * FROM mart.movement_cohort WHERE build_id = @build_id
),
changes AS (
  -- By the tickets alone: they begin in the month of issue and end in the month in which their right ends.
  SELECT month, currency, business_unit, SUM(begun) AS begun, SUM(ended) AS ended
  FROM (
    SELECT issued_month AS month, currency, business_unit, tickets AS begun, 0 AS ended FROM cohorts
    UNION ALL
    SELECT ended_month, currency, business_unit, 0, tickets FROM cohorts WHERE ended_month IS NOT NULL
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
    SUM(IF(entry_type = 'ticket_issued', postings, 0)) AS issued,
    SUM(IF(entry_type = 'ticket_issued_in_exchange', postings, 0)) AS issued_in_exchange,
    SUM(IF(entry_type = 'item_refunded', postings, 0)) AS refunded,
    SUM(IF(entry_type = 'item_exchanged', postings, 0)) AS exchanged,
    SUM(IF(entry_type = 'fare_earned', postings, 0)) AS travelled,
    SUM(IF(entry_type = 'no_show_kept', postings, 0)) AS no_show,
    SUM(IF(entry_type = 'fare_expired', postings, 0)) AS expired,
    SUM(IF(entry_type = 'fare_forfeited', postings, 0)) AS forfeited,
    SUM(IF(entry_type = 'ticket_voided', postings, 0)) AS voided,
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
    COALESCE(changes.begun, 0) AS begun,
    COALESCE(changes.ended, 0) AS ended,
    SUM(COALESCE(changes.begun, 0) - COALESCE(changes.ended, 0)) OVER (
      PARTITION BY months.currency, months.business_unit ORDER BY months.month
    ) AS closing
  FROM months
  LEFT JOIN changes
    ON changes.month = months.month AND changes.currency = months.currency AND changes.business_unit = months.business_unit
)
SELECT
  standing.month,
  standing.currency,
  standing.business_unit,
  CAST(standing.closing - standing.begun + standing.ended AS INT64) AS opening,
  CAST(COALESCE(booked.issued, 0) AS INT64) AS issued,
  CAST(COALESCE(booked.issued_in_exchange, 0) AS INT64) AS issued_in_exchange,
  CAST(COALESCE(booked.refunded, 0) AS INT64) AS refunded,
  CAST(COALESCE(booked.exchanged, 0) AS INT64) AS exchanged,
  CAST(COALESCE(booked.travelled, 0) AS INT64) AS travelled,
  CAST(COALESCE(booked.no_show, 0) AS INT64) AS no_show,
  CAST(COALESCE(booked.expired, 0) AS INT64) AS expired,
  CAST(COALESCE(booked.forfeited, 0) AS INT64) AS forfeited,
  CAST(COALESCE(booked.voided, 0) AS INT64) AS voided,
  COALESCE(booked.unknown_types, 0) AS unknown_types,
  CAST(standing.begun AS INT64) AS begun,
  CAST(standing.ended AS INT64) AS ended,
  CAST(standing.closing AS INT64) AS closing
FROM standing
LEFT JOIN booked
  ON booked.month = standing.month AND booked.currency = standing.currency AND booked.business_unit = standing.business_unit
