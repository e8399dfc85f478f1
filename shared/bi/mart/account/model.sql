SELECT account, account_type, meaning
FROM UNNEST([
  STRUCT('clearing' AS account, 'asset' AS account_type, 'Money that a processor holds for us, one account each; inperson is the drawer.' AS meaning),
  STRUCT('bank', 'asset', 'What processors say they paid out to our bank.'),
  STRUCT('suspense', 'asset', 'Money taken or given that waits for a person: disputes, and what a processor explains by nothing we know.'),
  STRUCT('customer_deposits', 'liability', 'Money that customers gave and that is not yet a ticket, or is a credit towards another one.'),
  STRUCT('unearned_fares', 'liability', 'Fares of tickets whose trip has not departed.'),
  STRUCT('refunds_payable', 'liability', 'What is owed in cash for items given back and has not been paid yet.'),
  STRUCT('commission_payable', 'liability', 'What agencies have earned.'),
  STRUCT('taxes_payable', 'liability', 'Taxes that the fares which became income include.'),
  STRUCT('fare_income', 'income', 'Fares of trips that have departed, taxes included.'),
  STRUCT('forfeited_fares', 'income', 'Fares of tickets that lapsed: expired, or cancelled without a refund.'),
  STRUCT('cancellation_income', 'income', 'What is kept when a ticket is given back.'),
  STRUCT('service_fee_income', 'income', 'Fees of a sale that are outside its tickets.'),
  STRUCT('fare_taxes', 'expense', 'The taxes inside fare income: taken off it.'),
  STRUCT('processor_fees', 'expense', 'What processors keep for moving money.'),
  STRUCT('agency_commission', 'expense', 'What agencies earn of the fares that became income.'),
  STRUCT('write_offs', 'expense', 'What a person has decided to give up.')
])
