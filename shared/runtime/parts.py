"""What every world offers: one part for each port, made when it is first asked for."""

from typing import TYPE_CHECKING, Protocol

from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from shared.pipeline.protecting import Protection
    from shared.ports.casebook import Casebook
    from shared.ports.event_bus import DeadLetters, EventBus
    from shared.ports.inbox import Inbox
    from shared.ports.ledger_store import LedgerStore
    from shared.ports.raw_store import RawStore, RejectedStore
    from shared.ports.seal_store import SealStore
    from shared.ports.secrets import Secrets
    from shared.ports.warehouse import Warehouse

# A door imports what it uses of these; that they are all named here must not make it import the others.


class Parts(Protocol):
    """The parts of one world. Asking for one opens it, so whoever wires a verb opens what the verb uses and no more."""

    settings: Settings

    @property
    def raw(self) -> "RawStore":
        """The raw store."""

    @property
    def protection(self) -> "Protection":
        """What closes personal values before they are kept, and opens them again."""

    @property
    def rejected(self) -> "RejectedStore":
        """What the door rejected."""

    @property
    def seals(self) -> "SealStore":
        """Seals and segments."""

    @property
    def bus(self) -> "EventBus":
        """The bus."""

    @property
    def dead_letters(self) -> "DeadLetters":
        """What the bus gave up."""

    @property
    def ledger(self) -> "LedgerStore":
        """The ledger."""

    @property
    def casebook(self) -> "Casebook":
        """Reconciliation runs, differences and exceptions."""

    @property
    def warehouse(self) -> "Warehouse":
        """The warehouse."""

    @property
    def inbox(self) -> "Inbox | None":
        """Where files are dropped; None where there is no such place."""

    @property
    def secrets(self) -> "Secrets":
        """Signing keys and credentials."""

    def close(self) -> None:
        """Close what was opened."""
