"""Control totals: what a provider says that each cash session came to is held against the ledger, day by day, to the cent.

The ledger's side of a shift are the payments and cash refunds of the sales that name it, whenever they were made: what is
added to a sale later counts where the sale counts. Nothing is asked for: what is missing is found and fetched by the jobs
that compare sale by sale, and a later comparison then closes the difference.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import Sighting
from shared.domain.reconciliation import DifferenceType, Mismatch, Pair, ReconciliationRun, Tally
from shared.domain.times import Window, business_day, from_ms
from shared.domain.totals import ShiftSums, total_pairs
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.world import Reconciling
from shared.ports.provider import ShiftTotals, TotalsApi

JOB = "control_totals"
SETTLES_WITHIN = timedelta(hours=1)
"""How long after a session was closed its last events may still be under way."""
CLOCKS_DIFFER_BY = timedelta(hours=1)
"""How far before a session is opened a sale of it may be dated."""
PAID_WITHIN = timedelta(days=1)
"""How long after a session was closed a sale of it may be added to, and paid for."""

_PARTS = (EntityKind.PAYMENT, EntityKind.REFUND)


def control_totals(world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Compare what the cash sessions opened on each day of the window came to: one run a provider and day.

    Sessions that are open, or were closed within the last hour, are counted and wait. A day that is not over is compared too.
    """
    days = [day for day in window.days() if day <= business_day(now)]
    return [
        recorded(
            world,
            Work(JOB, name, EntityKind.SHIFT, Window.of_days(day, day)),
            _Comparison(world, name, counterparty.totals, day, now).run,
        )
        for name, counterparty in sorted(world.counterparties.items())
        if counterparty.totals is not None
        for day in days
    ]


class _Comparison:
    """One comparison in progress: the cash sessions of one provider that were opened on one day."""

    def __init__(self, world: Reconciling, provider: str, api: TotalsApi, day: date, now: datetime) -> None:
        self._world = world
        self._provider = provider
        self._api = api
        self._day = day
        self._now = now
        self._counts: Counter[str] = Counter(shifts=0, waiting=0, totals=0)

    def run(self, _by: Sighting) -> Report:
        provider_as_of = self._world.clock.now()
        shifts = self._closed()
        ledger_as_of = self._world.clock.now()
        tally, mismatches = Tally(), []
        for pair in self._pairs(shifts):
            tally.add(pair)
            self._counts["totals"] += 1
            if pair.provider and pair.ledger and pair.provider.amount_minor != pair.ledger.amount_minor:
                mismatches.append(Mismatch(DifferenceType.TOTAL_DIFFERS, *pair))
        self._counts[DifferenceType.TOTAL_DIFFERS.value] = len(mismatches)
        return Report(
            counts=dict(self._counts),
            drift_minor=tally.drift_minor,
            mismatches=tuple(mismatches),
            provider_as_of=provider_as_of,
            ledger_as_of=ledger_as_of,
        )

    def _closed(self) -> list[ShiftTotals]:
        """Return the sessions of the day whose totals are final, each once."""
        shifts = {shift.key: shift for shift in self._api.list_totals(self._day)}
        due = [shift for _, shift in sorted(shifts.items()) if self._is_due(shift)]
        self._counts["shifts"], self._counts["waiting"] = len(shifts), len(shifts) - len(due)
        return due

    def _is_due(self, shift: ShiftTotals) -> bool:
        return shift.closed_at_ms is not None and from_ms(shift.closed_at_ms) + SETTLES_WITHIN <= self._now

    def _pairs(self, shifts: Sequence[ShiftTotals]) -> Iterator[Pair]:
        ours = self._sums(shifts) if shifts else {}
        for shift in shifts:
            theirs = {(total.about, total.currency): total.amount_minor for total in shift.totals}
            yield from total_pairs(shift.key, theirs, ours[shift.key].amounts)

    def _sums(self, shifts: Sequence[ShiftTotals]) -> Mapping[EntityKey, ShiftSums]:
        """Return what the payments and refunds of these sessions come to in the ledger."""
        sums = {shift.key: ShiftSums() for shift in shifts}
        opened = min(from_ms(shift.opened_at_ms) for shift in shifts) - CLOCKS_DIFFER_BY
        closed = max(from_ms(shift.closed_at_ms or 0) for shift in shifts) + CLOCKS_DIFFER_BY
        shift_of = self._sales(Window(opened, closed), sums.keys())
        for kind in _PARTS:
            for part in self._world.ledger.occurred(kind, self._provider, Window(opened, closed + PAID_WITHIN)):
                shift = shift_of.get(str(part.values.get("sale", "")))
                if shift is not None:
                    sums[shift].add(part)
        return sums

    def _sales(self, window: Window, shifts: Collection[EntityKey]) -> dict[str, EntityKey]:
        """Return the shift of each sale that was made in one of them."""
        found = {}
        for sale in self._world.ledger.occurred(EntityKind.SALE, self._provider, window):
            shift = sale.values.get("shift")
            if shift is not None and (key := EntityKey.parse(str(shift))) in shifts:
                found[str(sale.key)] = key
        return found
