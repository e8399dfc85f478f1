"""What the cost page promises: it follows from the committed counts, the prices and the schedule, and they are true."""

import dataclasses
from datetime import date
from fractions import Fraction

import pytest

from scripts import cost, cost_bill
from scripts.measure_operations import Scale, measure
from shared.pipeline.reconcile import JOBS


@pytest.fixture(scope="module")
def inputs() -> cost_bill.Inputs:
    """Return what the page is computed from."""
    return cost_bill.Inputs.read()


def test_the_page_is_what_the_files_say() -> None:
    """Asiento's cost page is exactly what its counts, prices and schedule come to."""
    assert cost.main(["--check"]) == 0, (
        "run `python -m scripts.cost`; where a step changed what it asks for, `make cost`"
    )


def test_a_thousand_events_by_hand(inputs: cost_bill.Inputs) -> None:
    """Asiento multiplies and divides exactly: a thousand objects created are half a cent."""
    assert inputs.usd({"storage_class_a": Fraction(1000)}) == Fraction(5, 1000)
    simple = dataclasses.replace(
        inputs,
        counts={
            **inputs.counts,
            "tickets": 10,
            "webhooks": 15,
            "fetches": 5,
            "steps": {"derive": {"firestore_writes": 60}},
        },
        assumed={**inputs.assumed, "tickets_a_month": 100_000, "derive_ms": 0},
    )
    units = cost_bill.step_units("derive", simple, 1)
    assert simple.deliveries == 200_000
    assert units["firestore_writes"] == 600_000
    assert units["pubsub_bytes"] == 200_000 * 1000
    assert simple.usd({"firestore_writes": units["firestore_writes"]}) == Fraction("0.54")


@pytest.mark.parametrize(
    ("cron", "runs"),
    [
        ("*/5 * * * *", 12 * 24 * 30),
        ("3-59/5 * * * *", 12 * 24 * 30),
        ("41 5 * * *", 30),
        ("19 * * * *", 24 * 30),
        ("17 3 * * *", 30),
        ("0 */6 * * *", 4 * 30),
    ],
)
def test_counts_how_often_a_schedule_comes_up(cron: str, runs: int) -> None:
    """Asiento reads its own schedules as the scheduler does."""
    assert cost_bill.runs_a_month(cron) == runs


def test_refuses_a_schedule_that_it_cannot_count() -> None:
    """Asiento does not guess how often a weekly job runs."""
    with pytest.raises(ValueError, match="not for every day"):
        cost_bill.runs_a_month("0 4 * * 1")


def test_leaves_no_job_out(inputs: cost_bill.Inputs) -> None:
    """Asiento counts every job that the scheduler starts, the nightly pass over all jobs included."""
    assert {run.job for run in inputs.schedule} == {*(job.name for job in JOBS), "seal", "rebuild_bi"}
    counts = {**inputs.counts, "steps": {"receive": {}}}
    with pytest.raises(ValueError, match=r"derive.*no operations were counted"):
        cost.render(dataclasses.replace(inputs, counts=counts))


def test_a_longer_history_costs_more_to_rebuild(inputs: cost_bill.Inputs) -> None:
    """Asiento says that a rebuild reads all there is: twelve months cost twelve times one."""
    first, later = (cost_bill.worked_on("rebuild_bi", inputs, months) for months in (1, 12))
    assert later == 12 * first
    assert cost_bill.worked_on("derive", inputs, 12) == inputs.deliveries


def test_segments_cost_by_the_hour(inputs: cost_bill.Inputs) -> None:
    """Asiento reads a sealed hour with two requests in each rebuild, however many deliveries came in it."""
    counts = {**inputs.counts, "seals": 10, "steps": {"rebuild_bi": {"storage_class_b": 20}}}
    simple = dataclasses.replace(inputs, counts=counts)
    runs = cost_bill.runs_of("rebuild_bi", inputs)
    for months in (1, 12):
        assert cost_bill.step_units("rebuild_bi", simple, months)["storage_class_b"] == runs * months * 24 * 30 * 2


def test_the_committed_counts_are_what_is_measured(inputs: cost_bill.Inputs) -> None:
    """Asiento's committed counts are those of the code: a smaller season asks for about as much a delivery."""
    small = measure(Scale(sales=60, seed=7, last_day=date(2026, 1, 3)))
    measured = small.webhooks + small.fetches
    assert small.steps.keys() == inputs.counts["steps"].keys()
    by_the_day = {("rebuild_bi", "firestore_reads"): (small.certificates, inputs.counts["certificates"])}
    for step in ("receive", "derive", "stragglers", "seal", "rebuild_bi"):
        for unit, count in inputs.counts["steps"][step].items():
            if count > inputs.measured // 10:  # what happens once a run is no share of a delivery
                few, many = by_the_day.get((step, unit), (0, 0))
                ratio = Fraction((small.steps[step][unit] - few) * inputs.measured, measured * (count - many))
                assert Fraction(3, 4) < ratio < Fraction(4, 3), (step, unit, ratio)
