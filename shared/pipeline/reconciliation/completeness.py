"""Completeness: of every day that is over, what a provider lists is in the raw store; a certificate says so or names the gaps.

The listing is read week by week, as in `transactions`; each entity of it is followed to the delivery that brought the latest
that was told of it, and those bytes are read. Days stay in reach until they are complete: each run also looks at earlier
weeks, back to the first certificate, of which a day has none or has gaps. No watermark passes a gap.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

import structlog

from shared.domain.completeness import (
    Brought,
    CompletenessCertificate,
    DayListed,
    Gap,
    GapReason,
    certificate,
)
from shared.domain.errors import NotFoundError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import Sighting
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.settle import Effects, Snapshot, Touch
from shared.domain.times import Window, business_day, day_start, from_ms
from shared.pipeline.reconciliation.asking import ask_for
from shared.pipeline.reconciliation.chunks import chunks
from shared.pipeline.reconciliation.listing import listed_in_pass
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.transactions import weeks_of
from shared.pipeline.reconciliation.world import Counterparty, PatientApi, Reconciling
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import Listed
from shared.ports.raw_store import RawStore

JOB = "completeness"
OVER_AFTER = timedelta(hours=1)
"""So long after its end a day is certified first: the provider's clock may be behind ours, and its last sales still open."""
LATE_AFTER = timedelta(hours=48)
"""A day that has gaps so long after its end is said aloud: fetching has not brought what is missing."""
WEEKS_BEHIND_MAX = 8
"""How many earlier weeks with gaps one run looks at, those first that were not looked at for longest."""
CHUNK = 200

_NONE: frozenset[str] = frozenset()
_A_WEEK = timedelta(days=7)

log = structlog.get_logger("reconcile")


class _Told(NamedTuple):
    """The latest that the ledger was told of an entity: its version, and the delivery that brought it ("" if unknown)."""

    version_at_ms: int
    object_name: str


def completeness(world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Certify every day of the window's months that is over, and every earlier one that is not complete yet.

    What is missing is asked for. One run per provider, kind and week; its certificates are kept together with it.
    """
    standing = _standing(world)
    runs: list[ReconciliationRun] = []
    for name, counterparty in sorted(world.counterparties.items()):
        patient = replace(counterparty, api=PatientApi(name, counterparty.api))
        for kind in counterparty.capabilities.listings:
            weeks = _weeks(window, standing[name, kind], _over_until(now))
            runs += [_certified(world, patient, kind, week, now) for week in weeks]
    return runs


def found_of(world: Reconciling, listed: Iterable[Listed]) -> Iterator[Gap | Brought]:
    """Yield of each listed entity, in the order given, the kept delivery that brought it, or why there is none."""
    digests: dict[str, str | None] = {}
    for chunk in chunks(listed, CHUNK):
        told = _told(world.ledger, [each.key for each in chunk])
        _read_bodies(world.raw, {each.object_name for each in told.values()}.difference(digests), digests)
        for each in chunk:
            yield _judged(each, told.get(each.key), digests)


def _standing(world: Reconciling) -> Mapping[tuple[str, EntityKind], dict[date, CompletenessCertificate]]:
    standing: defaultdict[tuple[str, EntityKind], dict[date, CompletenessCertificate]] = defaultdict(dict)
    for each in world.casebook.completeness():
        standing[each.provider, each.kind][each.day] = each
    return standing


def _over_until(now: datetime) -> datetime:
    """Return the moment before which days are over: the start of the day that may still be open."""
    return day_start(business_day(now - OVER_AFTER))


def _weeks(window: Window, standing: Mapping[date, CompletenessCertificate], over_until: datetime) -> list[Window]:
    """Return the weeks to look at, oldest first: those of the window's months, and earlier ones that are not complete."""
    months = _whole_months(window)
    asked = weeks_of(Window(min(months.start, over_until), min(months.end, over_until)))
    first_asked = asked[0].start if asked else over_until
    behind = _behind(standing, first_asked)
    return [*(Window(start, min(start + _A_WEEK, over_until)) for start in behind), *asked]


def _whole_months(window: Window) -> Window:
    """Return the window from the first of its first month to the last of its last: months are certified whole."""
    days = window.days()
    if not days:
        return window
    next_month = days[-1].replace(day=1) + timedelta(days=31)
    return Window(day_start(days[0].replace(day=1)), day_start(next_month.replace(day=1)))


def _behind(standing: Mapping[date, CompletenessCertificate], until: datetime) -> list[datetime]:
    """Return the first moments of the weeks before `until`, back to the first certificate, that have an incomplete day."""
    if not standing:
        return []
    looked_at: dict[datetime, tuple[datetime, ...]] = {}
    for day in Window(min(until, day_start(min(standing))), until).days():
        certified = standing.get(day)
        if certified is None or not certified.is_complete:
            monday = day_start(day - timedelta(days=day.weekday()))
            looked_at[monday] = (*looked_at.get(monday, ()), certified.certified_at if certified else monday)
    longest_ago = sorted(looked_at, key=lambda monday: (min(looked_at[monday]), monday))
    return sorted(longest_ago[:WEEKS_BEHIND_MAX])


def _certified(
    world: Reconciling, counterparty: Counterparty, kind: EntityKind, week: Window, now: datetime
) -> ReconciliationRun:
    work = Work(JOB, counterparty.capabilities.name, kind, week)
    return recorded(world, work, lambda by: _certify(world, counterparty, work, now, by))


def _certify(world: Reconciling, counterparty: Counterparty, work: Work, now: datetime, by: Sighting) -> Report:
    assert work.kind is not None and work.window is not None  # noqa: S101, PT018  _certified gives both
    listing = listed_in_pass(world, counterparty, work.kind, work.window)
    listed = listing.entities
    days = work.window.days()
    by_day = _by_day(found_of(world, (listed[key] for key in sorted(listed))), listed, days)
    certificates = tuple(
        certificate(DayListed(work.provider, work.kind, day, listing.as_of, by.run_id), by_day[day]) for day in days
    )
    missing = [each.key for found in by_day.values() for each in found if isinstance(each, Gap)]
    fetches = dict.fromkeys(listed[key].fetch for key in missing if world.can_fetch(listed[key].fetch))
    ask_for(world.ledger, fetches, JOB, now)
    _say_late(certificates, now)
    return Report(
        counts={
            "days": len(days),
            "listed": sum(each.listed for each in certificates),
            "gaps": sum(each.gap_count for each in certificates),
            "asked": len(fetches),
        },
        certificates=certificates,
        provider_as_of=listing.as_of,
        ledger_as_of=world.clock.now(),
    )


def _by_day(
    found: Iterable[Gap | Brought], listed: Mapping[EntityKey, Listed], days: Sequence[date]
) -> dict[date, list[Gap | Brought]]:
    """Return what was found, by the day of each entity. One that does not tell its instant counts for every day."""
    by_day: dict[date, list[Gap | Brought]] = {day: [] for day in days}
    for each in found:
        at_ms = listed[each.key].occurred_at_ms
        for day in days if at_ms is None else (business_day(from_ms(at_ms)),):
            if day in by_day:
                by_day[day].append(each)
    return by_day


def _say_late(certificates: Iterable[CompletenessCertificate], now: datetime) -> None:
    for each in certificates:
        if not each.is_complete and day_start(each.day + timedelta(days=1)) + LATE_AFTER <= now:
            log.error(
                "day incomplete",
                provider=each.provider,
                kind=each.kind.value,
                day=each.day.isoformat(),
                gaps=each.gap_count,
                first=str(each.gaps[0]),
            )


def _judged(each: Listed, told: _Told | None, digests: Mapping[str, str | None]) -> Gap | Brought:
    if told is None:
        return Gap(each.key, GapReason.NOT_TOLD)
    if told.version_at_ms < each.version_at_ms:
        return Gap(each.key, GapReason.TOLD_OLDER)
    digest = digests.get(told.object_name)
    return Gap(each.key, GapReason.NOT_KEPT) if digest is None else Brought(each.key, told.object_name, digest)


def _told(ledger: LedgerStore, keys: Collection[EntityKey]) -> dict[EntityKey, _Told]:
    """Return what was told last of each entity that is described."""
    entities = _snapshot(ledger, Touch(_NONE, _NONE, frozenset(keys))).entities
    latest = {
        key: max(stamp for _, stamp in entity.registers.values())
        for key, entity in entities.items()
        if not entity.is_awaited
    }
    marks = _snapshot(ledger, Touch(_NONE, frozenset(each.event_key for each in latest.values()), frozenset())).marks
    brought_by = {
        key: marks[stamp.event_key].contents[stamp.content_digest]
        for key, stamp in latest.items()
        if stamp.event_key in marks and stamp.content_digest in marks[stamp.event_key].contents
    }
    verdicts = _snapshot(ledger, Touch(frozenset(brought_by.values()), _NONE, frozenset())).verdicts
    names = {key: verdicts[each].object_name for key, each in brought_by.items() if each in verdicts}
    return {key: _Told(stamp.at_ms, names.get(key, "")) for key, stamp in latest.items()}


def _snapshot(ledger: LedgerStore, touch: Touch) -> Snapshot:
    """Return what the ledger holds of these keys: a transaction that writes nothing."""
    seen: list[Snapshot] = []

    def look(snapshot: Snapshot) -> Effects:
        seen.append(snapshot)
        return Effects()

    ledger.transact(touch, look)
    return seen[-1]


def _read_bodies(raw: RawStore, names: Collection[str], digests: dict[str, str | None]) -> None:
    """Read what is kept under these names and note the digest of each body; None for one that is not there."""
    wanted = sorted(name for name in names if name)
    try:
        digests.update({each.object_name: each.body_sha256 for each in raw.read_all(wanted)})
    except NotFoundError:
        digests.update({name: _body_digest(raw, name) for name in wanted})


def _body_digest(raw: RawStore, name: str) -> str | None:
    try:
        return raw.read(name).body_sha256
    except NotFoundError:
        return None
