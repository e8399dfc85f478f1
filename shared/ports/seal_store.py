"""The seal store: seals and the segments that they are about, each created once and never changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from shared.domain.seals import Seal

SEAL_PREFIX = "seal-"
"""What the names of seals begin with, and those of segments do not."""


def seal_name(sequence: int) -> str:
    """Return the name under which a seal is kept in every world, so that names in order are seals in order."""
    return f"{SEAL_PREFIX}{sequence:08d}.json"


def segment_name(seal: Seal) -> str:
    """Return the name under which a seal's segment is kept in every world: a copy of one world's seals serves in another."""
    return f"segment-{seal.contents.segment_sha256}.ndjson"


class SealStore(Protocol):
    """Append-only. When `keep` returns, segment and seal survive a crash; the seal is written after its segment.

    Raises TransientError when the store is down.
    """

    def keep(self, seal: Seal, segment: Path) -> None:
        """Keep a segment and then its seal. Keeping the same again is harmless.

        Raises TransientError where another seal has taken this place in the chain meanwhile: seal again.
        """

    def head(self) -> Seal | None:
        """Return the last seal of the chain, or None; raises TerminalError where it is not as it was made."""

    def seals(self) -> Iterator[Seal]:
        """Yield the seals in order of their place; raises TerminalError at the first that is not as it was made."""

    def segment(self, seal: Seal) -> Iterator[bytes]:
        """Yield the lines of a seal's segment with their ends; raises TerminalError if there is no such segment."""

    def address(self, seal: Seal) -> str:
        """Return where a seal's segment lies, as the warehouse of the same world reads files."""
