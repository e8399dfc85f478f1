"""The least that the asynchronous functions framework does for a request: read it and answer."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response


@functions_framework.aio.http
async def echo(request: Request) -> Response:
    """Answer with nothing."""
    await request.body()
    return Response("{}")
