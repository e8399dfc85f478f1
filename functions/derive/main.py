"""The bus pushes an announcement here; it is acknowledged (204) once the delivery has an outcome."""

import asyncio
import json
import os
from datetime import UTC, datetime

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.domain.errors import NotFoundError, TerminalError, TransientError
from shared.pipeline import derive as verb
from shared.runtime import wiring
from shared.runtime.http import busy_answer, from_push, guarded
from shared.runtime.settings import Settings
from shared.runtime.starting import starting

with starting():
    WORLD = wiring.deriving(wiring.parts(Settings.from_environment(os.environ)))


@functions_framework.aio.http
@guarded
async def derive(request: Request) -> Response:
    """Derive one announced delivery."""
    try:
        announcement = from_push(json.loads(await request.body()))
        await asyncio.to_thread(verb.derive, [announcement.object_name], WORLD, datetime.now(UTC))
    except (TransientError, NotFoundError):
        return busy_answer()
    except (TerminalError, ValueError) as malformed:
        return JSONResponse({"error": "malformed_envelope", "detail": str(malformed)}, 400)
    return Response(status_code=204)
