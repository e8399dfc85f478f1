"""A port behind the director: each call is a step, whatever the port is."""

import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar, cast

from tests.simulation.director import Director

Port = TypeVar("Port")

ITEMS_A_STEP = 25
"""So many items of a stream come between two steps: others may write while it is being read."""


def guarded(port: Port, name: str, director: Director) -> Port:
    """Return a port whose every call is a step of the director's."""
    return cast("Port", _Guard(port, name, director))


class _Guard:
    def __init__(self, port: object, name: str, director: Director) -> None:
        self._port = port
        self._name = name
        self._director = director

    def __getattr__(self, method: str) -> Callable[..., Any]:
        target = getattr(self._port, method)
        call = f"{self._name}.{method}"
        if inspect.iscoroutinefunction(target):
            return self._asynchronous(call, target)
        if inspect.isgeneratorfunction(target):
            return self._streaming(call, target)
        return lambda *args, **kwargs: self._director.step(call, lambda: target(*args, **kwargs))

    def _asynchronous(self, call: str, target: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        async def answer(*args: Any, **kwargs: Any) -> Any:
            return self._director.step(call, lambda: _at_once(target(*args, **kwargs)))

        return answer

    def _streaming(self, call: str, target: Callable[..., Iterator[Any]]) -> Callable[..., Any]:
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            items = self._director.step(call, lambda: target(*args, **kwargs))
            for place, item in enumerate(items, start=1):
                yield item
                if place % ITEMS_A_STEP == 0:
                    self._director.step(f"{call} goes on", lambda: None)

        return stream


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine that never waits comes to."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a port in memory must not wait")
