SELECT entry_type, account, is_per_processor, sign
FROM UNNEST([
  STRUCT('payment_captured' AS entry_type, 'clearing' AS account, TRUE AS is_per_processor, 1 AS sign),
  STRUCT('payment_captured', 'customer_deposits', FALSE, -1),
  STRUCT('ticket_issued', 'customer_deposits', FALSE, 1),
  STRUCT('ticket_issued', 'unearned_fares', FALSE, -1),
  STRUCT('fare_earned', 'unearned_fares', FALSE, 1),
  STRUCT('fare_earned', 'fare_income', FALSE, -1),
  STRUCT('item_given_back', 'unearned_fares', FALSE, 1),
  STRUCT('item_given_back', 'customer_deposits', FALSE, -1),
  STRUCT('penalty_kept', 'customer_deposits', FALSE, 1),
  STRUCT('penalty_kept', 'cancellation_income', FALSE, -1),
  STRUCT('refund_paid', 'customer_deposits', FALSE, 1),
  STRUCT('refund_paid', 'clearing', TRUE, -1)
])
