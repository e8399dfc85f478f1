"""A port behind the director: each call is a step, whatever the port is."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar, cast

from tests.simulation.director import Director

Port = TypeVar("Port")
T = TypeVar("T")

ITEMS_A_STEP = 25
"""So many items of a stream come between two steps: others may write while it is being read."""


def guarded(port: Port, name: str, director: Director) -> Port:
    """Return a port whose every call is a step of the director's."""
    return cast("Port", _Guard(port, name, director))


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine comes to that waits for nobody; what it hands to a thread is done in this one."""
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(_ONE_THREAD)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        asyncio._set_running_loop(outer)
    raise AssertionError("a verb over ports in memory must not wait")


class _OneThread:
    """As much of a loop as our verbs ask for, without threads and sockets: who goes on is drawn by the director alone."""

    async def run_in_executor(self, _executor: object, work: Callable[..., T], *args: Any) -> T:
        return work(*args)


_ONE_THREAD = cast("asyncio.AbstractEventLoop", _OneThread())


class _Guard:
    def __init__(self, port: object, name: str, director: Director) -> None:
        self._port = port
        self._name = name
        self._director = director

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Make the guarded call of a method; it is looked up here once and is an attribute from then on."""
        target = getattr(self._port, method)
        call = f"{self._name}.{method}"
        if inspect.iscoroutinefunction(target):
            guard = self._asynchronous(call, target)
        elif inspect.isgeneratorfunction(target):
            guard = self._streaming(call, target)
        else:
            guard = self._plain(call, target)
        setattr(self, method, guard)
        return guard

    def _plain(self, call: str, target: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._director.step(call, lambda: target(*args, **kwargs))

    def _asynchronous(self, call: str, target: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        async def answer(*args: Any, **kwargs: Any) -> Any:
            return self._director.step(call, lambda: at_once(target(*args, **kwargs)))

        return answer

    def _streaming(self, call: str, target: Callable[..., Iterator[Any]]) -> Callable[..., Any]:
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            items = self._director.step(call, lambda: target(*args, **kwargs))
            for place, item in enumerate(items, start=1):
                yield item
                if place % ITEMS_A_STEP == 0:
                    self._director.step(f"{call} goes on", lambda: None)

        return stream
