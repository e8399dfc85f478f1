"""The public door: a provider posts a webhook; it is answered 2xx once its bytes are durable."""

import os
from datetime import UTC, datetime

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from shared.domain.errors import RefusedError, TransientError
from shared.pipeline import receive as verb
from shared.runtime import wiring
from shared.runtime.http import KeptAnswer, busy_answer, guarded, read_call, refusal_answer
from shared.runtime.settings import Settings
from shared.runtime.starting import starting

with starting():
    WORLD = wiring.receiving(wiring.parts(Settings.from_environment(os.environ)))


@functions_framework.aio.http
@guarded
async def receive(request: Request) -> Response:
    """Receive one webhook call."""
    try:
        delivery = await verb.receive(await read_call(request), WORLD, datetime.now(UTC))
    except RefusedError as refused:
        return refusal_answer(refused)
    except TransientError:
        return busy_answer()
    return KeptAnswer(delivery.delivery_id)
