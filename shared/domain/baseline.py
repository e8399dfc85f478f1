"""The baseline of a series: what is usual at this hour of the week, learned from the weeks before, in integers.

The level is the median of the same hours of earlier weeks. How far one may be off is learned too: the median deviation from
the level, over those hours and the twelve on either side, in roots of the level, for that is how counts scatter. It takes
more than half of all weeks to be wrong before either follows them.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from math import isqrt
from typing import NamedTuple

HOURS_A_WEEK = 168
WEEKS = 8
"""How many earlier weeks a baseline is learned from."""
WEEKS_MIN = 4
"""With fewer weeks there is no baseline: the series is being learned."""
DEVIATIONS = 6
"""How many robust standard deviations off is too far."""
FEW = 8
"""So many more or less of anything are never an anomaly."""
STEADY_MIN = 25
"""Where there were as many in three of four weeks, in the same hours and the hours beside them, none at all is silence."""
LEVEL_MIN = 9
"""Counts scatter at least as those of this level do: of few things that come in bursts, many may come at once."""
ARRIVALS_MIN = 20
"""In how many hours a rare series must have spoken before its pauses are known."""
PAUSES_LONGER = 3
"""How many times its longest pause a rare series may be silent, and ..."""
PAUSE_MORE = 6
"""... so many hours more."""
MONEY_PARTS = 100
"""Of money, less than a hundredth of what moved is never an anomaly."""

_AROUND = 12
_BESIDE = range(-_AROUND, _AROUND + 1, 3)
_PARTS = 1_000_000


class Usual(NamedTuple):
    """What was observed of a span of hours, what is usual there, and between what it is as usual, both ends included."""

    observed: int
    usual: int
    least: int
    most: int


class Totals:
    """The hourly counts of a series, ready to be summed. Hours are counted from the epoch; what was not measured is no zero."""

    def __init__(self, counts: Mapping[int, int], measured: Sequence[int]) -> None:
        """Take the counts that are not zero and every hour that was measured, in order."""
        self.active = sorted(hour for hour in counts if counts[hour])
        self._first = measured[0] if measured else 0
        span = range(self._first, measured[-1] + 1) if measured else range(0)
        known = set(measured)
        self._sums = [0, *accumulate(counts.get(hour, 0) for hour in span)]
        self._known = [0, *accumulate(int(hour in known) for hour in span)]

    def total(self, end: int, hours: int, since: int = 0) -> int | None:
        """Return the total of so many hours before `end`; None where one was not measured or lies before `since`."""
        start, stop = end - hours - self._first, end - self._first
        if (
            start < 0
            or stop >= len(self._sums)
            or end - hours < since
            or self._known[stop] - self._known[start] < hours
        ):
            return None
        return self._sums[stop] - self._sums[start]

    def weeks(self, end: int, hours: int, since: int = 0) -> list[int]:
        """Return the totals of the same hours in the earlier weeks, as far as they were measured."""
        totals = (self.total(end - week * HOURS_A_WEEK, hours, since) for week in range(1, WEEKS + 1))
        return [total for total in totals if total is not None]


def usual_count(series: Totals, end: int, hours: int) -> Usual | None:
    """Return what is usual of a count in the hours before `end`; None while it is learned."""
    observed, since = series.total(end, hours), series.active[0] if series.active else end
    weeks = series.weeks(end, hours, since)
    if observed is None or len(weeks) < WEEKS_MIN:
        return None
    level = _median(weeks)
    scatter = max(1000, _robust(_scatters(series, end, hours, since)))
    slack = max(DEVIATIONS * scatter * _root(max(level, LEVEL_MIN)) // _PARTS, level // 2) + FEW
    least = max(0, level - slack)
    return Usual(observed, level, max(least, 1) if _is_steady(series, end, hours, since) else least, level + slack)


def usual_share(part: Totals, whole: Totals, end: int, hours: int, *, is_money: bool = False) -> Usual | None:
    """Return what is usual of a part of something in the hours before `end`, given how much of it there was; None while learned.

    A part may always be smaller. Its share in an earlier week is taken over the same hours and twelve on either side.
    """
    observed, there = part.total(end, hours), whole.total(end, hours)
    shares = list(_shares(part, whole, end, hours))
    if observed is None or there is None or len(shares) < WEEKS_MIN:
        return None
    share = _median(shares)
    scatter = _robust([abs(each - share) for each in shares])
    usual = there * share // _PARTS
    slack = max(DEVIATIONS * scatter * there // _PARTS, usual // 2)
    slack = max(slack, there // MONEY_PARTS) if is_money else max(slack, DEVIATIONS * _root(usual) // 1000) + FEW
    return Usual(observed, usual, 0, usual + slack)


def is_overdue(series: Totals, end: int) -> bool:
    """Return whether a series has been silent for much longer than ever: for those too rare to be missed in any hour."""
    active = series.active[: bisect_left(series.active, end)]
    if len(active) < ARRIVALS_MIN or end - active[0] < WEEKS_MIN * HOURS_A_WEEK:
        return False
    longest = max(later - earlier for earlier, later in pairwise(active)) - 1
    quiet = end - active[-1] - 1
    return quiet > PAUSES_LONGER * longest + PAUSE_MORE and series.total(end, quiet) == 0


def _scatters(series: Totals, end: int, hours: int, since: int) -> list[int]:
    """Return how far each hour around was off its own level, in thousandths of the root of the level."""
    found: list[int] = []
    for beside in _BESIDE:
        weeks = series.weeks(end + beside, hours, since)
        level = _median(weeks) if weeks else 0
        found += [abs(each - level) * _PARTS // _root(max(level, 1)) for each in weeks]
    return found


def _shares(part: Totals, whole: Totals, end: int, hours: int) -> Iterator[int]:
    for week in range(1, WEEKS + 1):
        around, length = end - week * HOURS_A_WEEK + _AROUND, hours + 2 * _AROUND
        some, there = part.total(around, length), whole.total(around, length)
        if some is not None and there:
            yield some * _PARTS // there


def _is_steady(series: Totals, end: int, hours: int, since: int) -> bool:
    around = sorted(chain.from_iterable(series.weeks(end + beside, hours, since) for beside in (-1, 0, 1)))
    return around[len(around) // 4] >= STEADY_MIN


def _median(values: Iterable[int]) -> int:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


def _robust(deviations: Sequence[int]) -> int:
    """Return the median of absolute deviations as the standard deviation that it would be of a normal scatter."""
    return _median(deviations) * 1483 // 1000 if deviations else 0


def _root(value: int) -> int:
    """Return a thousand roots of a value."""
    return isqrt(value * _PARTS)
