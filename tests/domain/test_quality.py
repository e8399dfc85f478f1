"""Asiento knows what is usual at each hour of the week, says what is not by its right name, and learns from people."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

import pytest

from shared.domain.baseline import ARRIVALS_MIN, HOURS_A_WEEK, WEEKS_MIN, Totals, is_overdue, usual_count
from shared.domain.decisions import Choice, Decision
from shared.domain.quality import (
    Anomaly,
    Counting,
    Deviation,
    History,
    Lesson,
    Measure,
    Series,
    Watch,
    hour_of,
    hour_start,
    is_record,
    lesson_of,
    parts_of,
    records,
    remember,
    subject_of,
)

SEEDS = (1, 2, 3)
START = hour_of(datetime(2026, 1, 5, 3, tzinfo=UTC))
"""A Monday, midnight in Buenos Aires."""
WEEKS = 13
END = START + WEEKS * HOURS_A_WEEK
WATCHED_WEEKS = 4
HAPPENS = END - 4 * 24 + 15
"""Thursday of the last week, three in the afternoon."""

EVENTS = {"sale.created": 50, "ticket.created": 30, "sale.canceled": 15, "manifest.updated": 5}
ROUTES = {"north": 60, "south": 30, "west": 10}
SALES_A_DAY_HOUR = 60

Hours = dict[int, dict[Series, int]]
Change = Callable[[Hours], None]


def series(measure: Measure, detail: str = "") -> Series:
    """Return a series of the platform."""
    return Series(measure, "betterez", detail)


WEBHOOKS = series(Measure.VOLUME, "webhook")


def season(seed: int) -> Hours:
    """Draw thirteen weeks: busy days, quiet nights, full Fridays, sales in bursts, some webhooks late, odd ones rejected."""
    print(f"seed {seed}")  # noqa: T201  shown with a failure
    return {hour: dict(counts) for hour, counts in _drawn(seed).items()}


@cache
def _drawn(seed: int) -> Hours:
    random = Random(seed)  # noqa: S311  a seeded test, no secret
    return {hour: _hour(random, hour) for hour in range(START, END)}


def _hour(random: Random, hour: int) -> dict[Series, int]:
    expected = _expected_sales(hour)
    sales = max(0, round(random.gauss(expected, expected**0.5)))
    webhooks = sum(random.choices((1, 1, 2, 2, 3, 4), k=sales))
    of_event = Counter(random.choices(list(EVENTS), list(EVENTS.values()), k=webhooks))
    of_route = Counter(random.choices(list(ROUTES), list(ROUTES.values()), k=webhooks))
    counts = {
        WEBHOOKS: webhooks,
        series(Measure.KEPT): webhooks,
        series(Measure.ARRIVED): webhooks,
        series(Measure.MONEY, "ARS"): webhooks * 1_500_000,
        series(Measure.LATE, "1m"): _one_in(random, 50, webhooks),
        series(Measure.REJECTED, "signature_mismatch"): _one_in(random, 400, webhooks),
        series(Measure.UNMATCHED, "ARS"): _one_in(random, 3000, webhooks) * 1_500_000,
        Series(Measure.VOLUME, "bank", "file"): int(hour % 24 == START % 24),
        **{series(Measure.EVENT, name): count for name, count in of_event.items()},
        **{series(Measure.ROUTE, name): count for name, count in of_route.items()},
    }
    return {each: count for each, count in counts.items() if count}


def _expected_sales(hour: int) -> int:
    of_day, of_week = (hour - START) % 24, (hour - START) // 24 % 7
    by_day = SALES_A_DAY_HOUR if 9 <= of_day < 22 else 3
    return by_day * (15 if of_week == 4 else 10) // 10


def _one_in(random: Random, many: int, of: int) -> int:
    return sum(random.randrange(many) == 0 for _ in range(of))


def watch(hours: Hours, *lessons: Lesson, until: int = END) -> Watch:
    """Watch what was measured until an hour, excluded."""
    history = History(START)
    for hour, counts in hours.items():
        if hour < until:
            history.add(hour, counts)
    return Watch(history, lessons)


def told(hours: Hours, *lessons: Lesson, at: int) -> list[str]:
    """Return what is told in the run after an hour."""
    return [" ".join(map(str, each.what)) for each in watch(hours, *lessons, until=at + 1).anomalies([at + 1])]


def decided(choice: Choice, at: int) -> Decision:
    """Return a decision at the start of an hour."""
    return Decision("0" * 64, choice, "known", "mlopez", hour_start(at), "0" * 64, None)


# What goes wrong: from an hour on, for some hours, what is measured is changed.


def silence(counts: dict[Series, int]) -> None:
    """The platform says nothing."""
    for each in [each for each in counts if each.provider == "betterez"]:
        del counts[each]


def twice(counts: dict[Series, int]) -> None:
    """All comes twice."""
    counts.update({each: 2 * count for each, count in counts.items()})


def late(counts: dict[Series, int]) -> None:
    """Every fourth webhook is more than ten minutes late."""
    counts[series(Measure.LATE, "1m")] = counts[series(Measure.LATE, "10m")] = counts[WEBHOOKS] // 4


def rejected(counts: dict[Series, int]) -> None:
    """Every fifth call is rejected."""
    counts[series(Measure.REJECTED, "signature_mismatch")] = counts[series(Measure.ARRIVED)] // 5


def drifting(counts: dict[Series, int]) -> None:
    """A field comes with another type, and what has it cannot be read."""
    many = counts[series(Measure.EVENT, "sale.created")]
    counts[series(Measure.DRIFT, "sale.created total changed type")] = many
    counts[series(Measure.UNREADABLE, "off_contract")] = many


def route_stops(counts: dict[Series, int]) -> None:
    """Nothing is told of a route."""
    counts.pop(series(Measure.ROUTE, "north"), None)


def event_stops(counts: dict[Series, int]) -> None:
    """The platform forgets one type of event."""
    counts.pop(series(Measure.EVENT, "sale.canceled"), None)


def unmatched(counts: dict[Series, int]) -> None:
    """A tenth of all money becomes an exception."""
    counts[series(Measure.UNMATCHED, "ARS")] = counts[series(Measure.MONEY, "ARS")] // 10


TROUBLES: dict[str, tuple[Callable[[dict[Series, int]], None], int, str]] = {
    "silent for three hours": (silence, 3, "volume betterez webhook silent"),
    "volume doubles": (twice, 3, "volume betterez webhook high"),
    "lateness grows": (late, 1, "late betterez 10m high"),
    "rejections rise": (rejected, 1, "rejected betterez signature_mismatch high"),
    "a field drifts": (drifting, 1, "drift betterez sale.created total changed type high"),
    "a route stops": (route_stops, 3, "route betterez north silent"),
    "a type of event stops": (event_stops, 6, "event betterez sale.canceled silent"),
    "money does not match": (unmatched, 6, "unmatched betterez ARS high"),
}
"""Each trouble: what it changes, after how many hours at most it is told, and as what."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clean_season_raises_no_alarm(seed: int) -> None:
    """Asiento compares every hour of four clean weeks with its baseline and says nothing."""
    watching = watch(season(seed))
    anomalies = list(watching.anomalies(range(END - WATCHED_WEEKS * HOURS_A_WEEK + 1, END + 1)))
    print(f"{watching.checks:,} checks")  # noqa: T201  shown with a failure
    assert [str(each) for each in anomalies] == []
    assert watching.checks > 20_000


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_told_by_its_name(trouble: str, seed: int) -> None:
    """Asiento tells each trouble by one name, and nothing else, by the run in which it must be seen."""
    change, within_h, name = TROUBLES[trouble]
    hours = season(seed)
    for hour in range(HAPPENS, HAPPENS + within_h):
        change(hours[hour])
    assert told(hours, at=HAPPENS + within_h - 1) == [name]


def test_rare_files_that_stop_are_missed() -> None:
    """Asiento misses a file that came once a day, though no hour and no day of it can show that it is gone."""
    hours = season(1)
    for hour in range(HAPPENS - 5 * 24, END):
        hours[hour].pop(Series(Measure.VOLUME, "bank", "file"), None)
    assert told(hours, at=HAPPENS - 3 * 24) == []
    assert told(hours, at=HAPPENS) == ["volume bank file silent"]


def test_pauses_of_rare_series_are_their_own() -> None:
    """Asiento calls nothing overdue that has spoken too seldom for its pauses to be known."""
    measured = range(END)
    seldom = {week * HOURS_A_WEEK: 1 for week in range(ARRIVALS_MIN - 1)}
    often = {week * HOURS_A_WEEK: 1 for week in range(ARRIVALS_MIN)}
    assert not is_overdue(Totals(seldom, measured), END)
    assert is_overdue(Totals(often, measured), END)


def test_a_new_series_is_learned_first() -> None:
    """Asiento judges no count before it has seen the same hours in four weeks."""
    weeks = dict.fromkeys(range(START, START + (WEEKS_MIN + 1) * HOURS_A_WEEK), 100)
    measured = sorted(weeks)
    assert usual_count(Totals(weeks, measured), START + WEEKS_MIN * HOURS_A_WEEK, 1) is None
    usual = usual_count(Totals(weeks, measured), START + WEEKS_MIN * HOURS_A_WEEK + 1, 1)
    assert usual is not None
    assert (usual.observed, usual.usual, usual.least, usual.most) == (100, 100, 32, 168)


def test_hours_that_were_not_measured_are_no_zeros() -> None:
    """Asiento takes a week in which it was not there for nothing, not for silence."""
    counts = {hour: 100 for hour in range(START, END) if hour // HOURS_A_WEEK % 3}
    totals = Totals(counts, sorted(counts))
    usual = usual_count(totals, max(counts) + 1, 1)
    assert usual is not None
    assert usual.usual == 100
    assert totals.total(max(counts) + 2, 1) is None


def test_two_bad_weeks_of_eight_do_not_become_usual() -> None:
    """Asiento keeps its baseline through outages in the same hours of two weeks."""
    hours = season(2)
    for week in (1, 3):
        for hour in range(HAPPENS - week * HOURS_A_WEEK, HAPPENS - week * HOURS_A_WEEK + 3):
            silence(hours[hour])
    assert told(hours, at=HAPPENS + 2) == []
    for hour in range(HAPPENS, HAPPENS + 3):
        silence(hours[hour])
    assert told(hours, at=HAPPENS + 2) == ["volume betterez webhook silent"]


def doubled_for_ever() -> Hours:
    """Return a season of which the last four days have twice the volume."""
    hours = season(3)
    for hour in range(HAPPENS, END):
        twice(hours[hour])
    return hours


def test_accepting_teaches() -> None:
    """Asiento takes what was accepted for usual, at other hours too, and tells what is worse than that."""
    hours = doubled_for_ever()
    subject = subject_of(WEBHOOKS, Deviation.HIGH, HAPPENS)
    accepted = lesson_of(subject, decided(Choice.ACCEPT, HAPPENS + 4))
    assert accepted == Lesson(WEBHOOKS, Deviation.HIGH, HAPPENS, HAPPENS + 4, is_accepted=True)
    two_days_later = HAPPENS + 2 * 24
    assert "volume betterez webhook high" in told(hours, at=two_days_later)
    assert "volume betterez webhook high" not in told(hours, accepted, at=two_days_later)
    for _ in range(2):
        twice(hours[two_days_later])
    assert "volume betterez webhook high" in told(hours, accepted, at=two_days_later)


def test_writing_off_teaches_nothing() -> None:
    """Asiento is quiet for a day about what was written off, and then tells the like again."""
    hours = doubled_for_ever()
    lesson = lesson_of(subject_of(WEBHOOKS, Deviation.HIGH, HAPPENS), decided(Choice.WRITE_OFF, HAPPENS + 4))
    assert lesson is not None
    assert "volume betterez webhook high" not in told(hours, lesson, at=HAPPENS + 6)
    assert "volume betterez webhook high" in told(hours, lesson, at=HAPPENS + 2 * 24)


def test_an_assignment_teaches_nothing() -> None:
    """Asiento takes an acceptance back when the anomaly is assigned to somebody afterwards."""
    assert lesson_of(subject_of(WEBHOOKS, Deviation.HIGH, HAPPENS), decided(Choice.ASSIGN, HAPPENS)) is None


def test_an_accepted_silence_is_accepted_at_its_hours_only() -> None:
    """Asiento lets a provider be silent again at the hours of the week that were accepted, and at no others."""
    hours = season(3)
    week_before = HAPPENS - HOURS_A_WEEK
    for start in (week_before, HAPPENS, HAPPENS + 24):
        for hour in range(start, start + 3):
            silence(hours[hour])
    subject = subject_of(WEBHOOKS, Deviation.SILENT, week_before)
    lesson = lesson_of(subject, decided(Choice.ACCEPT, week_before + 3))
    assert lesson is not None
    assert "volume betterez webhook silent" not in told(hours, lesson, at=HAPPENS + 2)
    assert "volume betterez webhook silent" in told(hours, lesson, at=HAPPENS + 24 + 2)


def test_a_record_is_read_as_it_was_written() -> None:
    """Asiento remembers from a run's counts what was measured, hours without anything included, and nothing else."""
    hours = season(1)
    hours[START] = {}
    history = History(START)
    for hour, counts in hours.items():
        remember(history, {"exceptions": 3, **records(hour, counts)})
    remembered, direct = Watch(history), watch(hours)
    ends = [END - 5, END]
    assert list(remembered.compared(ends)) == list(direct.compared(ends))
    assert history.measured() == sorted(hours)
    assert [is_record(name) for name in ("2026-01-05T03", "2026-01-05T03 kept x", "checks")] == [True, True, False]


def test_memory_is_bounded() -> None:
    """Asiento keeps no more series of an hour than its bound, whatever names come, and forgets what is older than its weeks."""
    counting = Counting(10)
    for number in range(1000):
        counting.add(Measure.DRIFT, "betterez", f"field {number} unknown field" * 20)
    assert len(counting.counts) == 11
    assert sum(counting.counts.values()) == 1000
    assert max(len(each.detail) for each in counting.counts) == 100
    history = History(START)
    history.add(START - 1, counting.counts)
    assert (history.hours, history.series()) == (set(), [])


@pytest.mark.parametrize(
    "each",
    [WEBHOOKS, series(Measure.KEPT), series(Measure.DRIFT, "sale.created a since b changed type")],
    ids=str,
)
def test_a_subject_says_all_that_teaches(each: Series) -> None:
    """Asiento reads series, deviation and hour back from the subject of an exception."""
    subject = subject_of(each, Deviation.SILENT, HAPPENS)
    assert parts_of(subject) == (each, Deviation.SILENT, HAPPENS)
    assert subject.endswith(f"silent since {hour_start(HAPPENS):%Y-%m-%dT%H}")


def test_an_anomaly_names_its_numbers() -> None:
    """Asiento says what was observed, what is usual, and between what it would have been as usual."""
    hours = season(1)
    twice(hours[HAPPENS])
    twice(hours[HAPPENS - 1])
    twice(hours[HAPPENS - 2])
    (found,) = watch(hours, until=HAPPENS + 1).anomalies([HAPPENS + 1])
    assert isinstance(found, Anomaly)
    assert found.usual.most < found.usual.observed
    assert found.usual.least <= found.usual.usual <= found.usual.most
    assert hour_start(found.end) == hour_start(HAPPENS) + timedelta(hours=1)
