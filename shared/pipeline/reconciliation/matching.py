"""Matching: what no provider has linked is matched by rules; what floats is waiting until it is due, then an exception.

Nothing is written into the ledger: a match is worked out anew from it each time, and asked for by `asiento match`.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from shared.domain.deliveries import STATEMENT
from shared.domain.facts import EntityKey
from shared.domain.findings import ExceptionKind, FinanceException, Sighting
from shared.domain.matching import EXPECTED, Decision, Pairing, Standing
from shared.domain.reconciliation import ReconciliationRun, money_if_known
from shared.domain.times import ALL_TIME, Window
from shared.pipeline.matching import Matching
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.sweeping import sweep
from shared.pipeline.reconciliation.world import Reconciling

JOB = "matching"
_DUE_WITHIN_MAX = max(expected.due_within for expected in EXPECTED.values())


def matching(world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Match what is open in the window, and open an exception for all that floats beyond its deadline.

    The window is widened by the longest deadline, so that nothing leaves it while it waits; what became an exception
    earlier is looked at again wherever it lies.
    """
    span = Window(max(ALL_TIME.start, window.start - _DUE_WITHIN_MAX), max(window.start, min(window.end, now)))
    return [recorded(world, Work(JOB, window=span), lambda by: _Pass(world, span, now, by).run())]


class _Pass:
    """One run of the job in progress."""

    def __init__(self, world: Reconciling, window: Window, now: datetime, by: Sighting) -> None:
        self._world = world
        self._matching = Matching(world.ledger, (*world.providers, STATEMENT))
        self._window = window
        self._now = now
        self._by = by
        self._counts: Counter[str] = Counter(matched=0, waiting=0, unmatched=0)

    def run(self) -> Report:
        known = [each.subject for each in self._world.casebook.exceptions(kinds=(ExceptionKind.UNMATCHED,))]
        swept = sweep(self._world.casebook, (ExceptionKind.UNMATCHED,), self._floating(known), self._by)
        return Report({"stated": self._matching.stated.total(), **self._counts, **swept})

    def _floating(self, known: list[str]) -> Iterator[FinanceException]:
        """Yield what is unmatched: in the window, and of what was unmatched before."""
        seen: set[str] = set()
        for decision in self._matching.decisions(self._window):
            standing = decision.standing(self._now)
            self._counts[standing.value] += 1
            if standing is Standing.UNMATCHED:
                seen.add(_subject(decision))
                yield _unmatched(decision, self._by)
        for subject in sorted(set(known) - seen):
            again = self._look_again(subject)
            if again is not None and again.standing(self._now) is Standing.UNMATCHED:
                yield _unmatched(again, self._by)

    def _look_again(self, subject: str) -> Decision | None:
        key, _, pairing = subject.rpartition(" ")
        return Matching(self._world.ledger, self._matching.providers).decision(Pairing(pairing), EntityKey.parse(key))


def _subject(decision: Decision) -> str:
    return f"{decision.subject.key} {decision.pairing.value}"


def _unmatched(decision: Decision, by: Sighting) -> FinanceException:
    terms = decision.subject.terms
    amount, currency = terms.get("amount"), terms.get("currency")
    evidence = {
        "due_at": decision.due_at.isoformat(),
        "reference": str(terms.get("reference", "")),
        **{
            f"declined {place}": f"{each.rule}: {f'{each.candidate}: ' if each.candidate else ''}{each.why}"
            for place, each in enumerate(decision.declined, start=1)
        },
    }
    return FinanceException(
        kind=ExceptionKind.UNMATCHED,
        subject=_subject(decision),
        provider=decision.subject.key.provider,
        opened_at=by.at,
        last_seen_run=by.run_id,
        last_seen_at=by.at,
        at_risk=money_if_known(str(currency) if currency else None, None if amount is None else int(amount)),
        evidence=evidence,
    )
