"""Settlements: what processors say that they settled and paid out is held against payments, refunds and payouts.

A subject with settlement lines is compared in the week of its last line. One without is compared in its own week: while
lines may still come it is waiting; once the provider's lines reach so far beyond it that one was due, it is a difference.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import itemgetter
from typing import TypeVar

from shared.domain.deliveries import STATEMENT
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import Sighting
from shared.domain.fold import Entity
from shared.domain.reconciliation import Claim, DifferenceType, Mismatch, Pair, ReconciliationRun, Tally
from shared.domain.settlements import (
    Generations,
    Share,
    Subject,
    Total,
    is_due,
    is_otherwise,
    ledger_claim,
    settled_claim,
    shares_of,
)
from shared.domain.times import ALL_TIME, Window, from_ms
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.transactions import weeks_of
from shared.pipeline.reconciliation.world import Reconciling

JOB = "settlements"
DUE_WITHIN = timedelta(days=35)
"""How long after a payment or refund its settlement line may come; the longest release term is a month."""
LINES_BEFORE = timedelta(days=60)
"""How far before a window lines are read: a payout pays out, and a second line completes, what was settled earlier."""

T = TypeVar("T")

KINDS = (EntityKind.PAYMENT, EntityKind.REFUND, EntityKind.SETTLEMENT_LINE)
"""What is compared: payments, refunds, and payouts, which are settlement lines themselves."""


def settlements(world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Compare, for every provider with settlement lines, what they come to with the ledger, kind by kind and week by week.

    The window is widened by the time within which a settlement is due. Nothing is asked for: what is missing is the
    provider's word, and it comes with its next report.
    """
    weeks = weeks_of(Window(max(ALL_TIME.start, window.start - DUE_WITHIN), min(window.end, now)))
    runs: list[ReconciliationRun] = []
    for provider in sorted(world.providers) if weeks else ():
        statement = _Statement(world, provider, weeks[0].start)
        runs.append(recorded(world, Work(JOB, provider, window=statement.span), statement.read))
        if not runs[-1].has_failed and statement.totals:
            runs += [_compared(world, statement, kind, week) for kind in KINDS for week in weeks]
    return runs


def _compared(world: Reconciling, statement: "_Statement", kind: EntityKind, week: Window) -> ReconciliationRun:
    work = Work(JOB, statement.provider, kind, week)
    return recorded(world, work, lambda _: _Comparison(world, statement, kind, week).run())


class _Statement:
    """What the settlement lines and the refunds of one provider come to since some time before a window.

    It holds one total for each payment, refund and payout that a line names in that time: some two hundred bytes each.
    """

    def __init__(self, world: Reconciling, provider: str, start: datetime) -> None:
        self.provider = provider
        self.span = Window(max(ALL_TIME.start, start - LINES_BEFORE), ALL_TIME.end)
        self.totals: dict[Subject, Total] = {}
        self.refunds: dict[EntityKey, Total] = {}
        """What the refunds of each payment come to, with the sign of what leaves."""
        self._settled: set[EntityKey] = set()
        """What lines say was settled or paid out."""
        self._gave_back: set[EntityKey] = set()
        """The payments of which lines say that something went back."""
        self._first_ms: int | None = None
        self._last_ms = 0
        self._world = world

    def read(self, _by: Sighting) -> Report:
        """Read all of it, and say how much there was."""
        lines = refunds = 0
        for line in self._world.ledger.occurred(EntityKind.SETTLEMENT_LINE, self.provider, self.span):
            lines += 1
            for share in shares_of(line):
                self._add(share)
        told_by_others = self._told_by_statements()
        for refund in self._world.ledger.occurred(EntityKind.REFUND, self.provider, self.span):
            refunds += 1
            self._add_refund(refund)
        return Report(
            {"lines": lines, "told_by_statements": told_by_others, "refunds": refunds, "subjects": len(self.totals)}
        )

    def totals_of(self, kind: EntityKind, week: Window) -> Iterator[tuple[Subject, Total]]:
        """Yield the totals of one kind of subject whose last line falls into a week."""
        for subject, total in self.totals.items():
            if subject.key.kind is kind and total.is_last_settled_in(week):
                yield subject, total

    def tells_of(self, entity: Entity) -> bool:
        """Return whether any line tells of a thing; of a refund also where lines tell what went back of its payment."""
        payment = entity.values.get("payment") if entity.key.kind is EntityKind.REFUND else None
        return entity.key in self._settled or (payment is not None and EntityKey.parse(str(payment)) in self._gave_back)

    @property
    def has_own_lines(self) -> bool:
        """Return whether the provider itself tells what it settled."""
        return self._first_ms is not None

    def covers(self, entity: Entity) -> bool:
        """Return whether a settlement line of this payment or refund would have come by now, from what came of others."""
        at_ms = entity.occurred_at_ms
        if at_ms is None or self._first_ms is None or at_ms < self._first_ms:
            return False
        return from_ms(at_ms) + DUE_WITHIN <= from_ms(self._last_ms)

    def _told_by_statements(self) -> int:
        """Take in what statements of banks and other processors say of things of this provider; return how many lines did.

        They cover what they please, so nothing is expected of them: what they do not tell of is not called missing.
        """
        told = 0
        generations = Generations(self._world.ledger.entity)
        for line in self._world.ledger.occurred(EntityKind.SETTLEMENT_LINE, STATEMENT, self.span):
            shares = [share for share in shares_of(line) if share.subject.key.provider == self.provider]
            if shares and generations.stands(line):
                told += 1
                for share in shares:
                    _add_to(self.totals, share.subject, share)
                    self._note(share)
        return told

    def _add(self, share: Share) -> None:
        _add_to(self.totals, share.subject, share)
        self._note(share)
        self._first_ms = min(share.settled_at_ms, self._first_ms or share.settled_at_ms)
        self._last_ms = max(share.settled_at_ms, self._last_ms)

    def _note(self, share: Share) -> None:
        is_of_refunds = share.subject.type is DifferenceType.REFUNDS_SETTLED_OTHERWISE
        (self._gave_back if is_of_refunds else self._settled).add(share.subject.key)

    def _add_refund(self, refund: Entity) -> None:
        payment = refund.values.get("payment")
        claim, at_ms = ledger_claim(refund), refund.occurred_at_ms
        if (
            payment is None
            or claim.amount_minor is None
            or claim.currency is None
            or at_ms is None
            or not is_due(refund)
        ):
            return
        key = EntityKey.parse(str(payment))
        subject = Subject(DifferenceType.REFUNDS_SETTLED_OTHERWISE, key, "")
        _add_to(self.refunds, key, Share(subject, claim.amount_minor, claim.currency, at_ms))


class _Comparison:
    """One comparison in progress: one kind of one provider in one week."""

    def __init__(self, world: Reconciling, statement: _Statement, kind: EntityKind, week: Window) -> None:
        self._ledger = world.ledger
        self._as_of = world.clock.now()
        self._statement = statement
        self._kind = kind
        self._week = week
        self._counts: Counter[str] = Counter(awaited=0, waiting=0)

    def run(self) -> Report:
        tally = Tally()
        mismatches: list[Mismatch] = []
        for difference, pair in (*self._told(), *self._untold()):
            tally.add(pair)
            if is_otherwise(pair):
                mismatches.append(Mismatch(difference, *pair))
        self._counts.update(mismatch.type.value for mismatch in mismatches)
        return Report(
            counts={"provider": tally.provider, "ledger": tally.ledger, **self._counts},
            drift_minor=tally.drift_minor,
            mismatches=tuple(mismatches),
            provider_as_of=self._as_of,
            ledger_as_of=self._as_of,
        )

    def _told(self) -> Iterator[tuple[DifferenceType, Pair]]:
        """Yield what lines tell of, by key. What nothing in the ledger describes yet is asked for by the job `awaited`."""
        for subject, total in sorted(self._statement.totals_of(self._kind, self._week), key=itemgetter(0)):
            entity = self._ledger.entity(subject.key)
            if entity is None or entity.is_awaited:
                self._counts["awaited"] += 1
            else:
                yield subject.type, Pair(settled_claim(subject, total), self._ledger_claim(subject, entity))

    def _ledger_claim(self, subject: Subject, entity: Entity) -> Claim | None:
        if subject.type is not DifferenceType.REFUNDS_SETTLED_OTHERWISE:
            return ledger_claim(entity)
        refunds = self._statement.refunds.get(subject.key)
        return Claim(subject.key, 0, refunds.amount_minor, refunds.currency, "") if refunds else None

    def _untold(self) -> Iterator[tuple[DifferenceType, Pair]]:
        """Yield the payments and refunds of the week of which no line tells although one was due; count those that wait.

        A payout without lines is only counted: a processor names the movements of the payouts that it makes by itself, and
        none of those that are asked for by hand.
        """
        for entity in self._ledger.occurred(self._kind, self._statement.provider, self._week):
            if self._statement.tells_of(entity) or not self._statement.has_own_lines:
                continue
            if self._kind is EntityKind.SETTLEMENT_LINE:
                self._counts["payouts_without_lines"] += entity.values.get("line_type") == "payout"
            elif is_due(entity) and self._statement.covers(entity):
                yield DifferenceType.NOT_SETTLED, Pair(None, ledger_claim(entity))
            elif is_due(entity):
                self._counts["waiting"] += 1


def _add_to(totals: dict[T, Total], key: T, share: Share) -> None:
    total = totals.get(key)
    if total is None:
        totals[key] = Total(share.amount_minor, share.currency, share.settled_at_ms)
    else:
        total.add(share)
