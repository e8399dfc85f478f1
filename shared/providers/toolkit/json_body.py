"""Bodies: from bytes to Python values without a float, and the digest of what a body says.

JSON numbers with a point or an exponent become Decimal, integers stay integers; NaN, infinities, repeated keys and
nesting beyond the parser's limit (about two hundred levels) are refused (DESIGN I6).
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

import jiter
import orjson

from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.sealed_values import without_values

VALUES_MAX = 1_000_000
"""How many values of JSON are read from one body; its commas and brackets count them before a single one is made.

The three bytes of `[],` become some seventy in memory: a bound on bytes alone would not bound what they unfold to.
"""


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds.

    Raises UnreadableError: `not_utf8`, `malformed_json`, `too_large`, or `wrong_type` where the body holds something else.
    """
    content = parse_value(body)
    if not isinstance(content, dict):
        raise UnreadableError(Quarantine.WRONG_TYPE, f"the body is a JSON {type(content).__name__}, not an object")
    return content


def parse_value(body: bytes) -> Any:
    """Return the JSON value that a body holds; raise UnreadableError (`not_utf8`, `malformed_json`, `too_large`)."""
    values = sum(map(body.count, (b",", b"[", b"{"))) if len(body) > VALUES_MAX else 0
    if values > VALUES_MAX:
        raise UnreadableError(
            Quarantine.TOO_LARGE, f"the body may hold {values} values, {VALUES_MAX} are read; ask for less at a time"
        )
    try:
        return jiter.from_json(
            body, float_mode="decimal", allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys"
        )
    except ValueError as malformed:
        raise _why_unreadable(body, malformed) from None


def content_digest(content: Mapping[str, Any]) -> str:
    """Return the hex SHA-256 of what a body says: its canonical JSON, without regard to key order and white space.

    The caller leaves out what differs from one attempt to the next. `1.0` and `1.00` are different contents; a personal
    value that is kept closed counts as being there, not by what it is.
    """
    try:
        canonical = orjson.dumps(content, default=_number, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits, which only the slower encoder writes
        canonical = _ANY_INTEGER.encode(content).encode("ascii")
    return sha256(without_values(canonical)).hexdigest()


def _number(value: object) -> dict[str, str]:
    # Tagged, so that the number 1.5 and the text "1.5" are different contents.
    if not isinstance(value, Decimal):
        msg = f"a parsed body cannot hold {type(value).__name__}"
        raise TypeError(msg)
    return {"number": str(value)}


_ANY_INTEGER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), check_circular=False, allow_nan=False, default=_number
)


def _why_unreadable(body: bytes, malformed: ValueError) -> UnreadableError:
    """Name the fault and its place. The parser's own words may quote a key of the body, so a repeated key is not named."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as not_text:
        return UnreadableError(Quarantine.NOT_UTF8, f"the body is not UTF-8 at byte {not_text.start}")
    fault, _, place = str(malformed).rpartition(" at ")
    if fault.startswith("Detected duplicate key"):
        fault = "a key is given twice"
    return UnreadableError(Quarantine.MALFORMED_JSON, f"{fault} at {place}")
