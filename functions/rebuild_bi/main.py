"""The scheduler posts here: the BI layer is rebuilt, and what agrees to the cent is published."""

import asyncio
import os
from datetime import UTC, datetime

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.domain.errors import AsientoError
from shared.pipeline import rebuild_bi as verb
from shared.runtime import wiring
from shared.runtime.http import guarded
from shared.runtime.ids import new_delivery_id
from shared.runtime.jobs import error_answer, rebuild_document
from shared.runtime.settings import Settings
from shared.runtime.starting import starting

with starting():
    WORLD = wiring.rebuilding(wiring.parts(Settings.from_environment(os.environ)))


@functions_framework.aio.http
@guarded
async def rebuild_bi(request: Request) -> Response:
    """Rebuild once; 200 if every closed month is certified, 500 naming the months that are not and why."""
    await request.body()
    now = datetime.now(UTC)
    try:
        result = await asyncio.to_thread(verb.rebuild, WORLD, build_id=new_delivery_id(now), as_of=now)
    except AsientoError as error:
        return error_answer(error)
    return JSONResponse(rebuild_document(result), 500 if result.has_failed else 200)
