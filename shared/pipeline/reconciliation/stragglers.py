"""Stragglers: kept deliveries that have no outcome after a grace are announced again."""

from datetime import datetime, timedelta

import structlog

from shared.domain.deliveries import Announcement, Channel
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window
from shared.pipeline.reconciliation.chunks import chunks
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.world import Reconciling

GRACE = timedelta(minutes=2)
"""How long an announced delivery may take to its outcome before it counts as lost on the way."""
CHUNK = 1_000

log = structlog.get_logger("reconcile")


def stragglers(world: Reconciling, window: Window, now: datetime, grace: timedelta = GRACE) -> list[ReconciliationRun]:
    """Announce again what was received in the window, longer than a grace ago, and has no outcome.

    A delivery that failed has an outcome: it is an exception, not a straggler. Announcing twice is harmless.
    """
    due = Window(window.start, max(window.start, min(window.end, now - grace)))
    return [recorded(world, Work("stragglers", window=due), lambda _: _announce_again(world, due))]


def _announce_again(world: Reconciling, due: Window) -> Report:
    seen = announced = 0
    for names in chunks(world.raw.names(due), CHUNK):
        announcements = [_announcement(name) for name in names]
        waiting = world.ledger.without_verdict([each.delivery_id for each in announcements])
        again = [each for each in announcements if each.delivery_id in waiting]
        if again:
            world.bus.publish_all(again)
        seen += len(names)
        announced += len(again)
    if announced:
        log.warning("stragglers announced", count=announced)
    return Report({"kept": seen, "announced_again": announced})


def _announcement(object_name: str) -> Announcement:
    """Return the pointer to a kept delivery from its name: year/month/day/hour/provider/channel/id."""
    *_, provider, channel, delivery_id = object_name.split("/")
    return Announcement(object_name, delivery_id, provider, Channel(channel))
