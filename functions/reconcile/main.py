"""The scheduler posts here: one job of reconcile, or all of them, over a window of business days."""

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
from shared.runtime.jobs import JobCall, error_answer
from shared.runtime.settings import Settings

PARTS = wiring.parts(Settings.from_environment(os.environ))


@functions_framework.aio.http
async def reconcile(request: Request) -> Response:
    """Run what `{"job": name or "all", "days": n}` asks for; 200 if every run succeeded, 500 naming those that failed."""
    try:
        runs = await asyncio.to_thread(_run, JobCall.read(await request.body()), datetime.now(UTC))
    except AsientoError as error:
        return error_answer(error)
    failed = [run.error for run in runs if run.has_failed]
    return JSONResponse({"runs": [run.run_id for run in runs], "failed": failed}, 500 if failed else 200)


def _run(call: JobCall, now: datetime) -> list[ReconciliationRun]:
    with wiring.reconciling(PARTS) as world:
        if call.job == "all":
            return verb.run_all(world, call.window(now), now)
        return verb.reconcile(call.job, world, call.window(now), now)
