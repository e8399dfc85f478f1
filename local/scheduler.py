"""The embedded scheduler: posts to the doors of the jobs, as Cloud Scheduler does, one after the other and never at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx
import structlog

_TICK_S = 0.5
_TIMEOUT_S = 1800

log = structlog.get_logger("scheduler")


@dataclass(slots=True)
class Scheduler:
    """Calls each door when its pause is over. A job that fails is loud, and is due again after its pause."""

    jobs: Sequence[tuple[str, Mapping[str, str], int]]
    """Address, body, and pause in seconds from the end of one call to the next."""
    is_stopped: bool = False
    _due_s: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Call until stopped."""
        loop = asyncio.get_running_loop()
        self._due_s = {url: loop.time() + pause_s for url, _, pause_s in self.jobs}
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            while not self.is_stopped:
                for url, body, pause_s in self.jobs:
                    if loop.time() >= self._due_s[url]:
                        await self._call(client, url, body)
                        self._due_s[url] = loop.time() + pause_s
                await asyncio.sleep(_TICK_S)

    async def _call(self, client: httpx.AsyncClient, url: str, body: Mapping[str, str]) -> None:
        try:
            answer = await client.post(url, json=dict(body))
        except httpx.HTTPError as failure:
            log.warning("job not reached", url=url, failure=type(failure).__name__)
            return
        if answer.is_success:
            log.info("job done", url=url)
        else:
            log.warning("job failed", url=url, status=answer.status_code, answer=answer.text[:2000])
