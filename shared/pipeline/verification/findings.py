"""What verifying finds: for each area how much was checked, what differs first, and what could not be checked."""

from dataclasses import dataclass
from enum import StrEnum


class Area(StrEnum):
    """What is recomputed, in the order in which it stands on each other."""

    SEALS = "seals"
    """Chain, segments and roots, against the raw store."""
    SIGNATURES = "signatures"
    """Those of signed deliveries, as of the moment at which they came."""
    FACTS = "facts"
    """What every delivery says, read again, against the stored facts, event marks and outcomes."""
    LEDGER = "ledger"
    """The entities, against their own facts and against a replay into an empty ledger."""
    CERTIFICATES = "certificates"
    """What certificates say, against the published figures, the raw store and the ledger."""


@dataclass(slots=True)
class Findings:
    """What verifying one area found."""

    area: Area
    checked: int = 0
    differing: int = 0
    first: str = ""
    """The first thing that differs, and what to do; empty while nothing does."""
    unchecked: int = 0
    first_unchecked: str = ""
    """The first thing about which nothing can be said, and why."""

    @property
    def holds(self) -> bool:
        """Return whether nothing differs."""
        return self.differing == 0

    def differs(self, what: str) -> None:
        """Count a difference and keep the first one."""
        self.differing += 1
        self.first = self.first or what

    def cannot_check(self, what: str, count: int = 1) -> None:
        """Count what cannot be checked and keep the first such thing."""
        self.unchecked += count
        self.first_unchecked = self.first_unchecked or what
