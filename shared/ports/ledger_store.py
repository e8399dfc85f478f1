"""The ledger store: entities, facts, event marks, verdicts and outbox, committed together per transaction (DESIGN I7)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.facts import EntityKey, EntityKind
from shared.domain.fold import Entity
from shared.domain.outcomes import Outcome, Verdict
from shared.domain.settle import Effects, OutboxMessage, Snapshot, StoredFact, Touch
from shared.domain.times import Window


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A message that has not left yet, with how often it was tried."""

    message: OutboxMessage
    attempts: int


class LedgerStore(Protocol):
    """Where the ledger lives. No handle of any database passes this line: a transaction is a function of a snapshot."""

    def transact(self, touch: Touch, decide: Callable[[Snapshot], Effects]) -> Effects:
        """Load what is touched, decide, write all effects or none, and return them.

        On contention `decide` is called again with a fresh snapshot; raises TransientError when that does not end.
        """

    def entity(self, key: EntityKey) -> Entity | None:
        """Return one entity, or None."""

    def entities(self, kind: EntityKind | None = None) -> Iterator[Entity]:
        """Yield entities in order of their keys, streaming; awaited ones too."""

    def occurred(self, kind: EntityKind, provider: str, window: Window) -> Iterator[Entity]:
        """Yield the entities of a kind and provider whose own instant (OCCURRED_AT) is in the window, by key."""

    def awaited(self, before: datetime) -> Iterator[Entity]:
        """Yield the entities that others point at in vain since before an instant, by key."""

    def disputed(self) -> Iterator[Entity]:
        """Yield the entities with a conflict, by key."""

    def facts(self, key: EntityKey) -> list[StoredFact]:
        """Return the facts that one entity was folded from, in stamp order."""

    def facts_of_delivery(self, delivery_id: str) -> list[StoredFact]:
        """Return the facts that came with one delivery."""

    def verdict(self, delivery_id: str) -> Verdict | None:
        """Return what became of a delivery, or None while it has no outcome."""

    def verdicts(self, outcomes: Iterable[Outcome] | None = None) -> Iterator[Verdict]:
        """Yield verdicts in order of delivery id; of the given outcomes only, if any are given."""

    def outcome_counts(self) -> dict[Outcome, int]:
        """Return how many deliveries ended in each outcome."""

    def without_verdict(self, delivery_ids: Sequence[str]) -> set[str]:
        """Return those of the given deliveries that have no outcome yet."""

    def outbox(self, limit: int, now: datetime) -> list[OutboxEntry]:
        """Return messages that are due to leave, oldest first."""

    def outbox_done(self, message_ids: Sequence[str]) -> None:
        """Mark messages as gone; marking twice is harmless."""

    def outbox_failed(self, message_ids: Sequence[str], retry_at: datetime) -> None:
        """Count a failed try; the messages are due again at `retry_at`."""

    def outbox_depth(self) -> int:
        """Return how many messages have not left, due or not."""
