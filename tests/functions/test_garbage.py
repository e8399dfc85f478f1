"""What a request makes goes with its answer: a door that looks for garbage less often holds no more."""

import asyncio
import gc
from datetime import UTC, datetime
from typing import Any

import pytest
from functions_framework.aio import create_asgi_app

from tests.functions.doors import FUNCTIONS, home
from tests.functions.signed import encoded, event, payment, signature

__all__ = ["home"]

REQUESTS = 30
BODY = encoded(event("e1", payment()))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("key", "status"), [(None, 200), ("another key", 401)])
def test_a_request_leaves_no_garbage(key: str | None, status: int) -> None:
    """Asiento leaves nothing of a request, kept or refused, that only the collector of garbage would find."""
    app = create_asgi_app("receive", str(FUNCTIONS / "receive" / "main.py"))  # type: ignore[no-untyped-call]  # the framework carries no types
    now = datetime.now(UTC)
    headers = signature(BODY, now) if key is None else signature(BODY, now, key)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/betterez",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    answered: list[int] = []

    async def said() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def told(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    async def ask() -> None:
        for _ in range(REQUESTS):
            await app(dict(scope), said, told)

    with asyncio.Runner() as runner:
        runner.run(ask())
        gc.collect()
        gc.disable()
        try:
            runner.run(ask())
            found = gc.collect()
        finally:
            gc.enable()
    assert answered == [status] * 2 * REQUESTS
    assert found < REQUESTS, "less than an object a request"
