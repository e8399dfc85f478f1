"""The inbox as a folder: people copy files into `<inbox>/<provider>/`, and mappings into `<inbox>/mappings/`.

A file counts as dropped once it has not changed for a moment: copying takes time, and half a file is another one.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from shared.domain.errors import NotFoundError
from shared.ports.inbox import Dropped

SETTLED_AFTER_S = 2
"""How long a file must have been left alone."""
MAPPINGS, REFUSED = "mappings", "refused"
_REASON = ".reason.txt"


class FolderInbox:
    """Inbox on one folder; a folder that is not there holds nothing."""

    def __init__(self, folder: Path, settled_after_s: int = SETTLED_AFTER_S) -> None:
        """Take the folder; nothing is made yet."""
        self._folder = folder
        self._settled_after_ns = settled_after_s * 1_000_000_000

    def waiting(self) -> Iterator[Dropped]:
        """Yield the files that wait; hidden ones are somebody else's."""
        for path in sorted(self._folder.rglob("*")):
            place = path.relative_to(self._folder)
            if place.parts[0] in (MAPPINGS, REFUSED) or any(part.startswith(".") for part in place.parts):
                continue
            with suppress(FileNotFoundError):
                if path.is_file() and self._is_settled(path):
                    yield _dropped(path, place)

    def read(self, dropped: Dropped) -> bytes:
        """Return a file's bytes."""
        path = self._folder / dropped.path
        try:
            if _dropped(path, Path(dropped.path)) == dropped:
                return path.read_bytes()
        except FileNotFoundError:
            pass
        raise NotFoundError(f"{dropped.path} is gone from the inbox, or another file by now; look again")

    def remove(self, dropped: Dropped) -> None:
        """Take away a file that has not changed since."""
        path = self._folder / dropped.path
        with suppress(FileNotFoundError):
            if _dropped(path, Path(dropped.path)) == dropped:
                path.unlink()

    def set_aside(self, dropped: Dropped, reason: str) -> None:
        """Move a file to `refused/`, under a name that says which one it was."""
        path = self._folder / dropped.path
        target = self._folder / REFUSED / f"{dropped.path}.{dropped.generation}"
        with suppress(FileNotFoundError):
            if _dropped(path, Path(dropped.path)) == dropped:
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
                target.with_name(target.name + _REASON).write_text(reason + "\n", encoding="utf-8")

    def mappings(self) -> Mapping[str, str]:
        """Return the declared mappings."""
        paths = sorted((self._folder / MAPPINGS).glob("*.yaml"))
        return {path.stem: path.read_text(encoding="utf-8") for path in paths}

    def _is_settled(self, path: Path) -> bool:
        # The time of the last change of the file itself: a copy may bear the modification time of its original.
        return time.time_ns() - path.stat().st_ctime_ns >= self._settled_after_ns


def _dropped(path: Path, place: Path) -> Dropped:
    found = path.stat()
    return Dropped(place.as_posix(), str(found.st_mtime_ns), found.st_size)
