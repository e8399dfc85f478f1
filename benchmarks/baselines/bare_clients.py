"""The least that a door with these clients can start with: the asynchronous functions framework and their import."""

import os
from importlib import import_module

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

CLIENTS = [import_module(name) for name in os.environ["BARE_IMPORTS"].split()]


@functions_framework.aio.http
async def echo(request: Request) -> Response:
    """Answer with nothing."""
    await request.body()
    return Response("{}")
