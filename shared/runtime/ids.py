"""Delivery ids: time-ordered (UUIDv7), so that keys arrive in the order of the stores that keep them."""

from datetime import datetime

import uuid_utils

from shared.domain.times import to_ms


def new_delivery_id(now: datetime) -> str:
    """Return a new id that sorts by the millisecond of `now`."""
    return str(uuid_utils.uuid7(nanoseconds=to_ms(now) * 1_000_000))
