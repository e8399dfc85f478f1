SELECT month, currency, business_unit
FROM control.comparison
WHERE build_id = @build_id
UNION DISTINCT
-- What is published and has no figures any more is judged too: it must not stay because nobody looks.
SELECT month, currency, business_unit
FROM certificates.published
WHERE month < @open_month
