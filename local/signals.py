"""Being told to stop: by control-C, or by whoever runs us as a service."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


async def until_stopped(*work: Coroutine[Any, Any, None]) -> None:
    """Do this work until it ends or we are told to stop; what is under way is broken off. Raises what the work raised.

    SIGINT is taken even where it was ignored when we were started, as shells do with what they put into the background.
    """
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    tasks = [asyncio.create_task(told.wait()), *(asyncio.create_task(each) for each in work)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
