"""Matching over the ledger: the open subjects of a window, the candidates near them, and what the rules decide.

It holds the open subjects and what the rules find for them, about half a kilobyte each; what a provider has linked is
counted and let go. Candidates are read only near what is open: a ledger in which all is linked costs one pass.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from shared.domain.entities import OCCURRED_AT
from shared.domain.errors import SettingsError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.fold import Entity
from shared.domain.matcher import Matcher
from shared.domain.matching import (
    EXPECTED,
    Decision,
    Pairing,
    Rule,
    is_open,
    stated_target,
    subject_of,
    terms_of,
)
from shared.domain.matching_rules import RULES, checked
from shared.domain.settlements import Generations
from shared.domain.times import ALL_TIME, Window, from_ms
from shared.ports.ledger_store import LedgerStore

CONTENDERS_WITHIN = timedelta(days=35)
"""How far beside a window others are looked at who may want the same: a match must not depend on where the window ends."""


@dataclass(slots=True)
class Matching:
    """Decides what is open in the ledger. `providers` are all whose entities it holds."""

    ledger: LedgerStore
    providers: Sequence[str]
    rules: Sequence[Rule] = RULES
    stated: Counter[Pairing] = field(default_factory=Counter)
    """How many subjects of the windows so far a provider has linked itself."""

    def decisions(self, window: Window, pairings: Iterable[Pairing] = Pairing) -> Iterator[Decision]:
        """Yield a decision for every subject of the window that no provider has linked, pairing by pairing, by key."""
        for pairing in pairings:
            yield from self._decided(pairing, window)

    def decision(self, pairing: Pairing, key: EntityKey) -> Decision | None:
        """Return the decision about one subject; None where it is not open, or not known."""
        entity = self.ledger.entity(key)
        if entity is None or entity.occurred_at_ms is None or not is_open(pairing, entity):
            return None
        at = from_ms(entity.occurred_at_ms)
        near = Window(at, at + timedelta(milliseconds=1))
        return next((each for each in self._decided(pairing, near) if each.subject.key == key), None)

    def _decided(self, pairing: Pairing, window: Window) -> Iterator[Decision]:
        wide = Window(
            max(ALL_TIME.start, window.start - CONTENDERS_WITHIN), min(ALL_TIME.end, window.end + CONTENDERS_WITHIN)
        )
        subjects = []
        for entity in self._expected(pairing, wide):
            if stated_target(pairing, entity) is None:
                subjects.append(subject_of(entity, self.ledger.entity))
            else:
                self.stated[pairing] += _is_in(window, entity.occurred_at_ms)
        matcher = Matcher(pairing, self.rules, subjects)
        for kind, spans in matcher.spans().items():
            for span in spans:
                for entity in self._occurred(kind, span):
                    matcher.offer(entity, terms_of(entity))
        self._take_stated(pairing, matcher)
        for decision in matcher.decisions():
            if _is_in(window, decision.subject.occurred_at_ms):
                yield decision

    def _take_stated(self, pairing: Pairing, matcher: Matcher) -> None:
        """Tell the matcher which of the targets that it found a provider has linked with something else."""
        targets = matcher.targets
        if not targets:
            return
        for span in matcher.reach():
            for entity in self._expected(pairing, span):
                target = stated_target(pairing, entity)
                if target in targets and target is not None:
                    matcher.take(target)

    def _expected(self, pairing: Pairing, window: Window) -> Iterator[Entity]:
        expected = EXPECTED[pairing]
        return (entity for entity in self._occurred(expected.kind, window) if expected.is_expected(entity))

    def _occurred(self, kind: EntityKind, window: Window) -> Iterator[Entity]:
        """Yield what stands of a kind: of statements that were issued again, only the latest."""
        generations = Generations(self.ledger.entity)
        for provider in self.providers if kind in OCCURRED_AT else ():
            for entity in self.ledger.occurred(kind, provider, window):
                if kind is not EntityKind.SETTLEMENT_LINE or generations.stands(entity):
                    yield entity


def _is_in(window: Window, at_ms: int | None) -> bool:
    return at_ms is not None and window.start <= from_ms(at_ms) < window.end


@dataclass(frozen=True, slots=True)
class Change:
    """One subject about which two rule sets decide differently."""

    before: Decision
    after: Decision

    @property
    def what(self) -> str:
        """Return how it changes: newly matched, newly unmatched, or matched otherwise."""
        if self.before.target is None:
            return "newly matched"
        return "newly unmatched" if self.after.target is None else "matched otherwise"


def preview(before: Matching, after: Matching, window: Window) -> Iterator[Change]:
    """Yield every subject of the window about which the second rule set decides otherwise, pairing by pairing, by key."""
    for pairing in Pairing:
        pairs = zip(before.decisions(window, (pairing,)), after.decisions(window, (pairing,)), strict=True)
        yield from (Change(old, new) for old, new in pairs if old.outcome != new.outcome)


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[dict[str, Any]]


_RULE = TypeAdapter(Rule)


def declared_rules(document: object) -> tuple[Rule, ...]:
    """Return the rules that a file declares, `rules:` with one mapping each; raise SettingsError that names what is wrong."""
    try:
        declared = _RuleFile.model_validate(document).rules
    except ValidationError as invalid:
        raise SettingsError(
            f"a file of rules holds the key `rules` with a list, and nothing else: {_faults(invalid)}"
        ) from None
    return checked([_rule(at, each) for at, each in enumerate(declared, start=1)])


def _rule(place: int, declared: dict[str, Any]) -> Rule:
    name = str(declared.get("name", f"number {place}"))
    unknown = sorted(declared.keys() - Rule.__dataclass_fields__.keys())
    if unknown:
        raise SettingsError(
            f"rule {name}: there is no {', no '.join(unknown)}; a rule has {', '.join(Rule.__dataclass_fields__)}"
        )
    try:
        return _RULE.validate_python(declared)
    except ValidationError as invalid:
        raise SettingsError(f"rule {name}: {_faults(invalid)}") from None


def _faults(invalid: ValidationError) -> str:
    found = invalid.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in found)
