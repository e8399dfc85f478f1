"""Deliveries for tests: bytes as they come by each channel."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.domain.deliveries import Channel, Delivery

RECEIVED_AT = datetime(2024, 8, 6, 15, 3, tzinfo=UTC)


def webhook(
    provider: str, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None, target: str = ""
) -> Delivery:
    """Return what a webhook brought; header names as they come are lowered, as the door does."""
    kept = {name.lower(): value for name, value in (headers or {}).items()}
    return Delivery("d1", provider, Channel.WEBHOOK, RECEIVED_AT, target or f"/{provider}", kept, _bytes(body))


def fetched(
    provider: str, target: str, body: bytes | Mapping[str, Any], received_at: datetime = RECEIVED_AT
) -> Delivery:
    """Return what a fetch brought."""
    return Delivery("d2", provider, Channel.FETCH, received_at, f"GET {target}", {}, _bytes(body))


def exact_json(content: Any) -> bytes:
    """Return JSON whose numbers are the decimals that are given, digit for digit: no float touches money."""
    return re.sub(r'"decimal:([^"]*)"', r"\1", json.dumps(content, default=_marked)).encode()


def _marked(number: Decimal) -> str:
    return f"decimal:{number}"


def _bytes(body: bytes | Mapping[str, Any]) -> bytes:
    return body if isinstance(body, bytes) else exact_json(body)
