"""Compressed content inside a body: base64 of gzip or zstd, unpacked up to a bound."""

import binascii
import zlib
from typing import Any

from shared.domain.errors import Quarantine, UnreadableError
from shared.providers.toolkit.json_body import parse_object, parse_value

UNPACKED_BYTES_MAX = 8 * 1024 * 1024
"""More than any real event unpacks to; a few kilobytes can unpack to gigabytes."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def opened_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds, with its `data` unpacked where `enc` says that it is compressed.

    Raises UnreadableError where it is no JSON object or cannot be unpacked.
    """
    content = parse_object(body)
    if not isinstance(content.get("enc"), str):
        return content
    if not isinstance(content.get("data"), str):
        raise UnreadableError(Quarantine.UNSUPPORTED_ENCODING, "enc is given, but data is not text")
    return {**content, "data": parse_value(unpack(content["enc"], content["data"]))}


def unpack(encoding: str, text: str) -> bytes:
    """Return the bytes that a base64 text holds compressed; raise UnreadableError(unsupported_encoding)."""
    unpackers = {"gzip": _gzip, "zstd": _zstd}
    if encoding not in unpackers:
        raise _unsupported(f"encoding {encoding[:16]!r} is not known")
    try:
        packed = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise _unsupported(f"{encoding} content is not base64") from None
    return unpackers[encoding](packed)


def _gzip(packed: bytes) -> bytes:
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = inflater.decompress(packed, UNPACKED_BYTES_MAX + 1)
    except zlib.error:
        raise _unsupported("gzip content is broken") from None
    if len(unpacked) > UNPACKED_BYTES_MAX:
        raise _unsupported(f"gzip content unpacks to more than {UNPACKED_BYTES_MAX} bytes")
    if not inflater.eof:
        raise _unsupported("gzip content is cut short")
    return unpacked


def _zstd(packed: bytes) -> bytes:
    # Imported here: deliveries are hardly ever compressed, and the door that only verifies needs none of it.
    import zstandard  # noqa: PLC0415

    try:
        inflater = zstandard.ZstdDecompressor(max_window_size=UNPACKED_BYTES_MAX).decompressobj()
        unpacked = bytearray()
        # Fed in small pieces, so that a bomb is noticed before it has unfolded.
        for start in range(0, len(packed), _PIECE):
            unpacked += inflater.decompress(packed[start : start + _PIECE])
            if len(unpacked) > UNPACKED_BYTES_MAX:
                raise _unsupported(f"zstd content unpacks to more than {UNPACKED_BYTES_MAX} bytes")
    except zstandard.ZstdError:
        raise _unsupported("zstd content is broken") from None
    if not inflater.eof:
        raise _unsupported("zstd content is cut short")
    return bytes(unpacked)


_PIECE = 256


def _unsupported(fault: str) -> UnreadableError:
    return UnreadableError(Quarantine.UNSUPPORTED_ENCODING, fault)
