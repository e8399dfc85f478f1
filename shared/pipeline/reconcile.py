"""Reconcile: find what is missing or different, go and get it, and keep every difference as a result.

The jobs, in the order in which they help each other: what was dropped is taken in; what is kept and lost on the way is
announced again; what is pointed at in vain is asked for; what a provider lists is compared with the ledger, and what
differs is asked for; of each day that is over it is certified that what was listed is kept; what was asked for is fetched
and enters as a delivery; what was settled is held against what was paid, and what nobody has linked is matched; what
arrives is watched against what is usual; what is left is for people. No provider is asked while it is paused. Each job may
be run alone, twice, or at the same time as another: it goes on where it stands.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.errors import SettingsError
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window
from shared.pipeline.reconciliation import inbox, matching, quality, settlements
from shared.pipeline.reconciliation.awaited import awaited
from shared.pipeline.reconciliation.completeness import completeness
from shared.pipeline.reconciliation.control_totals import control_totals
from shared.pipeline.reconciliation.exceptions import exceptions
from shared.pipeline.reconciliation.fetches import fetches
from shared.pipeline.reconciliation.listings import Listings
from shared.pipeline.reconciliation.manifests import manifests
from shared.pipeline.reconciliation.pausing import with_pauses
from shared.pipeline.reconciliation.stragglers import stragglers
from shared.pipeline.reconciliation.transactions import transactions
from shared.pipeline.reconciliation.undeliverables import undeliverables
from shared.pipeline.reconciliation.world import Counterparty, Reconciling

__all__ = ["JOBS", "Counterparty", "Job", "Reconciling", "reconcile", "run_all", "sharing_listings"]


@dataclass(frozen=True, slots=True)
class Job:
    """One job of reconcile: its name, what it does in a few words, and how it is run. The window is for jobs that have one."""

    name: str
    story: str
    run: Callable[[Reconciling, Window, datetime], list[ReconciliationRun]]


JOBS: tuple[Job, ...] = (
    Job(inbox.JOB, "take in the files that were dropped", lambda world, _, __: inbox.inbox(world)),
    Job("stragglers", "announce again what has no outcome", stragglers),
    Job("undeliverables", "take what providers could not deliver", lambda world, _, __: undeliverables(world)),
    Job("awaited", "ask for what others point at in vain", lambda world, _, now: awaited(world, now)),
    Job("transactions", "compare with what each provider lists, both ways, to the cent", transactions),
    Job("completeness", "certify, day by day, that what each provider lists is kept", completeness),
    Job("manifests", "fetch what webhooks did not bring of trips; hold seats against tickets", manifests),
    Job("control_totals", "hold what each cash session came to against the ledger", control_totals),
    Job("fetches", "fetch what was asked for", lambda world, _, now: fetches(world, now)),
    Job(settlements.JOB, "hold what was settled and paid out against payments and refunds", settlements.settlements),
    Job(matching.JOB, "match what no provider has linked; what floats too long is for people", matching.matching),
    Job(quality.JOB, "watch what arrives against what is usual", lambda world, _, now: quality.quality(world, now)),
    Job("exceptions", "hand people what needs a person", lambda world, _, now: exceptions(world, now)),
)
"""Every job, in the order of a whole pass."""


def reconcile(job_name: str, world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Run one job and return the records of its runs; those that failed say so and why.

    `now` comes from the world's clock. Raises SettingsError for a job that there is not.
    """
    for job in JOBS:
        if job.name == job_name:
            return job.run(with_pauses(world), window, now)
    raise SettingsError(f"there is no job {job_name!r}; name one of {', '.join(job.name for job in JOBS)}")


def run_all(world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Run every job once, in order; what two of them ask a provider to list it is asked once.

    A failed run does not keep the jobs after it from running.
    """
    sharing = sharing_listings(with_pauses(world))
    return [run for job in JOBS for run in job.run(sharing, window, now)]


def sharing_listings(world: Reconciling) -> Reconciling:
    """Return the world of one pass: what a job lists in it the next one need not ask for again."""
    return replace(world, listings=Listings())
