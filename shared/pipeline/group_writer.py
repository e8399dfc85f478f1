"""Group commit: one flush serves all writes that wait for it.

Writes are handed to one thread. While it flushes, others queue up; the next flush takes all of them. The cost of a
durable write is then shared by whoever came in the meantime, and nobody waits longer than two flushes.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupWriter(Generic[Item, Result]):
    """Runs `write(batch)` on a thread of its own, as long as the process lives, and gives every caller the result of its item.

    `write` returns one result or one exception for each item, in order; if it raises, every item of the batch fails with that.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Result | Exception]], batch_max: int = 512) -> None:
        """Start lazily: no thread runs until the first item comes."""
        self._write = write
        self._batch_max = batch_max
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._about_to_wake: set[asyncio.AbstractEventLoop] = set()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    async def submit(self, item: Item) -> Result:
        """Wait until the item is written; raise what writing it raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if self._thread is None:
            self._start()
        self._waiting.append((item, future))
        if loop not in self._about_to_wake:
            # Woken once for all that the loop has ready: to be woken by each would take the interpreter from the next.
            self._about_to_wake.add(loop)
            loop.call_soon(self._wake_up, loop)
        return await future

    def _start(self) -> None:
        with self._wake:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="group-writer", daemon=True)
                thread.start()
                self._thread = thread

    def _wake_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self._about_to_wake.discard(loop)
        with self._wake:
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting:
                    self._wake.wait()
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_max))]
            self._flush(taken)

    def _flush(self, taken: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = self._write([item for item, _ in taken])
        except Exception as failure:  # noqa: BLE001  handed to every waiting caller, none is swallowed
            results = [failure] * len(taken)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Result], Result | Exception]]] = {}
        for (_, future), result in zip(taken, results, strict=True):
            by_loop.setdefault(future.get_loop(), []).append((future, result))
        for loop, settled in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: list[tuple["asyncio.Future[Result]", "Result | Exception"]]) -> None:
    for future, result in settled:
        if future.done():  # its caller went away; the write stands
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
