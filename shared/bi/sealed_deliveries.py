"""Sealed deliveries as rows of `staging.deliveries`: what `delivery_row` says of one in Python, said in SQL of all."""

from shared.domain.deliveries import Channel

_RANKED = " ".join(f"WHEN '{channel.value}' THEN {channel.rank}" for channel in Channel)

INSERT_SEALED = f"""
INSERT INTO staging.deliveries
  (delivery_id, object_name, provider, channel, channel_rank, target, received_at_ms, body, body_sha256)
WITH named AS (
  SELECT object_name, SPLIT(object_name, '/') AS parts, target, received_at, json, body_sha256
  FROM staging.segment_line
  WHERE body IS NULL AND body_base64 IS NULL
)
SELECT parts[SAFE_OFFSET(6)], object_name, parts[SAFE_OFFSET(4)], parts[SAFE_OFFSET(5)],
  CASE parts[SAFE_OFFSET(5)] {_RANKED} END, target, DIV(UNIX_MICROS(TIMESTAMP(received_at)), 1000), json, body_sha256
FROM named
"""  # noqa: S608  channels and their ranks are constants of ours
"""Adds the lines of segments that say what their bodies are; the others are loaded as single objects are."""

COUNT_DELIVERIES = "SELECT COUNT(*) AS deliveries FROM staging.deliveries"
"""How many deliveries are loaded."""
