WITH tickets AS (
  SELECT * FROM mart.fact_ticket WHERE build_id = @build_id AND is_live
),
trips AS (
  SELECT route_id, service_id, travel_day, MIN(currency) AS currency, MIN(business_unit) AS business_unit
  FROM tickets
  GROUP BY route_id, service_id, travel_day
),
units AS (
  SELECT business_unit, MIN(currency) AS currency FROM trips GROUP BY business_unit
),
manifests AS (
  SELECT *, SAFE_CAST(travel_day AS DATE) AS trip_day FROM staging.manifest
)
SELECT
  manifest.key AS manifest,
  manifest.route_id,
  manifest.service_id,
  manifest.trip_day AS travel_day,
  FORMAT_DATE('%Y-%m', manifest.trip_day) AS travel_month,
  manifest.status,
  COALESCE(manifest.status, 'unknown') != 'canceled' AS is_offered,
  manifest.capacity AS seats,
  -- Seats are in no currency: they stand beside the tickets of their trip, else beside those of their business unit.
  COALESCE(trip.currency, unit.currency) AS currency,
  COALESCE(manifest.business_unit, trip.business_unit) AS business_unit
FROM manifests AS manifest
LEFT JOIN trips AS trip
  ON trip.route_id = manifest.route_id AND trip.service_id = manifest.service_id AND trip.travel_day = manifest.trip_day
LEFT JOIN units AS unit ON unit.business_unit = manifest.business_unit
