"""Answers of the simulated APIs: exact JSON, and errors in each provider's form."""

from typing import Any

from starlette.responses import Response

from local.simulator.exact_json import encode

_JSON = "application/json"


def answer(document: Any, status: int = 200) -> Response:
    """Return a document as exact JSON."""
    return Response(encode(document), status, media_type=_JSON)


def raw_answer(body: bytes) -> Response:
    """Return bytes that are JSON already."""
    return Response(body, media_type=_JSON)


def betterez_error(status: int, code: str, message: str) -> Response:
    """Return an error as the platform words it."""
    return answer({"status": status, "code": code, "message": message}, status)


def stripe_error(status: int, message: str) -> Response:
    """Return an error as Stripe words it."""
    return answer({"error": {"type": "invalid_request_error", "message": message}}, status)


def mercado_pago_error(status: int, message: str) -> Response:
    """Return an error as Mercado Pago words it."""
    return answer({"status": status, "error": "bad_request", "message": message, "cause": []}, status)
