"""The inbox in memory: what is dropped waits under its path until it is taken away or set aside."""

from collections.abc import Callable, Iterator, Mapping

from shared.domain.errors import NotFoundError
from shared.ports.inbox import Dropped

_MAPPINGS = "mappings/"
_YAML = ".yaml"


class MemoryInbox:
    """Inbox in a dictionary. `removed` is told of the bytes of each file that is taken away."""

    def __init__(self, removed: Callable[[bytes], None] = lambda _: None) -> None:
        """Start empty."""
        self._removed = removed
        self._files: dict[str, tuple[int, bytes]] = {}
        self._drops = 0
        self.refused: dict[str, str] = {}
        """Why each file that was set aside was, by its path."""

    def drop(self, path: str, body: bytes) -> None:
        """Put a file into the inbox, in place of what waits under its path."""
        self._drops += 1
        self._files[path] = (self._drops, body)

    def waiting(self) -> Iterator[Dropped]:
        """Yield the files that wait."""
        for path, (generation, body) in sorted(self._files.items()):
            if not path.startswith(_MAPPINGS):
                yield Dropped(path, str(generation), len(body))

    def read(self, dropped: Dropped) -> bytes:
        """Return a file's bytes."""
        generation, body = self._files.get(dropped.path, (0, b""))
        if str(generation) != dropped.generation:
            raise NotFoundError(f"{dropped.path} is gone from the inbox, or another file by now; look again")
        return body

    def remove(self, dropped: Dropped) -> None:
        """Take away a file that is still the one that was listed."""
        generation, body = self._files.get(dropped.path, (0, b""))
        if str(generation) == dropped.generation:
            del self._files[dropped.path]
            self._removed(body)

    def set_aside(self, dropped: Dropped, reason: str) -> None:
        """Move a file out of the way."""
        generation, _ = self._files.get(dropped.path, (0, b""))
        if str(generation) == dropped.generation:
            del self._files[dropped.path]
            self.refused[dropped.path] = reason

    def mappings(self) -> Mapping[str, str]:
        """Return the declared mappings."""
        return {
            path.removeprefix(_MAPPINGS).removesuffix(_YAML): body.decode()
            for path, (_, body) in sorted(self._files.items())
            if path.startswith(_MAPPINGS) and path.endswith(_YAML)
        }
