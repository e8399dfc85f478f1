SELECT delivery_id, provider, reason
FROM control.unsettled
WHERE build_id = @build_id AND is_dated AND month < @open_month
GROUP BY delivery_id, provider, reason
HAVING LOGICAL_AND(is_answered)
