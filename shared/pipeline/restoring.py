"""Restoring: from the kept form of a delivery to the bytes that came, as far as the keys of its people still live."""

from collections.abc import Callable
from typing import TypeAlias

from shared.domain.deliveries import Delivery
from shared.ports.key_store import Erasure

Restore: TypeAlias = Callable[[Delivery], Delivery | Erasure]
"""Return a delivery as it came, or that a key of it was erased; raises TerminalError where it cannot be restored."""


def as_kept(delivery: Delivery) -> Delivery:
    """Return a delivery as it is kept: for stores in which nothing is closed."""
    return delivery


def signature_erased(erasure: Erasure) -> str:
    """Say why a signature cannot be checked any more, and what still can."""
    return (
        f"personal values were erased on {erasure.erased_at:%Y-%m-%d} by decision {erasure.decision}: the signature can no "
        "longer be checked; the digest of the kept form and its seal still can"
    )
