"""The scheduler posts here: one job of reconcile, or all of them, over a window of business days; or that hours be sealed."""

import asyncio
import os
from datetime import UTC, datetime

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.domain.errors import AsientoError
from shared.domain.reconciliation import ReconciliationRun
from shared.pipeline import reconcile as verb
from shared.runtime import wiring
from shared.runtime.http import guarded
from shared.runtime.jobs import JobCall, error_answer
from shared.runtime.settings import Settings
from shared.runtime.starting import starting

with starting():
    PARTS = wiring.parts(Settings.from_environment(os.environ))


@functions_framework.aio.http
@guarded
async def reconcile(request: Request) -> Response:
    """Run what `{"job": name, "all" or "seal", "days": n}` asks for; 200 if all succeeded, 500 naming the runs that failed."""
    now = datetime.now(UTC)
    try:
        call = JobCall.read(await request.body())
        if call.is_seal:
            return JSONResponse({"sealed": await asyncio.to_thread(_seal, now)})
        runs = await asyncio.to_thread(_run, call, now)
    except AsientoError as error:
        return error_answer(error)
    failed = [run.error for run in runs if run.has_failed]
    return JSONResponse({"runs": [run.run_id for run in runs], "failed": failed}, 500 if failed else 200)


def _run(call: JobCall, now: datetime) -> list[ReconciliationRun]:
    with wiring.reconciling(PARTS) as world:
        if call.job == "all":
            return verb.run_all(world, call.window(now), now)
        return verb.reconcile(call.job, world, call.window(now), now)


def _seal(now: datetime) -> list[str]:
    from shared.pipeline.seal import seal  # noqa: PLC0415  of another verb: only the call that asks for it pays for it

    return [each.place for each in seal(wiring.sealing(PARTS), now)]
