"""Secrets: up to two live versions of each, the newest first, so that a rotation loses nothing."""

from typing import Protocol


class Secrets(Protocol):
    """Where signing keys and API credentials come from. Values never appear in logs, errors or documents."""

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the live versions, newest first, at most two; empty if there is no such secret."""

    def refresh(self, name: str) -> tuple[str, ...]:
        """Forget what is cached (at most once in a while) and return the live versions: called when a signature fails."""
