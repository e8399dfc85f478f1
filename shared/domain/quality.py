"""Quality: series of hourly measures, what deviates from its baseline, and what people's decisions teach about that.

A series is one measure of one provider: deliveries of a channel, webhooks of a type, statements about tickets of a route,
and the parts of them that came late, were rejected, could not be read or depart from the contract; and the money that became
an exception. Which series there are is taken from the history, not from what arrives: silence has no rows.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from shared.domain.baseline import HOURS_A_WEEK, WEEKS, Totals, Usual, is_overdue, usual_count, usual_share
from shared.domain.decisions import Choice, Decision
from shared.domain.times import from_ms, to_ms

HISTORY_WEEKS = 2 * WEEKS
"""How far back measures are kept in mind: as long as a lesson holds, and the baseline that was then."""
DECIDED_FOR_H = 24
"""For how long a decision that settles is the last word on what deviates, whatever it is."""
COVERED_H_MAX = 24
"""How many hours after an anomaly began an acceptance of it speaks of at most."""
LATE_S: Mapping[str, int] = {"1m": 60, "10m": 600, "1h": 3600, "6h": 21600}
"""From how many seconds after its event on a webhook counts as late, by name."""

_HOUR_MS = 3_600_000
_HOUR_FORM = "%Y-%m-%dT%H"


class Measure(StrEnum):
    """What is counted in an hour, of one provider. What the detail of a series is, follows each."""

    VOLUME = "volume"
    """Kept deliveries, by channel."""
    EVENT = "event"
    """Webhooks, by event type."""
    ROUTE = "route"
    """Deliveries that state something of a ticket, by route."""
    LATE = "late"
    """Webhooks that came so long after their event, by the least delay."""
    REJECTED = "rejected"
    """Deliveries that the door rejected, by reason."""
    UNREADABLE = "unreadable"
    """Kept deliveries that cannot be read with certainty, by reason."""
    DRIFT = "drift"
    """Kept deliveries that depart from the pinned contract, by event type, field and way."""
    UNMATCHED = "unmatched"
    """Money at risk in what became an exception, in minor units, by currency."""
    KEPT = "kept"
    """All kept deliveries."""
    ARRIVED = "arrived"
    """Webhooks that were kept, and all that was rejected."""
    MONEY = "money"
    """Money that payments stated, in minor units, by currency."""


class Deviation(StrEnum):
    """In which way a series is not as usual."""

    SILENT = "silent"
    LOW = "low"
    HIGH = "high"


_COUNTS = (Measure.VOLUME, Measure.EVENT, Measure.ROUTE)
"""Measures that are watched by themselves, both ways; parts are watched for growing; wholes are what parts are parts of."""
_SPANS_H = (1, 3, 24)
_MONEY_SPANS_H = (24,)


class Series(NamedTuple):
    """One measure of one provider, in one detail. Its text names it in records, subjects and tables."""

    measure: Measure
    provider: str
    detail: str = ""

    def __str__(self) -> str:
        """Return the one-line form."""
        return " ".join(filter(None, self))

    @classmethod
    def parse(cls, text: str) -> "Series":
        """Return the series of a one-line form; raise ValueError where it is none."""
        measure, provider, *detail = text.split(" ", 2)
        return cls(Measure(measure), provider, *detail)

    @property
    def whole(self) -> "Series | None":
        """Return what this is a part of; None for what is watched by itself, and for what nothing is expected of."""
        match self.measure:
            case Measure.LATE:
                return Series(Measure.VOLUME, self.provider, "webhook")
            case Measure.REJECTED:
                return Series(Measure.ARRIVED, self.provider)
            case Measure.UNREADABLE | Measure.DRIFT:
                return Series(Measure.KEPT, self.provider)
            case Measure.UNMATCHED:
                return Series(Measure.MONEY, self.provider, self.detail)
        return None

    @property
    def spans_h(self) -> tuple[int, ...]:
        """Return over how many hours it is compared; none where it is only a whole."""
        if self.measure is Measure.UNMATCHED:
            return _MONEY_SPANS_H
        return _SPANS_H if self.measure in _COUNTS or self.whole is not None else ()


def hour_of(instant: datetime) -> int:
    """Return the hour of an instant, counted from the epoch."""
    return to_ms(instant) // _HOUR_MS


def hour_start(hour: int) -> datetime:
    """Return the UTC instant at which an hour starts."""
    return from_ms(hour * _HOUR_MS)


class History:
    """What was measured, hour by hour, from an hour on: so memory is bounded by weeks and by the series of an hour."""

    def __init__(self, since: int) -> None:
        """Start with nothing; what is older than `since` is not taken."""
        self.since = since
        self.hours: set[int] = set()
        self._counts: dict[Series, dict[int, int]] = defaultdict(dict)

    def add(self, hour: int, counts: Mapping[Series, int]) -> None:
        """Enter all that was measured in an hour; measuring it again gives the same."""
        if hour < self.since:
            return
        self.hours.add(hour)
        for series, count in counts.items():
            self._counts[series][hour] = count

    def series(self) -> list[Series]:
        """Return every series that is watched, in order."""
        return sorted(series for series in self._counts if series.spans_h)

    def measured(self) -> list[int]:
        """Return the hours that were measured, in order."""
        return sorted(self.hours)

    def totals(self, series: Series, measured: list[int]) -> Totals:
        """Return the counts of a series, ready to be summed."""
        return Totals(self._counts.get(series, {}), measured)


def records(hour: int, counts: Mapping[Series, int]) -> dict[str, int]:
    """Return an hour's measures as a run keeps them among its counts; an hour in which nothing came is kept too."""
    prefix = f"{hour_start(hour):{_HOUR_FORM}}"
    return {prefix: 1, **{f"{prefix} {series}": count for series, count in counts.items()}}


def is_record(name: str) -> bool:
    """Return whether a run's count is a measure of an hour."""
    return name[:4].isdigit()


def remember(history: History, counts: Mapping[str, int]) -> None:
    """Enter into a history what a run measured."""
    hours: dict[int, dict[Series, int]] = defaultdict(dict)
    for name, count in counts.items():
        if is_record(name):
            prefix, _, series = name.partition(" ")
            measures = hours[_hour_from(prefix)]
            if series:
                measures[Series.parse(series)] = count
    for hour, measures in hours.items():
        history.add(hour, measures)


def _hour_from(text: str) -> int:
    return hour_of(datetime.strptime(text, _HOUR_FORM).replace(tzinfo=UTC))


# Anomalies


class Anomaly(NamedTuple):
    """A series that is not as usual in the hours before `end`."""

    series: Series
    deviation: Deviation
    end: int
    hours: int
    usual: Usual

    @property
    def what(self) -> tuple[Series, Deviation]:
        """Return what deviates in which way."""
        return self.series, self.deviation


class Lesson(NamedTuple):
    """What a person decided about an anomaly: which one, since when, when that was, and whether it is right as it is."""

    series: Series
    deviation: Deviation
    since: int
    decided: int
    is_accepted: bool


def subject_of(series: Series, deviation: Deviation, since: int) -> str:
    """Return the subject of the exception about an anomaly: it says all that a decision needs to teach."""
    return f"{series} {deviation} since {hour_start(since):{_HOUR_FORM}}"


def parts_of(subject: str) -> tuple[Series, Deviation, int]:
    """Return series, deviation and first hour from the subject of an anomaly; raise ValueError where it is none."""
    rest, _, since = subject.rpartition(" since ")
    series, _, deviation = rest.rpartition(" ")
    return Series.parse(series), Deviation(deviation), _hour_from(since)


def lesson_of(subject: str, decision: Decision) -> Lesson | None:
    """Return what a decision about an anomaly teaches; None where it settles nothing."""
    if not decision.choice.settles:
        return None
    return Lesson(*parts_of(subject), hour_of(decision.decided_at), is_accepted=decision.choice is Choice.ACCEPT)


class Watch:
    """A history that is looked at, with what people taught about it. `checks` counts comparisons with a baseline."""

    def __init__(self, history: History, lessons: Iterable[Lesson] = ()) -> None:
        """Take what was measured and what was decided."""
        self._history = history
        self._measured = history.measured()
        self._lessons: dict[tuple[Series, Deviation], list[Lesson]] = defaultdict(list)
        for lesson in lessons:
            self._lessons[lesson.series, lesson.deviation].append(lesson)
        self.checks = 0

    def anomalies(self, ends: Collection[int]) -> Iterator[Anomaly]:
        """Yield what is not as usual in the hours before any of these ends, once: as it was at the latest.

        What follows from another anomaly is left out: one cause, one anomaly.
        """
        found: dict[tuple[Series, Deviation], list[Anomaly]] = defaultdict(list)
        for end, series, usual, hours in self.compared(ends):
            deviation = _deviation(usual)
            if deviation is not None:
                found[series, deviation].append(Anomaly(series, deviation, end, hours, usual))
        for what, anomalies in sorted(found.items()):
            told = next((each for each in anomalies if not self._is_excused(each)), None)
            # What follows from an excused anomaly is excused with it.
            if told is not None and not _follows(*what, found):
                yield told

    def compared(self, ends: Collection[int]) -> Iterator[tuple[int, Series, Usual, int]]:
        """Yield each comparison of each series with its baseline, the latest end first: end, series, what is usual, hours."""
        for series in self._history.series():
            part = self._totals(series)
            whole = self._totals(series.whole) if series.whole else None
            for end in sorted(ends, reverse=True):
                for hours in series.spans_h:
                    usual = _usual(series, part, whole, end, hours)
                    if usual is not None:
                        self.checks += 1
                        yield end, series, usual, hours
                if whole is None and is_overdue(part, end):
                    quiet = end - part.active[-1] - 1
                    yield end, series, Usual(0, 1, 1, 1), quiet

    def _totals(self, series: Series) -> Totals:
        return self._history.totals(series, self._measured)

    def _is_excused(self, anomaly: Anomaly) -> bool:
        """Return whether a person has said of it, or of the like, that it is right, or has just decided about it."""
        return any(
            lesson.decided <= anomaly.end <= lesson.decided + DECIDED_FOR_H
            or (lesson.is_accepted and lesson.decided <= anomaly.end <= lesson.decided + WEEKS * HOURS_A_WEEK
                and self._is_like(anomaly, lesson))
            for lesson in self._lessons.get(anomaly.what, ())
        )  # fmt: skip

    def _is_like(self, anomaly: Anomaly, lesson: Lesson) -> bool:
        """Return whether an anomaly is no worse than what was accepted; a silence is by its hours of the week."""
        last = min(lesson.decided, lesson.since + COVERED_H_MAX)
        ends = range(lesson.since + 1, last + 2)
        if anomaly.deviation is Deviation.SILENT:
            return any(abs((anomaly.end - end) % HOURS_A_WEEK) in (0, 1, HOURS_A_WEEK - 1) for end in ends)
        part = self._totals(anomaly.series)
        whole = self._totals(anomaly.series.whole) if anomaly.series.whole else None
        taught = (_usual(anomaly.series, part, whole, end, hours) for end in ends for hours in anomaly.series.spans_h)
        return any(each is not None and _is_no_worse(anomaly, each) for each in taught)


def _usual(series: Series, part: Totals, whole: Totals | None, end: int, hours: int) -> Usual | None:
    if whole is None:
        return usual_count(part, end, hours)
    return usual_share(part, whole, end, hours, is_money=series.measure is Measure.UNMATCHED)


def _deviation(usual: Usual) -> Deviation | None:
    if usual.observed > usual.most:
        return Deviation.HIGH
    if usual.observed >= usual.least:
        return None
    return Deviation.LOW if usual.observed else Deviation.SILENT


def _is_no_worse(anomaly: Anomaly, accepted: Usual) -> bool:
    """Return whether it is as many times the usual as was accepted, a quarter and the scatter of its own hours spared."""
    now, then = anomaly.usual, accepted
    taught = then.observed * max(now.usual, 1)
    if anomaly.deviation is Deviation.HIGH:
        return 4 * (now.observed - (now.most - now.usual)) * max(then.usual, 1) <= 5 * taught
    return 4 * (now.observed + (now.usual - now.least)) * max(then.usual, 1) >= 3 * taught


def _follows(series: Series, deviation: Deviation, found: Collection[tuple[Series, Deviation]]) -> bool:
    """Return whether an anomaly is a part of another one that is told."""
    provider = series.provider
    if deviation is Deviation.LOW and (series, Deviation.SILENT) in found:
        return True
    match series.measure:
        case Measure.EVENT | Measure.ROUTE:
            alike = (Deviation.HIGH,) if deviation is Deviation.HIGH else (Deviation.SILENT, Deviation.LOW)
            return any((Series(Measure.VOLUME, provider, "webhook"), each) in found for each in alike)
        case Measure.LATE:
            later = list(LATE_S)[list(LATE_S).index(series.detail) + 1 :]
            return any((Series(Measure.LATE, provider, each), deviation) in found for each in later)
        case Measure.UNREADABLE:
            return any(each.measure is Measure.DRIFT and each.provider == provider for each, _ in found)
    return False


class Counting:
    """The count of one hour in progress. Past a bound new details count as `other`: a sender who makes up names fills nothing."""

    def __init__(self, series_max: int) -> None:
        """Start with nothing."""
        self._series_max = series_max
        self.counts: Counter[Series] = Counter()

    def add(self, measure: Measure, provider: str, detail: str = "", count: int = 1) -> None:
        """Count something."""
        series = Series(measure, provider, detail[:100])
        if series not in self.counts and len(self.counts) >= self._series_max:
            series = series._replace(detail="other" if detail else "")
        self.counts[series] += count
