"""Facts and ledger, recomputed: every delivery is read again into an empty ledger, and both are laid side by side.

Which of two deliveries of one event came first may differ from the one ledger to the other, and with it who is called the
duplicate. What was said, and what follows from it, may not.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shared.domain.errors import AsientoError
from shared.domain.facts import EntityKey
from shared.domain.fold import Entity, canonical, fold
from shared.domain.outcomes import Outcome, Verdict
from shared.domain.settle import Effects, EventMark, Snapshot, StoredFact, Touch
from shared.domain.times import ALL_TIME, Window, from_ms
from shared.pipeline.verification.findings import Area, Findings
from shared.pipeline.verification.streams import ILLEGIBLE, legible, paired
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import Provider
from shared.ports.raw_store import RawStore

_MARKS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The stored ledger and the replayed one, and what it takes to read a delivery again."""

    stored: LedgerStore
    replayed: LedgerStore
    raw: RawStore
    providers: Mapping[str, Provider]

    def carries(self, delivery_id: str, event_key: str, content_digest: str) -> bool:
        """Return whether a delivery, read again, carries an event with this content."""
        verdict = self.stored.verdict(delivery_id)
        if verdict is None:
            return False
        try:
            delivery = self.raw.read(verdict.object_name)
            reading = self.providers[delivery.provider].read(delivery)
        except (AsientoError, KeyError):
            return False
        return (reading.event_key, reading.content_digest) == (event_key, content_digest)


def check_facts(ledgers: Ledgers, found: Findings) -> None:
    """Compare outcomes, event marks and facts with those of the replay."""
    _check_verdicts(ledgers, found)
    _check_marks(ledgers, found)
    for name, _, _ in _entities(ledgers, Findings(Area.LEDGER)):
        try:
            _check_facts_of(EntityKey.parse(name), ledgers, found)
        except ILLEGIBLE as broken:
            found.differs(
                f"a fact of {name} cannot be read ({type(broken).__name__}): it was edited; replay into an empty ledger"
            )


def check_ledger(ledgers: Ledgers, found: Findings) -> None:
    """Compare every entity with the fold of its own facts and with the entity that the replay made."""
    for name, mine, theirs in _entities(ledgers, found):
        found.checked += 1
        if mine is None or theirs is None:
            found.differs(f"{name} is {_where(theirs is None)}")
            continue
        if _said(mine) != _said(theirs):
            found.differs(f"{name} differs from what its deliveries say in {_differing(_said(mine), _said(theirs))}")
        elif not _stands_by_its_facts(mine, ledgers.stored):
            found.differs(f"{name} stands by statements that are not among its facts")
        elif not _is_listed(mine, ledgers.stored):
            found.differs(f"{name} is not listed at its own instant")
    _check_lists(ledgers.stored, found)


def _check_lists(ledger: LedgerStore, found: Findings) -> None:
    """Compare what the ledger lists apart, those in conflict and those awaited, with what its entities hold."""
    lists: tuple[tuple[str, Iterator[Entity], Callable[[Entity], bool]], ...] = (
        ("in conflict", ledger.disputed(), lambda entity: entity.has_conflict),
        ("awaited", ledger.awaited(ALL_TIME.end), lambda entity: entity.is_awaited),
    )
    for state, listed, is_so in lists:
        holding = legible(_by_key(filter(is_so, ledger.entities())), "entity", found)
        for name, mine, theirs in paired(holding, legible(_by_key(listed), f"entity {state}", found)):
            if mine is None or theirs is None:
                found.differs(
                    f"{name} is {'not listed' if theirs is None else 'listed'} as {state}, against what it holds"
                )


def _is_listed(entity: Entity, ledger: LedgerStore) -> bool:
    """Return whether windows list an entity at its own instant."""
    if entity.occurred_at_ms is None:
        return True
    window = Window(from_ms(entity.occurred_at_ms), from_ms(entity.occurred_at_ms + 1))
    return any(each.key == entity.key for each in ledger.occurred(entity.key.kind, entity.key.provider, window))


def _check_verdicts(ledgers: Ledgers, found: Findings) -> None:
    counts: Counter[Outcome] = Counter()
    stored = legible(_by_delivery(ledgers.stored.verdicts()), "outcome", found)
    for name, mine, theirs in paired(stored, _by_delivery(ledgers.replayed.verdicts())):
        found.checked += 1
        if mine is not None:
            counts[mine.outcome] += 1
        if mine is None or theirs is None:
            found.differs(
                f"delivery {name} {'has no outcome' if mine is None else 'has an outcome and is not in the raw store'}"
            )
        elif not _tell_the_same(mine, theirs):
            found.differs(
                f"delivery {name} is kept as {mine.outcome.value} (event {mine.event_key or 'unread'}) and reads as "
                f"{theirs.outcome.value} (event {theirs.event_key or 'unread'}); if the code has changed since, replay it"
            )
    if _listed_outcomes(ledgers.stored) != counts:
        found.differs("outcomes are listed otherwise than their attempts say; see `asiento outcomes`")


def _listed_outcomes(ledger: LedgerStore) -> Mapping[Outcome, int] | None:
    try:
        return ledger.outcome_counts()
    except ILLEGIBLE:
        return None


def _tell_the_same(mine: Verdict, theirs: Verdict) -> bool:
    """Return whether two verdicts differ at most in the order in which deliveries of one event came.

    Whichever came later is a duplicate, also where what it repeats was quarantined for rows that could not be read.
    """
    spoken_of = [(each.object_name, each.event_key, each.event_type) for each in (mine, theirs)]
    outcomes = (mine.outcome, theirs.outcome)
    apart = {each if each in (Outcome.QUARANTINED, Outcome.FAILED) else Outcome.APPLIED for each in outcomes}
    return spoken_of[0] == spoken_of[1] and (Outcome.DUPLICATE in outcomes or len(apart) == 1)


def _check_marks(ledgers: Ledgers, found: Findings) -> None:
    event_keys = (verdict.event_key for verdict in ledgers.replayed.verdicts() if verdict.event_key)
    while batch := frozenset(islice(event_keys, _MARKS_AT_ONCE)):
        try:
            stored = _marks(ledgers.stored, batch)
        except ILLEGIBLE as broken:
            found.differs(
                f"one of the marks from event {min(batch)} to {max(batch)} cannot be read ({type(broken).__name__})"
            )
            continue
        replayed = _marks(ledgers.replayed, batch)
        for event_key in sorted(batch):
            mine, theirs = stored.get(event_key), replayed[event_key]
            if mine is None or not _is_same_mark(mine, theirs, ledgers):
                found.differs(f"the mark of event {event_key} {'is gone' if mine is None else 'is not what was said'}")


def _marks(ledger: LedgerStore, event_keys: frozenset[str]) -> Mapping[str, EventMark]:
    """Read event marks by a transaction that changes nothing."""
    loaded: list[Snapshot] = []

    def look(snapshot: Snapshot) -> Effects:
        loaded.append(snapshot)
        return Effects()

    ledger.transact(Touch(frozenset(), event_keys, frozenset()), look)
    return loaded[-1].marks


def _is_same_mark(mine: EventMark, theirs: EventMark, ledgers: Ledgers) -> bool:
    return (
        mine.contents.keys() == theirs.contents.keys()
        and set(mine.entity_keys) == set(theirs.entity_keys)
        and all(
            delivery_id == theirs.contents[digest] or ledgers.carries(delivery_id, mine.event_key, digest)
            for digest, delivery_id in mine.contents.items()
        )
    )


def _entities(ledgers: Ledgers, found: Findings) -> Iterator[tuple[str, Entity | None, Entity | None]]:
    return paired(legible(_by_key(ledgers.stored.entities()), "entity", found), _by_key(ledgers.replayed.entities()))


def _check_facts_of(key: EntityKey, ledgers: Ledgers, found: Findings) -> None:
    stored, replayed = (_by_event(ledger.facts(key)) for ledger in (ledgers.stored, ledgers.replayed))
    for event, mine, theirs in paired(iter(sorted(stored.items())), iter(sorted(replayed.items()))):
        found.checked += 1
        if mine is None or theirs is None:
            found.differs(f"a fact of {key} from event {_event(event)} is {_where(theirs is None)}")
        elif (mine.fact, mine.stamp[:2]) != (theirs.fact, theirs.stamp[:2]):
            found.differs(
                f"a fact of {key} from event {_event(event)} differs from what delivery {theirs.delivery_id} says"
            )
        elif (mine.delivery_id, mine.stamp) != (theirs.delivery_id, theirs.stamp) and not ledgers.carries(
            mine.delivery_id, mine.stamp.event_key, mine.stamp.content_digest
        ):
            found.differs(
                f"a fact of {key} from event {_event(event)} names delivery {mine.delivery_id}, which says no such thing"
            )


def _by_event(facts: Iterable[StoredFact]) -> dict[str, StoredFact]:
    return {f"{each.stamp.event_key}\n{each.stamp.content_digest}": each for each in facts}


def _event(name: str) -> str:
    return name.partition("\n")[0]


def _by_key(entities: Iterator[Entity]) -> Iterator[tuple[str, Entity]]:
    return ((str(entity.key), entity) for entity in entities)


def _by_delivery(verdicts: Iterator[Verdict]) -> Iterator[tuple[str, Verdict]]:
    return ((verdict.delivery_id, verdict) for verdict in verdicts)


def _said(entity: Entity) -> dict[str, Any]:
    """Return what the set of deliveries decides of an entity: its canonical values, and who points at it in vain."""
    return {**canonical(entity), "wanted_by": sorted(entity.wanted_by)}


def _differing(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Return the names, never the values, of what differs."""
    if mine["values"] != theirs["values"]:
        mine, theirs = mine["values"], theirs["values"]
    return ", ".join(sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)))


def _stands_by_its_facts(entity: Entity, ledger: LedgerStore) -> bool:
    try:
        folded = fold(entity.key, ((stored.fact, stored.stamp) for stored in ledger.facts(entity.key)))
    except ILLEGIBLE:
        return False
    return (entity.registers, entity.variants) == (folded.registers, folded.variants)


def _where(is_extra: bool) -> str:  # noqa: FBT001  which of two sentences
    return "in the ledger and no delivery says it" if is_extra else "said by a delivery and not in the ledger"
