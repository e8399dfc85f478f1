"""Secrets from the environment or from files: the newest version first, at most two."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.domain.errors import SettingsError

LIVE_VERSIONS_MAX = 2
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class EnvironmentSecrets:
    """Secrets from variables: `betterez-webhook` is ASIENTO_SECRET_BETTEREZ_WEBHOOK, its older version has `_PREVIOUS`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment to read from."""
        self._environ = environ
        self._remembered: dict[str, tuple[str, ...]] = {}

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the live versions, newest first: the environment of a process does not change behind it."""
        remembered = self._remembered.get(name)
        return self.refresh(name) if remembered is None else remembered

    def refresh(self, name: str) -> tuple[str, ...]:
        """Read the environment again."""
        variable = f"ASIENTO_SECRET_{_checked(name).upper().replace('-', '_')}"
        found = (self._environ.get(variable), self._environ.get(f"{variable}_PREVIOUS"))
        versions = tuple(value for value in found if value)
        self._remembered[name] = versions
        return versions


_Mark = tuple[int, int, int] | None
"""What changes when a file does: its time of change, its inode and its size; None where there is no file."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    values: tuple[str, ...]
    path: str
    mark: _Mark


class FileSecrets:
    """Secrets from a folder: file `betterez-webhook`, one version a line, newest first; blank lines do not count."""

    def __init__(self, folder: Path) -> None:
        """Take the folder to read from; a file is read again once it has changed: what was taken back opens no door."""
        self._folder = folder
        self._remembered: dict[str, _Remembered] = {}

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the live versions, newest first."""
        remembered = self._remembered.get(name)
        if remembered is None or remembered.mark != _mark(remembered.path):
            return self.refresh(name)
        return remembered.values

    def refresh(self, name: str) -> tuple[str, ...]:
        """Read the file again."""
        path = self._folder / _checked(name)
        mark = _mark(str(path))
        lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        versions = tuple(line.strip() for line in lines if line.strip())
        if len(versions) > LIVE_VERSIONS_MAX:
            raise SettingsError(
                f"secret {name} has {len(versions)} versions; keep the newest {LIVE_VERSIONS_MAX}, newest first"
            )
        self._remembered[name] = _Remembered(versions, str(path), mark)
        return versions


def _mark(path: str) -> _Mark:
    try:
        found = os.stat(path)  # noqa: PTH116  asked for with every delivery: a path object costs as much again
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is no secret name; use lower-case letters, digits and dashes")
    return name
