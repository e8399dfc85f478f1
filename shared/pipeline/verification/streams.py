"""Streams in order of their keys: laid side by side, and read up to where somebody has made them illegible."""

from collections.abc import Iterator
from typing import TypeVar

from shared.domain.deliveries import Delivery
from shared.domain.times import Window
from shared.pipeline.verification.findings import Findings
from shared.ports.raw_store import RawStore

Value = TypeVar("Value")
Left = TypeVar("Left")
Right = TypeVar("Right")

ILLEGIBLE = (ValueError, KeyError, IndexError, TypeError, AttributeError)
"""What stores raise where a row is not of the form in which they write it: nobody but a stranger wrote it so."""


def legible(stream: Iterator[tuple[str, Value]], what: str, found: Findings) -> Iterator[tuple[str, Value]]:
    """Yield a stream up to its end, or to the first row that cannot be read: that one differs, and is told by its place."""
    last = "the beginning"
    try:
        for key, value in stream:
            yield key, value
            last = key
    except ILLEGIBLE as broken:
        found.differs(f"the {what} after {last} cannot be read ({type(broken).__name__}): it was edited; restore it")


def deliveries_by_name(raw: RawStore, window: Window) -> Iterator[tuple[str, Delivery]]:
    """Yield the deliveries of a window by object name; raises TypeError at one whose body is no bytes."""
    for delivery in raw.deliveries(window):
        yield delivery.object_name, _with_bytes(delivery)


def _with_bytes(delivery: Delivery) -> Delivery:
    memoryview(delivery.body)
    return delivery


def paired(
    left: Iterator[tuple[str, Left]], right: Iterator[tuple[str, Right]]
) -> Iterator[tuple[str, Left | None, Right | None]]:
    """Yield what two streams in order of their keys hold under each key: None for the one that has nothing there."""
    mine, theirs = next(left, None), next(right, None)
    while mine is not None or theirs is not None:
        if theirs is None or (mine is not None and mine[0] < theirs[0]):
            assert mine is not None  # noqa: S101  one of the two is there
            yield mine[0], mine[1], None
            mine = next(left, None)
        elif mine is None or theirs[0] < mine[0]:
            yield theirs[0], None, theirs[1]
            theirs = next(right, None)
        else:
            yield mine[0], mine[1], theirs[1]
            mine, theirs = next(left, None), next(right, None)
