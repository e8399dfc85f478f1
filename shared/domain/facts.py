"""A fact is a provider-neutral, typed statement about one entity, taken from one raw event.

Facts are the only thing that providers hand to the ledger. They carry the values that the event states and nothing
about the values that it leaves out: an absent field overwrites nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

Value: TypeAlias = str | int | bool
"""What a field may hold: text, an integer (minor units, milliseconds, a count) or a truth. Never a float, never null."""


class EntityKind(StrEnum):
    """The kinds of entity; each is its own (a refund is no negative ticket)."""

    SALE = "sale"
    TICKET = "ticket"
    PAYMENT = "payment"
    REFUND = "refund"
    MANIFEST = "manifest"
    SHIFT = "shift"
    SETTLEMENT_LINE = "settlement_line"
    DECISION = "decision"


_KINDS = {kind.value: kind for kind in EntityKind}
"""Kinds by their word: for keys that are read by the thousand, calling the enumeration takes too long."""


class EntityKey(NamedTuple):
    """The identity of an entity: its kind, the provider that speaks of it, and that provider's id for it."""

    kind: EntityKind
    provider: str
    entity_id: str

    def __str__(self) -> str:
        """Return the one-line form, `ticket:betterez:65f0c2…`; also the document key."""
        return ":".join(self)

    @classmethod
    def parse(cls, text: str) -> "EntityKey":
        """Read the one-line form back; raise ValueError where it is none."""
        kind, provider, entity_id = text.split(":", 2)
        return tuple.__new__(cls, (_KINDS.get(kind) or EntityKind(kind), provider, entity_id))


class Version(NamedTuple):
    """How recent a statement is: the entity's own time of change, then how far along its life it says the entity is.

    The step decides between statements of one instant: of "paid" and "refunded" in the same second, refunded is later.
    """

    at_ms: int
    step: int = 0


class Fact(NamedTuple):
    """One statement about one entity: which version of it, and the values stated."""

    key: EntityKey
    version: Version
    values: Mapping[str, Value]


class Stamp(NamedTuple):
    """The total order of statements: version, then channel rank, then event key, then content digest.

    Two stamps are equal only if they are of the same event with the same content, so every fold has one winner.
    """

    at_ms: int
    step: int
    rank: int
    event_key: str
    content_digest: str


@dataclass(frozen=True, slots=True)
class Want:
    """Something that an event points at without saying it whole: to be fetched from the provider's API."""

    key: EntityKey
    reason: str


class Reading(NamedTuple):
    """What one delivery says: one raw event, its facts, and what it makes us want to fetch.

    `event_key` is `provider:event id` and the document key of the event, for ever; `content_digest` is over the event's
    content without what differs from one attempt to the next.
    """

    event_key: str
    event_type: str
    occurred_at_ms: int
    content_digest: str
    facts: tuple[Fact, ...]
    wants: tuple[Want, ...] = ()
    held: tuple[str, ...] = ()
    """Of a file: the lines that could not be read with certainty, and why; its other lines are the facts."""
    repeats_webhook: bool = False
    """Of an answer: it repeats what a webhook told, so that on a tie its facts rank as told, not as asked for."""
    lines: tuple[int, ...] = ()
    """Of a file: the line on which each fact stands, fact by fact; 0 for what the file says as a whole."""
