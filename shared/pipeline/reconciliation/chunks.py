"""Long streams are handled in short lists, so that memory does not grow with them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield items in lists of at most `size`, holding one list at a time."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
