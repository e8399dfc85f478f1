"""The seal store: seals and the segments that they are about, each created once and never changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from shared.domain.seals import Seal


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
