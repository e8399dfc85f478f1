SELECT account, account_type, meaning
FROM UNNEST([
  STRUCT('clearing' AS account, 'asset' AS account_type, 'Money that a processor holds for us, one account each.' AS meaning),
  STRUCT('customer_deposits', 'liability', 'Money that customers gave and that is not yet a ticket, or is none any more.'),
  STRUCT('unearned_fares', 'liability', 'Fares of tickets whose trip has not departed.'),
  STRUCT('fare_income', 'income', 'Fares of trips that have departed.'),
  STRUCT('cancellation_income', 'income', 'What is kept when a ticket is given back.')
])
