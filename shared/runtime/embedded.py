"""The embedded world: the parts of Asiento on one machine, each made when it is first asked for."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.runtime.settings import Settings

# Adapters are imported where they are made: a door pays at start only for the parts that it uses.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from shared.adapters.embedded.casebook import SqliteCasebook
    from shared.adapters.embedded.event_bus import SqliteEventBus
    from shared.adapters.embedded.inbox import FolderInbox
    from shared.adapters.embedded.key_store import SqliteKeyStore
    from shared.adapters.embedded.ledger_store import SqliteLedgerStore
    from shared.adapters.embedded.raw_store import SqliteRawStore, SqliteRejectedStore
    from shared.adapters.embedded.seal_store import FileSealStore
    from shared.adapters.embedded.secrets import EnvironmentSecrets, FileSecrets
    from shared.adapters.embedded.warehouse import DuckDbWarehouse
    from shared.pipeline.protecting import ProtectedRawStore, Protection


class EmbeddedParts:
    """All under one folder: stores as raw.db, keys.db, ledger.db and so on, the warehouse, seals/, inbox/ and secrets/."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is opened yet."""
        self.settings = settings
        self._home = settings.home

    @cached_property
    def raw(self) -> "ProtectedRawStore":
        """The raw store, behind what closes personal values."""
        from shared.pipeline.protecting import ProtectedRawStore

        return ProtectedRawStore(self._raw, self.protection)

    @cached_property
    def protection(self) -> "Protection":
        """What closes personal values before they are kept."""
        from shared.runtime.protection import protection

        return protection(self.settings, lambda: self.keys)

    @cached_property
    def keys(self) -> "SqliteKeyStore":
        """The keys of people."""
        from shared.adapters.embedded.key_store import SqliteKeyStore

        return SqliteKeyStore(self._home / "keys.db")

    @cached_property
    def seals(self) -> "FileSealStore":
        """Seals and segments; nothing of it stays open."""
        from shared.adapters.embedded.seal_store import FileSealStore

        return FileSealStore(self._home / "seals")

    @cached_property
    def rejected(self) -> "SqliteRejectedStore":
        """What the door rejected."""
        from shared.adapters.embedded.raw_store import SqliteRejectedStore

        return SqliteRejectedStore(self._home / "rejected.db")

    @cached_property
    def bus(self) -> "SqliteEventBus":
        """The bus."""
        from shared.adapters.embedded.event_bus import SqliteEventBus

        return SqliteEventBus(self._home / "bus.db")

    @property
    def dead_letters(self) -> "SqliteEventBus":
        """What the bus gave up: it keeps that itself."""
        return self.bus

    @cached_property
    def ledger(self) -> "SqliteLedgerStore":
        """The ledger."""
        from shared.adapters.embedded.ledger_store import SqliteLedgerStore

        return SqliteLedgerStore(self._home / "ledger.db")

    @cached_property
    def casebook(self) -> "SqliteCasebook":
        """Reconciliation runs, differences and exceptions."""
        from shared.adapters.embedded.casebook import SqliteCasebook

        return SqliteCasebook(self._home / "cases.db")

    @cached_property
    def warehouse(self) -> "DuckDbWarehouse":
        """The warehouse."""
        from shared.adapters.embedded.warehouse import DuckDbWarehouse

        return DuckDbWarehouse(self._home / "warehouse.duckdb")

    @cached_property
    def inbox(self) -> "FolderInbox":
        """The inbox; nothing of it stays open."""
        from shared.adapters.embedded.inbox import FolderInbox

        return FolderInbox(self._home / "inbox")

    @cached_property
    def secrets(self) -> "EnvironmentSecrets | FileSecrets":
        """Secrets: from `secrets/` in the home folder where there is one, else from the environment."""
        import os

        from shared.adapters.embedded.secrets import EnvironmentSecrets, FileSecrets

        folder = self._home / "secrets"
        return FileSecrets(folder) if folder.is_dir() else EnvironmentSecrets(os.environ)

    def close(self) -> None:
        """Close what was opened."""
        for name in ("_raw", "keys", "rejected", "bus", "ledger", "casebook", "warehouse"):
            part = self.__dict__.pop(name, None)
            if part is not None:
                part.close()
        for name in ("raw", "protection"):
            self.__dict__.pop(name, None)

    @cached_property
    def _raw(self) -> "SqliteRawStore":
        from shared.adapters.embedded.raw_store import SqliteRawStore

        return SqliteRawStore(self._home / "raw.db")
