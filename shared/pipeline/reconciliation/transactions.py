"""Transactions: what a provider lists is compared with the ledger, both ways, to the cent.

The window is compared week by week (Monday to Sunday in Buenos Aires, the first from its Monday), one run per provider,
kind and week. Whole weeks make it certain that a later comparison looks wherever an earlier one found something; a week is
small enough to hold and to repeat, and long enough that a listing by shifts or manifests, which must reach a day beyond
each end, does not ask for everything twice.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.entities import OCCURRED_AT
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import ExceptionKind, Sighting
from shared.domain.pairing import unequal
from shared.domain.reconciliation import (
    Claim,
    Mismatch,
    Pair,
    ReconciliationRun,
    Tally,
    claim_of,
    differing,
)
from shared.domain.times import Window
from shared.pipeline.reconciliation.asking import ask_for, ways_to
from shared.pipeline.reconciliation.listing import listed_now
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.world import Counterparty, PatientApi, Reconciling
from shared.ports.provider import Listed


def transactions(world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Compare every kind that each provider lists, week by week; ask for what is missing, older or different.

    A kind without an instant of its own (OCCURRED_AT) is compared one way: what the provider lists must be in the ledger.
    """
    runs = []
    for name, counterparty in sorted(world.counterparties.items()):
        patient = replace(counterparty, api=PatientApi(name, counterparty.api))
        for kind in counterparty.capabilities.listings:
            runs += [_compared(world, patient, kind, week, now) for week in weeks_of(window)]
    return runs


def weeks_of(window: Window) -> list[Window]:
    """Return the weeks that a window touches: each from the start of its Monday, the last one up to where the window ends."""
    mondays = sorted({day - timedelta(days=day.weekday()) for day in window.days()})
    weeks = [Window.of_days(monday, monday + timedelta(days=6)) for monday in mondays]
    return [Window(week.start, min(week.end, window.end)) for week in weeks]


def _compared(
    world: Reconciling, counterparty: Counterparty, kind: EntityKind, week: Window, now: datetime
) -> ReconciliationRun:
    work = Work("transactions", counterparty.capabilities.name, kind, week)
    return recorded(world, work, lambda by: _Comparison(world, counterparty, kind, week).run(now, by))


class _Comparison:
    """One comparison in progress: one kind of one provider in one window.

    The provider's side of the window is held in memory and sorted; the ledger's side is streamed by key.
    """

    def __init__(self, world: Reconciling, counterparty: Counterparty, kind: EntityKind, window: Window) -> None:
        self._world = world
        self._counterparty = counterparty
        self._kind = kind
        self._window = window
        self._counts: Counter[str] = Counter(uncovered=0, found_by_key=0, asked=0)

    def run(self, now: datetime, by: Sighting) -> Report:
        listing = listed_now(self._world, self._counterparty, self._kind, self._window)
        listed = listing.entities
        ledger_as_of = self._world.clock.now()
        tally = Tally()
        mismatches: list[Mismatch] = []
        theirs = (_claim(listed[key]) for key in sorted(listed))
        for pair in self._completed(unequal(theirs, self._comparable(listed), tally)):
            tally.add(pair)
            mismatches += differing(pair)
        self._ask(mismatches, listed, now)
        self._refute(listed, by)
        self._counts.update(mismatch.type.value for mismatch in mismatches)
        return Report(
            counts={"provider": tally.provider, "ledger": tally.ledger, **self._counts},
            drift_minor=tally.drift_minor,
            mismatches=tuple(mismatches),
            provider_as_of=listing.as_of,
            ledger_as_of=ledger_as_of,
        )

    def _comparable(self, listed: Mapping[EntityKey, Listed]) -> Iterator[Claim]:
        """Yield the ledger's side without what the provider's listing does not show by its nature."""
        if self._kind not in OCCURRED_AT:
            return
        capabilities = self._counterparty.capabilities
        for entity in self._world.ledger.occurred(self._kind, capabilities.name, self._window):
            if entity.key in listed or capabilities.listing_covers(self._kind, entity.values):
                yield claim_of(entity)
            else:
                self._counts["uncovered"] += 1

    def _completed(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Yield the pairs; what the ledger holds under another instant than the provider, or under none, is not missing."""
        for pair in pairs:
            entity = self._world.ledger.entity(pair.provider.key) if pair.provider and pair.ledger is None else None
            if entity is not None and not entity.is_awaited:
                self._counts["found_by_key"] += 1
                yield Pair(pair.provider, claim_of(entity))
            else:
                yield pair

    def _ask(self, mismatches: Iterable[Mismatch], listed: Mapping[EntityKey, Listed], now: datetime) -> None:
        """Ask for what differs, each thing once: by it the ledger learns what the provider knows, or that it knows nothing."""
        keys = dict.fromkeys(key for mismatch in mismatches for key in self._ways_to_mend(mismatch, listed))
        ask_for(self._world.ledger, keys, "difference", now)
        self._counts["asked"] = len(keys)

    def _refute(self, listed: Mapping[EntityKey, Listed], by: Sighting) -> None:
        """Close the exceptions that say that the provider does not know what it lists here."""
        casebook, name = self._world.casebook, self._counterparty.capabilities.name
        known = [
            exception.exception_id
            for exception in casebook.exceptions(kinds=(ExceptionKind.NOT_FOUND,), provider=name)
            if EntityKey.parse(exception.subject) in listed
        ]
        if known:
            casebook.close_exceptions(known, by.at)

    def _ways_to_mend(self, mismatch: Mismatch, listed: Mapping[EntityKey, Listed]) -> list[EntityKey]:
        if mismatch.provider is not None:
            fetch = listed[mismatch.key].fetch
            return [fetch] if self._world.can_fetch(fetch) else []
        entity = self._world.ledger.entity(mismatch.key)
        return ways_to(entity, self._world) if entity else []


def _claim(listed: Listed) -> Claim:
    return Claim(listed.key, listed.version_at_ms, listed.amount_minor, listed.currency, listed.status)
