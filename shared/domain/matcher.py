"""The matcher: decides rule by rule, for all open subjects of one pairing at once, and says why each rule declined."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.fold import Entity
from shared.domain.matching import Candidate, Decision, Declined, Pairing, Rule, Subject
from shared.domain.times import Window, from_ms

DECLINED_SHOWN_MAX = 5
"""How many declined candidates of one rule a decision names; the others are counted."""


class Matcher:
    """One matching in progress: the open subjects of one pairing, what the rules wanted of the ledger, and what they found."""

    def __init__(self, pairing: Pairing, rules: Iterable[Rule], subjects: Iterable[Subject]) -> None:
        """Take the rules of one pairing, in order, and its open subjects."""
        self._pairing = pairing
        self._rules = [rule for rule in rules if rule.pairing is pairing]
        self._subjects = sorted(subjects)
        self._wanted = {rule.name: {self._place(rule, subject) for subject in self._subjects} for rule in self._rules}
        self._found: dict[tuple[str, tuple[Value, ...]], list[Candidate]] = defaultdict(list)
        self._targets: set[EntityKey] = set()
        self._taken: set[EntityKey] = set()

    def spans(self) -> dict[EntityKind, list[Window]]:
        """Return where candidates of each kind are looked for: as few and as short windows as hold them all."""
        spans: dict[EntityKind, list[Window]] = defaultdict(list)
        for rule in self._rules:
            anchors = (subject.anchor_ms(rule) for subject in self._subjects if self._place(rule, subject) is not None)
            spans[rule.look_through] += [rule.window(at_ms) for at_ms in anchors if at_ms is not None]
        return {kind: merged(windows) for kind, windows in spans.items() if windows}

    def offer(self, entity: Entity, terms: Mapping[str, Value]) -> None:
        """Show an entity to the rules; it is kept where one of them looks for it."""
        at_ms = entity.occurred_at_ms
        for rule in self._rules:
            if at_ms is None or rule.look_through is not entity.key.kind:
                continue
            place = _values(rule.by.values(), terms)
            target = terms.get(rule.target)
            if place is None or target is None or place not in self._wanted[rule.name] or not _is_one(rule, terms):
                continue
            compared = {name: terms[name] for name in rule.agree.values() if name in terms}
            candidate = Candidate(entity.key, EntityKey.parse(str(target)), at_ms, compared)
            self._found[rule.name, place].append(candidate)
            self._targets.add(candidate.target)

    @property
    def targets(self) -> frozenset[EntityKey]:
        """Return all that may be matched: of these it must be known which are taken."""
        return frozenset(self._targets)

    def reach(self) -> list[Window]:
        """Return where others may lie that a provider has linked with one of the targets."""
        reach = [
            Window(span.start - timedelta(days=rule.days_after), span.end + timedelta(days=rule.days_before))
            for rule in self._rules
            if rule.is_exclusive
            for span in self.spans().get(rule.look_through, ())
        ]
        return merged(reach)

    def take(self, target: EntityKey) -> None:
        """Note that a provider has stated a link to a target: no exclusive rule gives it to another."""
        self._taken.add(target)

    def decisions(self) -> Iterator[Decision]:
        """Decide rule by rule, for all subjects at once, and yield what became of each, by key."""
        decided: dict[EntityKey, tuple[EntityKey, str]] = {}
        declined: dict[EntityKey, list[Declined]] = defaultdict(list)
        undecided = list(self._subjects)
        for rule in self._rules:
            proposed = {subject.key: self._propose(rule, subject, declined[subject.key]) for subject in undecided}
            contended = _contended(rule, proposed)
            still: list[Subject] = []
            for subject in undecided:
                target = proposed[subject.key]
                if target is not None and target not in contended:
                    decided[subject.key] = (target, rule.name)
                    continue
                if target is not None:
                    declined[subject.key].append(Declined(rule.name, target, "others would be matched with it as well"))
                if not (rule.is_decisive and self._candidates(rule, subject)):
                    still.append(subject)
            if rule.is_exclusive:
                self._taken.update(target for target, name in decided.values() if name == rule.name)
            undecided = still
        for subject in self._subjects:
            target, name = decided.get(subject.key, (None, ""))
            yield Decision(self._pairing, subject, target, name, tuple(declined[subject.key]))

    def _propose(self, rule: Rule, subject: Subject, declined: list[Declined]) -> EntityKey | None:
        """Return the one target that a rule finds for a subject; else note why there is none."""
        if self._place(rule, subject) is None:
            lacking = " and ".join(name for name in rule.by if name not in subject.terms)
            declined.append(Declined(rule.name, None, f"it has no {lacking}"))
            return None
        candidates = self._candidates(rule, subject)
        if not candidates:
            declined.append(Declined(rule.name, None, "there is no candidate"))
            return None
        against = [(candidate, self._against(rule, subject, candidate)) for candidate in candidates]
        targets = sorted({candidate.target for candidate, why in against if not why})
        unfit = [Declined(rule.name, candidate.key, why) for candidate, why in against if why]
        if len(targets) == 1:
            declined += _shown(rule.name, unfit)
            return targets[0]
        alike = [Declined(rule.name, target, f"one of {len(targets)} alike") for target in targets]
        declined += _shown(rule.name, [*alike, *unfit])
        return None

    def _against(self, rule: Rule, subject: Subject, candidate: Candidate) -> str:
        """Return what speaks against a candidate; empty where nothing does."""
        anchor_ms = subject.anchor_ms(rule)
        if anchor_ms is None:
            return "the sale that it goes back to is not known"
        window = rule.window(anchor_ms)
        if not window.start <= from_ms(candidate.occurred_at_ms) < window.end:
            return f"it lies more than {rule.days_before} days before or {rule.days_after} after"
        for ours, theirs in rule.agree.items():
            mine, other = subject.terms.get(ours), candidate.terms.get(theirs)
            if mine != other:
                return f"{theirs} is {other}, not {mine}" if other is not None else f"it tells no {theirs}"
        if rule.is_exclusive and candidate.target in self._taken:
            return "it is matched already"
        return ""

    def _candidates(self, rule: Rule, subject: Subject) -> list[Candidate]:
        place = self._place(rule, subject)
        found = self._found.get((rule.name, place), []) if place is not None else []
        return sorted(candidate for candidate in found if candidate.key != subject.key)

    @staticmethod
    def _place(rule: Rule, subject: Subject) -> tuple[Value, ...] | None:
        return _values(rule.by.keys(), subject.terms)


def merged(windows: Iterable[Window]) -> list[Window]:
    """Return as few windows as hold the same time, in order."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda each: each.start):
        if found and window.start <= found[-1].end:
            found[-1] = Window(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(window)
    return found


def _values(names: Iterable[str], terms: Mapping[str, Value]) -> tuple[Value, ...] | None:
    found = tuple(terms.get(name) for name in names)
    return None if None in found else tuple(value for value in found if value is not None)


def _is_one(rule: Rule, terms: Mapping[str, Value]) -> bool:
    return all(terms.get(name) == value for name, value in rule.where.items())


def _contended(rule: Rule, proposed: Mapping[EntityKey, EntityKey | None]) -> set[EntityKey]:
    """Return the targets that an exclusive rule would give to several subjects."""
    if not rule.is_exclusive:
        return set()
    times = Counter(target for target in proposed.values() if target is not None)
    return {target for target, count in times.items() if count > 1}


def _shown(rule: str, declined: Sequence[Declined]) -> list[Declined]:
    """Return what was declined, as far as people read it, and how many more there were."""
    more = len(declined) - DECLINED_SHOWN_MAX
    if more <= 0:
        return list(declined)
    return [*declined[:DECLINED_SHOWN_MAX], Declined(rule, None, f"and {more} more were declined")]
