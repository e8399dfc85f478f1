"""The embedded notification of new files: asks reconcile for the job `inbox` when something new lies in the folder."""

import asyncio
from dataclasses import dataclass

import httpx
import structlog

from shared.ports.inbox import Dropped, Inbox

LOOK_EVERY_S = 1
_TIMEOUT_S = 600

log = structlog.get_logger("inbox")


@dataclass(slots=True)
class InboxWatch:
    """Looks into the inbox until it is stopped. What reconcile leaves there is asked for again when anything changes."""

    inbox: Inbox
    reconcile_url: str
    is_stopped: bool = False
    _left: tuple[Dropped, ...] = ()

    async def run(self) -> None:
        """Look until stopped."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            while not self.is_stopped:
                waiting = await asyncio.to_thread(lambda: tuple(self.inbox.waiting()))
                if waiting and waiting != self._left and await self._ask(client):
                    self._left = await asyncio.to_thread(lambda: tuple(self.inbox.waiting()))
                await asyncio.sleep(LOOK_EVERY_S)

    async def _ask(self, client: httpx.AsyncClient) -> bool:
        """Ask for the job and return whether it was run; a job that left something behind has been run."""
        try:
            answer = await client.post(self.reconcile_url, json={"job": "inbox"})
        except httpx.HTTPError as failure:
            log.warning("inbox job not reached", failure=type(failure).__name__)
            return False
        if not answer.is_success:
            log.warning("files were left in the inbox", status=answer.status_code, answer=answer.text[:2000])
        return True
