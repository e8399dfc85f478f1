"""The inbox: where people and systems drop files, `<provider>/<file>`, until they are taken in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that waits in the inbox, as it stood when it was listed."""

    path: str
    """`mercadopago/release-2026-03.csv`: the provider, and the name that the file was given."""
    generation: str
    """Differs where another file was dropped under the same path since."""
    size_bytes: int

    @property
    def provider(self) -> str:
        """Return whose file it is: its first folder; empty where it lies in none."""
        return self.path.partition("/")[0] if "/" in self.path else ""


class Inbox(Protocol):
    """Where files are dropped. Raises TransientError when it is down."""

    def waiting(self) -> Iterator[Dropped]:
        """Yield the files that wait, in order of their paths; not those that were set aside, and no mappings."""

    def read(self, dropped: Dropped) -> bytes:
        """Return a file's bytes; raise NotFoundError if it is gone or another one since."""

    def remove(self, dropped: Dropped) -> None:
        """Take away a file whose bytes are kept elsewhere; another one under the same path stays. Harmless if it is gone."""

    def set_aside(self, dropped: Dropped, reason: str) -> None:
        """Move a file that cannot be taken in to `refused/`, its bytes unchanged, with the reason beside it.

        Harmless if it is gone.
        """

    def mappings(self) -> Mapping[str, str]:
        """Return the declared mappings, YAML text by name: `mappings/<name>.yaml`."""
