"""Reconcile: find what is missing or different, go and get it, and keep every difference as a result.

The jobs, in the order in which they help each other: what is kept and lost on the way is announced again; what is
pointed at in vain is asked for; what a provider lists is compared with the ledger, and what differs is asked for; what was
asked for is fetched and enters as a delivery; what was settled is held against what was paid; what is left is for
people. Each job may be run alone, twice, or at the same time as another: it goes on where it stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.domain.errors import SettingsError
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window
from shared.pipeline.reconciliation import settlements
from shared.pipeline.reconciliation.awaited import awaited
from shared.pipeline.reconciliation.exceptions import exceptions
from shared.pipeline.reconciliation.fetches import fetches
from shared.pipeline.reconciliation.stragglers import stragglers
from shared.pipeline.reconciliation.transactions import transactions
from shared.pipeline.reconciliation.world import Counterparty, Reconciling

__all__ = ["JOBS", "Counterparty", "Job", "Reconciling", "reconcile", "run_all"]


@dataclass(frozen=True, slots=True)
class Job:
    """One job of reconcile: its name, what it does in a few words, and how it is run. The window is for jobs that have one."""

    name: str
    story: str
    run: Callable[[Reconciling, Window, datetime], list[ReconciliationRun]]


JOBS: tuple[Job, ...] = (
    Job("stragglers", "announce again what has no outcome", stragglers),
    Job("awaited", "ask for what others point at in vain", lambda world, _, now: awaited(world, now)),
    Job("transactions", "compare with what each provider lists, both ways, to the cent", transactions),
    Job("fetches", "fetch what was asked for", lambda world, _, now: fetches(world, now)),
    Job(settlements.JOB, "hold what was settled and paid out against payments and refunds", settlements.settlements),
    Job("exceptions", "hand people what needs a person", lambda world, _, now: exceptions(world, now)),
)
"""Every job, in the order of a whole pass."""


def reconcile(job_name: str, world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Run one job and return the records of its runs; those that failed say so and why.

    `now` comes from the world's clock. Raises SettingsError for a job that there is not.
    """
    for job in JOBS:
        if job.name == job_name:
            return job.run(world, window, now)
    raise SettingsError(f"there is no job {job_name!r}; name one of {', '.join(job.name for job in JOBS)}")


def run_all(world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Run every job once, in order. A failed run does not keep the jobs after it from running."""
    return [run for job in JOBS for run in job.run(world, window, now)]
