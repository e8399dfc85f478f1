"""The arithmetic of docs/cost.md: measured operations, times what a month works on, times a dated list of prices.

A step's operations are divided by the deliveries of the measured season and multiplied by the deliveries that the step works
on in a month: each once, or, for a job, those of its window in every run of its schedule. All of it is exact.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from shared.domain.times import Window
from shared.pipeline.reconcile import JOBS
from shared.pipeline.reconciliation.transactions import weeks_of

ROOT = Path(__file__).resolve().parent.parent
COUNTS = ROOT / "docs" / "operations.json"
PRICES = ROOT / "docs" / "prices.yaml"
SCHEDULE = ROOT / "infra" / "terraform" / "scheduler.tf"

DAYS = 30
"""The days of a month here."""
_GIB = 1024**3
_MESSAGE_BYTES = 1000
"""What Pub/Sub bills at least; an announcement is smaller, and is counted as a request of its own."""
_DAY_MS = 86_400_000
EACH = ("receive", "derive", "fetches", "seal")
"""What is done once for each delivery."""
_HOURS = 24 * DAYS
_BY_THE_HOUR: Mapping[str, Mapping[str, int]] = {"seal": {"storage_class_a": 2}, "rebuild_bi": {"storage_class_b": 2}}
"""What a step asks for once for each sealed hour, however much came in it: a segment and its seal."""

Units = dict[str, Fraction]
"""Billed unit to how many."""


@dataclass(frozen=True, slots=True)
class Run:
    """One scheduled job: what it starts, how many days it looks back, and how often it runs in a month."""

    job: str
    days: int
    runs: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that the page is computed from."""

    counts: Mapping[str, Any]
    prices: Mapping[str, Mapping[str, Any]]
    assumed: Mapping[str, int]
    schedule: tuple[Run, ...]
    as_of: date
    region: str

    @classmethod
    def read(cls) -> "Inputs":
        """Read the committed counts, the prices and the schedule that is deployed."""
        table = yaml.safe_load(PRICES.read_text(encoding="utf-8"))
        return cls(
            json.loads(COUNTS.read_text(encoding="utf-8")),
            table["prices"],
            table["assumptions"],
            tuple(scheduled(SCHEDULE.read_text(encoding="utf-8"))),
            table["as_of"],
            table["region"],
        )

    @property
    def measured(self) -> int:
        """Return how many deliveries the measured season kept."""
        return int(self.counts["webhooks"]) + int(self.counts["fetches"])

    @property
    def deliveries(self) -> Fraction:
        """Return how many deliveries a month keeps."""
        return Fraction(self.assumed["tickets_a_month"] * self.measured, self.counts["tickets"])

    def usd(self, units: Units) -> Fraction:
        """Return what units cost."""
        return sum(
            (count * Fraction(self.prices[unit]["usd"]) / self.prices[unit]["per"] for unit, count in units.items()),
            Fraction(0),
        )


def scheduled(terraform: str) -> Iterator[Run]:
    """Yield the jobs of scheduler.tf; the nightly pass is every job of reconcile."""
    found = re.findall(
        r'function = "(\w+)"\s+schedule = "([^"]+)"\s+body\s+= \{(?: job = "(\w+)", days = (\d+) )?\}', terraform
    )
    for function, cron, job, days in found:
        for name in [each.name for each in JOBS] if job == "all" else [job or function]:
            yield Run(name, int(days or 0), runs_a_month(cron))


def runs_a_month(cron: str) -> int:
    """Return how often a schedule comes up in a month; raises ValueError for one that is not for every day."""
    minutes, hours, *rest = cron.split()
    if rest != ["*", "*", "*"]:
        raise ValueError(f"the schedule {cron!r} is not for every day; teach scripts/cost.py to count it")
    return _values(minutes, 60) * _values(hours, 24) * DAYS


def _values(part: str, span: int) -> int:
    """Return how many values a part of a schedule takes: `*`, `7`, `3-59`, each perhaps with `/step`."""
    interval, _, step = part.partition("/")
    first, _, last = interval.partition("-")
    start, end = (0, span - 1) if first == "*" else (int(first), int(last or first))
    return len(range(start, end + 1, int(step or 1)))


def worked_on(step: str, inputs: Inputs, history_months: int) -> Fraction:
    """Return how many deliveries a step works on in a month, all its runs together."""
    if step in EACH:
        return inputs.deliveries
    runs = [run for run in inputs.schedule if run.job == step]
    return inputs.deliveries * sum((run.runs * _months_seen(run, history_months) for run in runs), Fraction(0))


def _months_seen(run: Run, history_months: int) -> Fraction:
    """Return how many months of deliveries one run looks at."""
    if run.job == "rebuild_bi":
        return Fraction(history_months)
    if run.job == "stragglers":
        return Fraction(2 * run.days - 1, 2 * DAYS)  # today is half over on average
    if run.job == "transactions":
        return _days_of_whole_weeks(run.days) / DAYS
    if run.job in ("awaited", "exceptions"):
        return Fraction(1)  # they look at what is open, which is taken to be that of a month
    return Fraction(run.days, DAYS)


def _days_of_whole_weeks(days: int) -> Fraction:
    """Return how many days the weeks hold that a window of so many days touches, on average over the days of a week."""
    ends = [date(2026, 6, 1) + timedelta(days=day) for day in range(7)]
    windows = [Window.of_days(end - timedelta(days=days - 1), end) for end in ends]
    return Fraction(sum(len(list(week.days())) for window in windows for week in weeks_of(window)), len(ends))


def step_units(step: str, inputs: Inputs, history_months: int) -> Units:
    """Return what a step is billed for in a month: measured operations, its messages, its requests and its time."""
    worked = worked_on(step, inputs, history_months)
    units: Units = defaultdict(Fraction)
    runs = runs_of(step, inputs)
    hours = runs * history_months * _HOURS if step == "rebuild_bi" else _HOURS
    for unit, count in inputs.counts["steps"][step].items():
        by_the_hour = _BY_THE_HOUR.get(step, {}).get(unit, 0)
        by_the_delivery = count - by_the_hour * inputs.counts["seals"]
        units[unit] += worked * by_the_delivery / inputs.measured + hours * by_the_hour
    if step == "rebuild_bi":
        units["bigquery_scanned_bytes"] += worked * inputs.counts["scanned_bytes"] / inputs.measured
        _add_time(units, runs, worked * inputs.assumed["rebuild_ms_per_delivery"], gib=Fraction(2))
    elif step == "receive":
        webhooks = worked * inputs.counts["webhooks"] / inputs.measured
        units["pubsub_bytes"] += worked * _MESSAGE_BYTES
        _add_time(units, webhooks, webhooks * inputs.assumed["receive_ms"], gib=Fraction(1, 2))
    elif step == "derive":
        units["pubsub_bytes"] += worked * _MESSAGE_BYTES
        _add_time(units, worked, worked * inputs.assumed["derive_ms"], gib=Fraction(1, 2))
    elif step == "seal":
        _add_time(units, runs, worked * inputs.assumed["seal_ms_per_delivery"], gib=Fraction(1))
    else:
        _add_time(units, runs, units["firestore_reads"] * inputs.assumed["job_ms_per_document"], gib=Fraction(1))
    return dict(units)


def runs_of(step: str, inputs: Inputs) -> int:
    """Return how often a step runs in a month by the clock."""
    return sum(run.runs for run in inputs.schedule if run.job == step)


def _add_time(units: Units, requests: Fraction | int, time_ms: Fraction, *, gib: Fraction) -> None:
    units["run_requests"] += requests
    units["run_vcpu_ms"] += time_ms
    units["run_gib_ms"] += time_ms * gib


def kept_units(inputs: Inputs, history_months: int) -> Units:
    """Return what is kept for a month, at the end of so many months."""
    share = inputs.deliveries * history_months / inputs.measured / _GIB
    return {
        "storage_gib_month": share * (inputs.counts["raw_bytes"] + inputs.counts["seal_bytes"]),
        "firestore_gib_month": share * inputs.counts["ledger_bytes"],
        "bigquery_gib_month": share * inputs.counts["warehouse_bytes"],
    }


def standing_units(inputs: Inputs) -> Units:
    """Return what is billed though nothing happens."""
    warm_ms = Fraction(inputs.assumed["warm_instances"] * DAYS * _DAY_MS)
    return {
        "scheduler_jobs": Fraction(len(set(re.findall(r"^    [\w-]+ = \{$", SCHEDULE.read_text(), re.MULTILINE)))),
        "secret_versions": Fraction(inputs.assumed["secret_versions"]),
        "run_idle_vcpu_ms": warm_ms,
        "run_gib_ms": warm_ms / 2,
    }


def bill(inputs: Inputs, history_months: int) -> dict[str, Units]:
    """Return a month's units by what they are for, at the end of so many months."""
    steps = (*EACH, *(job.name for job in JOBS if job.name not in EACH), "rebuild_bi")
    return {
        **{step: step_units(step, inputs, history_months) for step in steps},
        "what is kept": kept_units(inputs, history_months),
        "what stands": standing_units(inputs),
    }
