"""JSON with exact decimals: an amount is written from integers as the digits it has, and no float exists on the way."""

import json
import re
from typing import Any

_MARK = "\ue000"
"""A private-use character that no name of the simulated company contains."""
_MARKED = re.compile(f'"{_MARK}(-?[0-9.]+)"')


def major(amount_minor: int) -> str:
    """Return a placeholder that `encode` writes as a JSON number of major units: 6110 as `61.1`, 6100 as `61`.

    Only for currencies of two decimals, such as ARS and BRL. Trailing zeros are left out, as JSON encoders of the
    real providers do.
    """
    whole, cents = divmod(abs(amount_minor), 100)
    sign = "-" if amount_minor < 0 else ""
    if not cents:
        return f"{_MARK}{sign}{whole}"
    return f"{_MARK}{sign}{whole}.{cents:02d}".rstrip("0")


def encode(document: Any) -> bytes:
    """Return the document as compact UTF-8 JSON, amounts in major units written exactly."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if _MARK in text:
        text = _MARKED.sub(r"\1", text)
    return text.encode()
