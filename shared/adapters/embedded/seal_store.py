"""The seal store in one folder: `seal-00000001.json` for each seal, `segment-<digest>.ndjson` for each segment.

A segment is named by its digest, so what an interrupted run left behind is found again or never looked at. Files are
written aside, flushed and then linked to their names, which fails where the name is taken: created once, and whole.
"""

import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from shared.domain.errors import TerminalError, TransientError
from shared.domain.seals import Seal, read_seal
from shared.ports.seal_store import SEAL_PREFIX, seal_name, segment_name

_READ_ONLY = 0o444


class FileSealStore:
    """SealStore on one folder, made with the first seal."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; nothing is written yet."""
        self._folder = folder

    def keep(self, seal: Seal, segment: Path) -> None:
        """Keep a segment and then its seal."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # A segment that is there under its digest is the same one, unless somebody changed it: verify tells.
        with segment.open("rb") as lines:
            self._create(self._segment_path(seal), lines)
        path = self._seal_path(seal.sequence)
        if not self._create(path, BytesIO(seal.to_bytes())) and path.read_bytes() != seal.to_bytes():
            raise TransientError(f"another run has made {path.name} meanwhile; seal again to go on after it")

    def head(self) -> Seal | None:
        """Return the last seal."""
        paths = self._seal_paths()
        return _read(paths[-1]) if paths else None

    def seals(self) -> Iterator[Seal]:
        """Yield the seals in order."""
        yield from map(_read, self._seal_paths())

    def segment(self, seal: Seal) -> Iterator[bytes]:
        """Yield the lines of a segment."""
        path = self._segment_path(seal)
        if not path.is_file():
            raise TerminalError(f"the segment of {seal.place} is gone; bring {path.name} back from a copy")
        with path.open("rb") as file:
            yield from file

    def address(self, seal: Seal) -> str:
        """Return the path of a segment."""
        return str(self._segment_path(seal))

    def _create(self, path: Path, content: BinaryIO) -> bool:
        """Write content durably and then give it its name; return whether the name was free."""
        with NamedTemporaryFile(dir=self._folder, prefix="writing-") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), _READ_ONLY)
            try:
                path.hardlink_to(file.name)
            except FileExistsError:
                return False
        self._flush_names()
        return True

    def _flush_names(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _seal_paths(self) -> list[Path]:
        return sorted(self._folder.glob(f"{SEAL_PREFIX}*.json"))

    def _seal_path(self, sequence: int) -> Path:
        return self._folder / seal_name(sequence)

    def _segment_path(self, seal: Seal) -> Path:
        return self._folder / segment_name(seal)


def _read(path: Path) -> Seal:
    return read_seal(path.read_bytes(), path.name)
