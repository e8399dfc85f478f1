"""What became of a delivery, with every attempt. Nothing is dropped: each kept delivery ends in one of these."""

from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """What became of a delivery."""

    APPLIED = "applied"
    """Its facts are in the ledger (or it is a known kind of event that states nothing about money)."""
    DUPLICATE = "duplicate"
    """The same event with the same content was applied from another delivery."""
    SUPERSEDED = "superseded"
    """Its facts are kept, but everything they say has been said again, later."""
    CONFLICT = "conflict"
    """It contradicts what may never change; both statements are kept and a person decides."""
    QUARANTINED = "quarantined"
    """Its meaning is not certain; the reason says why. Replay it when code or configuration knows better.

    Of a file with some uncertain lines the others are in the ledger, and the reason names the lines that are not.
    """
    FAILED = "failed"
    """Our code failed on it; the attempt names the error. It ages in an alarm until a later attempt ends otherwise."""

    @property
    def needs_attention(self) -> bool:
        """Return whether somebody must look at deliveries that ended so."""
        return self in (Outcome.CONFLICT, Outcome.QUARANTINED, Outcome.FAILED)


class Attempt(NamedTuple):
    """One attempt to derive a delivery: when, by which code, and how it ended."""

    at_ms: int
    outcome: Outcome
    reason: str
    code_version: str


class Verdict(NamedTuple):
    """The standing outcome of a delivery and all attempts, first to last; the last one stands."""

    delivery_id: str
    object_name: str
    event_key: str
    """Empty while the delivery could not be read."""
    event_type: str
    attempts: tuple[Attempt, ...]

    @property
    def outcome(self) -> Outcome:
        """Return how the last attempt ended."""
        return self.attempts[-1].outcome

    def is_worth_another_try(self, code_version: str) -> bool:
        """Return whether some code failed on it, and not this one: then this one may get through."""
        return self.outcome is Outcome.FAILED and self.attempts[-1].code_version != code_version

    @property
    def reason(self) -> str:
        """Return what the last attempt says about its outcome."""
        return self.attempts[-1].reason
