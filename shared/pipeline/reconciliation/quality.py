"""Quality: each closed hour is measured once and held against its baseline; what is not as usual is an exception.

A run keeps what it measured among its counts, so that the history is the records of this job and nothing else is stored. What
people decided is read from the ledger, where a replay brings it back.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog

from shared.domain.decisions import decision_of
from shared.domain.facts import EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Sighting
from shared.domain.quality import (
    HISTORY_WEEKS,
    Anomaly,
    Deviation,
    History,
    Lesson,
    Series,
    Watch,
    hour_of,
    hour_start,
    lesson_of,
    parts_of,
    records,
    remember,
    subject_of,
)
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window
from shared.pipeline.reconciliation.measuring import Measuring
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.sweeping import sweep
from shared.pipeline.reconciliation.world import Reconciling
from shared.ports.casebook import Casebook
from shared.ports.ledger_store import LedgerStore

JOB = "quality"
CLOSED_AFTER = timedelta(minutes=5)
"""How long after its end an hour is measured: what was under way has arrived."""
RUN_TIME_MAX = timedelta(minutes=8)
"""After so long a run measures no further hour; the next run goes on with those before."""
RECORDS_A_RUN_MAX = 8_000
"""How many measures a run keeps at most: its record stays a small document."""
RUNS_LOOKED_AT = 2 * 24 * 7 * HISTORY_WEEKS
"""In how many runs the history is looked for: twice one an hour."""
CAUGHT_UP_H = 24
"""Of the hours that were measured late so many are held against their baseline too, not the last one alone."""

log = structlog.get_logger("quality")


def quality(world: Reconciling, now: datetime) -> list[ReconciliationRun]:
    """Measure what has closed since the last run, then make the open anomalies exactly those that are there.

    Hours from before the first run are measured backwards from now, as many a run as its bounds allow.
    """
    return [recorded(world, Work(JOB), lambda by: _Run(world, now, by).run())]


def remembered(casebook: Casebook, now: datetime) -> History:
    """Return what earlier runs measured in the weeks that are kept in mind."""
    history = History(hour_of(now) - HISTORY_WEEKS * 7 * 24)
    for run in casebook.runs(JOB, RUNS_LOOKED_AT):
        remember(history, run.counts)
    return history


def lessons(ledger: LedgerStore) -> Iterator[Lesson]:
    """Yield what people's standing decisions about anomalies teach. All decisions are read: they are made by hand."""
    for entity in ledger.entities(EntityKind.DECISION):
        if entity.values.get("exception_kind") == ExceptionKind.ANOMALY.value:
            lesson = lesson_of(str(entity.values["subject"]), decision_of(entity))
            if lesson is not None:
                yield lesson


class _Run:
    """One run of the job in progress."""

    def __init__(self, world: Reconciling, now: datetime, by: Sighting) -> None:
        self._world = world
        self._end = hour_of(now - CLOSED_AFTER)
        self._by = by
        self._history = remembered(world.casebook, now)
        self._kept: dict[str, int] = {}

    def run(self) -> Report:
        measured = self._measure()
        watch = Watch(self._history, lessons(self._world.ledger))
        recent = [hour + 1 for hour in measured if hour >= self._end - CAUGHT_UP_H]
        anomalies = list(watch.anomalies(recent or [self._end]))
        swept = sweep(self._world.casebook, (ExceptionKind.ANOMALY,), self._told(anomalies), self._by)
        counts = {"hours": len(measured), "left": self._left, "series": len(self._history.series())}
        return Report({**counts, "checks": watch.checks, **swept, **self._kept})

    def _measure(self) -> Sequence[int]:
        """Measure the hours that nobody has measured, the latest first, as far as the bounds allow; return which."""
        due = self._due()
        measuring, done = Measuring(self._world, due), []
        for hour in due:
            if self._world.clock.now() >= self._by.at + RUN_TIME_MAX or len(self._kept) >= RECORDS_A_RUN_MAX:
                break
            counts = measuring.hour(hour)
            self._history.add(hour, counts)
            self._kept |= records(hour, counts)
            done.append(hour)
        self._left = len(due) - len(done)
        return done

    def _due(self) -> list[int]:
        """Return the closed hours that are to be measured: from the first in which anything came, as far as is kept in mind."""
        horizon = Window(hour_start(self._history.since), hour_start(self._end))
        first = next(self._world.raw.names(horizon), None)
        if first is None:
            return []
        year, month, day, hour = map(int, first.split("/")[:4])
        start = hour_of(datetime(year, month, day, hour, tzinfo=horizon.start.tzinfo))
        return sorted(set(range(start, self._end)) - self._history.hours, reverse=True)

    def _told(self, anomalies: Sequence[Anomaly]) -> Iterator[FinanceException]:
        """Yield the exception of each anomaly: the one that is open about it, or a new one."""
        known = self._open()
        for anomaly in anomalies:
            subject = known.get(anomaly.what)
            if subject is None:
                subject = subject_of(anomaly.series, anomaly.deviation, anomaly.end - 1)
                series = anomaly.series
                log.warning(
                    "anomaly", measure=series.measure.value, provider=series.provider, detail=series.detail,
                    deviation=anomaly.deviation.value,
                )  # fmt: skip
            yield _exception(anomaly, subject, self._by)

    def _open(self) -> dict[tuple[Series, Deviation], str]:
        found = {}
        for each in self._world.casebook.exceptions(kinds=(ExceptionKind.ANOMALY,)):
            series, deviation, _ = parts_of(each.subject)
            found[series, deviation] = each.subject
        return found


def _exception(anomaly: Anomaly, subject: str, by: Sighting) -> FinanceException:
    usual = anomaly.usual
    evidence = {
        "observed": str(usual.observed),
        "usual": str(usual.usual),
        "as_usual_between": f"{usual.least} and {usual.most}",
        "hours": str(anomaly.hours),
        "until": hour_start(anomaly.end).isoformat(),
    }
    return FinanceException(
        kind=ExceptionKind.ANOMALY,
        subject=subject,
        provider=anomaly.series.provider,
        opened_at=by.at,
        last_seen_run=by.run_id,
        last_seen_at=by.at,
        at_risk=None,
        evidence=evidence,
    )
