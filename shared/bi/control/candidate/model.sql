SELECT month, currency, business_unit
FROM control.comparison
WHERE build_id = @build_id
UNION DISTINCT
-- What is published and has no figures any more is judged too: it must not stay because nobody looks.
SELECT month, currency, business_unit
FROM certificates.published
WHERE month < @open_month
UNION DISTINCT
-- What processors settle may belong to a business unit, or to none that is known, of which there is no figure.
SELECT month, currency, business_unit
FROM mart.movement_settlement
WHERE build_id = @build_id AND month < @open_month AND currency IS NOT NULL
