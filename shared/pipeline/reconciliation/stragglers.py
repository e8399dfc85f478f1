"""Stragglers: kept deliveries that have no outcome after a grace are announced again, however old they are.

Beside its window, a run looks at one older day, so that nothing is out of reach for ever. How far back every delivery is
known to have its outcome is part of the run's record (`complete_until_ms`); it moves up to the first gap and never past
one. A day with a gap does not hide the days after it: older days are looked at in turn.

What our code failed on is announced again when other code derives: a version of the code tries it once. What the bus gave
up stays with it as a dead letter until it is put back: one without an outcome is, and one on which the present code has not
failed; one that has come through meanwhile is put back too, for then it ends at once and is gone.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog

from shared.domain.deliveries import Announcement, Channel
from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import ALL_TIME, Window, from_ms, to_ms
from shared.pipeline.reconciliation.chunks import chunks
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.world import Reconciling

JOB = "stragglers"
GRACE = timedelta(minutes=2)
"""How long an announced delivery may take to its outcome before it counts as lost on the way."""
OLDER_SPAN = timedelta(days=1)
"""How much of what is older than its window a run looks at."""
CHUNK = 1_000

RUNS_LOOKED_AT = 20
"""How many run records are searched for the last one that came to its end."""

_COMPLETE_UNTIL, _OLDER_FROM = "complete_until_ms", "older_from_ms"

log = structlog.get_logger("reconcile")


def stragglers(world: Reconciling, window: Window, now: datetime, grace: timedelta = GRACE) -> list[ReconciliationRun]:
    """Announce again what was received longer than a grace ago and has no outcome: in the window, and on one older day.

    What the present code failed on has an outcome: it is an exception, not a straggler. Announcing twice is harmless.
    """
    due = Window(window.start, max(window.start, min(window.end, now - grace)))
    return [recorded(world, Work(JOB, window=due), lambda _: _announce_again(world, due, now))]


def _announce_again(world: Reconciling, due: Window, now: datetime) -> Report:
    reach = _last_reach(world)
    span = _older_span(world, reach, due)
    older, recent = _look(world, span), _look(world, due)
    failed_before, redriven = _try_with_new_code(world), _redrive(world, now)
    if older.announced or recent.announced:
        log.warning("stragglers announced", count=older.announced + recent.announced)
    reach = reach.after(span, older, due, recent)
    return Report(
        {
            "kept": recent.kept,
            "announced_again": recent.announced,
            "older_kept": older.kept,
            "older_announced_again": older.announced,
            "failed_before": failed_before,
            "redriven": redriven,
            _COMPLETE_UNTIL: to_ms(reach.complete_until),
            _OLDER_FROM: to_ms(reach.older_from),
        }
    )


class _Looked(NamedTuple):
    """What one span held: how many deliveries, how many without an outcome, and when the first of those came."""

    kept: int
    announced: int
    first_gap: datetime | None


class _Reach(NamedTuple):
    """Until when every delivery has its outcome, and from where older days are looked at next."""

    complete_until: datetime
    older_from: datetime

    def after(self, span: Window, older: _Looked, due: Window, recent: _Looked) -> "_Reach":
        """Return the reach after a run: complete up to the first gap, over spans that join without a hole."""
        complete = self.complete_until
        if self.older_from <= complete < due.start:
            complete = older.first_gap or span.end
        if complete >= due.start:
            complete = recent.first_gap or max(complete, due.end)
        # Where all older days were looked at, the first gap is next again.
        return _Reach(complete, span.end if complete < span.end < due.start else complete)


def _last_reach(world: Reconciling) -> _Reach:
    """Return where the last run left off. Without one everything is looked at anew, from the first delivery that there is."""
    runs = world.casebook.runs(JOB, limit=RUNS_LOOKED_AT)
    counts = next((run.counts for run in runs if _COMPLETE_UNTIL in run.counts), None)
    if counts is None:
        return _Reach(ALL_TIME.start, ALL_TIME.start)
    return _Reach(from_ms(counts[_COMPLETE_UNTIL]), from_ms(counts[_OLDER_FROM]))


def _older_span(world: Reconciling, reach: _Reach, due: Window) -> Window:
    """Return the older day to look at: the next one before the window on which anything came."""
    start = min(reach.older_from, due.start)
    first = next(world.raw.names(Window(start, due.start)), None)
    if first is None:
        return Window(start, due.start)
    start = max(start, _hour_of(first))
    return Window(start, min(start + OLDER_SPAN, due.start))


def _look(world: Reconciling, span: Window) -> _Looked:
    """Announce again what came in a span and has no outcome."""
    kept = announced = 0
    first_gap = None
    for names in chunks(world.raw.names(span), CHUNK):
        announcements = [_announcement(name) for name in names]
        waiting = world.ledger.without_verdict([each.delivery_id for each in announcements])
        again = [each for each in announcements if each.delivery_id in waiting]
        if again:
            first_gap = first_gap or max(span.start, _hour_of(again[0].object_name))
            world.bus.publish_all(again)
        kept += len(names)
        announced += len(again)
    return _Looked(kept, announced, first_gap)


def _try_with_new_code(world: Reconciling) -> int:
    """Announce again what other code failed on than the one that derives now; return how many.

    Each is tried once by each version of the code: whatever becomes of it then names this version.
    """
    failed = (
        each for each in world.ledger.verdicts((Outcome.FAILED,)) if each.is_worth_another_try(world.code_version)
    )
    announced = 0
    for verdicts in chunks(failed, CHUNK):
        world.bus.publish_all([_announcement(each.object_name) for each in verdicts])
        announced += len(verdicts)
    return announced


def _redrive(world: Reconciling, now: datetime) -> int:
    """Put dead letters back, save those on which the code that derives now has failed itself; return how many."""
    if world.dead_letters is None:
        return 0
    mended = [dead.lease_id for dead in world.dead_letters.dead_letters() if _is_mended(world, dead.announcement)]
    if mended:
        world.dead_letters.redrive(mended, now)
        log.warning("dead letters redriven", count=len(mended))
    return len(mended)


def _is_mended(world: Reconciling, announcement: Announcement) -> bool:
    verdict = world.ledger.verdict(announcement.delivery_id)
    if verdict is None or verdict.outcome is not Outcome.FAILED:
        return True
    return verdict.is_worth_another_try(world.code_version)


def _announcement(object_name: str) -> Announcement:
    """Return the pointer to a kept delivery from its name: year/month/day/hour/provider/channel/id."""
    *_, provider, channel, delivery_id = object_name.split("/")
    return Announcement(object_name, delivery_id, provider, Channel(channel))


def _hour_of(object_name: str) -> datetime:
    """Return the hour under which a delivery is kept."""
    year, month, day, hour = map(int, object_name.split("/")[:4])
    return datetime(year, month, day, hour, tzinfo=UTC)
