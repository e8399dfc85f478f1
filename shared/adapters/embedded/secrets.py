"""Secrets from the environment or from files: the newest version first, at most two."""

import re
from collections.abc import Mapping
from pathlib import Path

from shared.domain.errors import SettingsError

LIVE_VERSIONS_MAX = 2
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class EnvironmentSecrets:
    """Secrets from variables: `betterez-webhook` is ASIENTO_SECRET_BETTEREZ_WEBHOOK, its older version has `_PREVIOUS`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment to read from."""
        self._environ = environ

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the live versions, newest first."""
        variable = f"ASIENTO_SECRET_{_checked(name).upper().replace('-', '_')}"
        found = (self._environ.get(variable), self._environ.get(f"{variable}_PREVIOUS"))
        return tuple(value for value in found if value)

    def refresh(self, name: str) -> tuple[str, ...]:
        """Return the live versions: the environment of a process does not change behind it."""
        return self.versions(name)


class FileSecrets:
    """Secrets from a folder: file `betterez-webhook`, one version a line, newest first; blank lines do not count."""

    def __init__(self, folder: Path) -> None:
        """Take the folder to read from; a file is read again only when a refresh asks for it."""
        self._folder = folder
        self._cached: dict[str, tuple[str, ...]] = {}

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the live versions, newest first."""
        if name not in self._cached:
            self.refresh(name)
        return self._cached[name]

    def refresh(self, name: str) -> tuple[str, ...]:
        """Read the file again."""
        path = self._folder / _checked(name)
        lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        versions = tuple(line.strip() for line in lines if line.strip())
        if len(versions) > LIVE_VERSIONS_MAX:
            raise SettingsError(
                f"secret {name} has {len(versions)} versions; keep the newest {LIVE_VERSIONS_MAX}, newest first"
            )
        self._cached[name] = versions
        return versions


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is no secret name; use lower-case letters, digits and dashes")
    return name
