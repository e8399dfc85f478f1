"""A Merkle tree hashed as RFC 6962 says: leaves and nodes under different prefixes, so that neither passes for the other.

A tree of n leaves is split at the largest power of two below n. It grows leaf by leaf and holds one hash for each power of
two in n, so its memory grows with the logarithm of what it has seen.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf over its data."""
    return sha256(b"\x00" + data).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows to the right. `_peaks` holds the perfect subtrees that it is made of, the largest first."""

    def __init__(self) -> None:
        """Begin empty."""
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        size, top = 1, leaf
        while self._peaks and self._peaks[-1][0] == size:
            _, left = self._peaks.pop()
            size, top = size * 2, _node_hash(left, top)
        self._peaks.append((size, top))

    @property
    def root(self) -> bytes:
        """Return the root; of an empty tree the hash of nothing."""
        if not self._peaks:
            return sha256(b"").digest()
        (_, root), *larger = reversed(self._peaks)
        for _, left in larger:
            root = _node_hash(left, root)
        return root


def inclusion_path(leaves: Iterable[bytes], index: int, count: int) -> tuple[bytes, ...]:
    """Return the hashes that lead from the leaf at `index` to the root of a tree of `count` leaves, nearest first.

    `leaves` yields the leaf hashes once, in order. Raises ValueError where the tree has no such leaf.
    """
    if not 0 <= index < count:
        msg = f"a tree of {count} leaves has none at {index}"
        raise ValueError(msg)
    siblings = [(span, Tree()) for span in _sibling_spans(index, count)]
    for place, leaf in enumerate(leaves):
        for span, tree in siblings:
            if place in span:
                tree.add(leaf)
    return tuple(tree.root for _, tree in siblings)


def _sibling_spans(index: int, count: int) -> list[range]:
    """Return the leaves under each sibling on the way from a leaf to the root, nearest first."""
    start, end = 0, count
    spans: list[range] = []
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            spans.append(range(middle, end))
            end = middle
        else:
            spans.append(range(start, middle))
            start = middle
    return spans[::-1]


def is_included(data: bytes, index: int, count: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether a path leads from a leaf's data, at `index` of `count` leaves, to a root.

    It shares nothing with the code that makes trees and paths: whoever doubts them reads these lines alone.
    """
    if not 0 <= index < count:
        return False
    top = sha256(b"\x00" + data).digest()
    place, last = index, count - 1
    for sibling in path:
        if last == 0:
            return False
        if place % 2 == 1 or place == last:
            top = sha256(b"\x01" + sibling + top).digest()
            while place % 2 == 0 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            top = sha256(b"\x01" + top + sibling).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and top == root
