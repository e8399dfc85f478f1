"""Every run leaves a record, whatever becomes of it: a failed one is failed until a later one succeeds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from shared.domain.completeness import CompletenessCertificate
from shared.domain.errors import AsientoError
from shared.domain.facts import EntityKind
from shared.domain.findings import Sighting
from shared.domain.reconciliation import Mismatch, ReconciliationRun, RunStatus
from shared.domain.times import Window
from shared.pipeline.reconciliation.world import Reconciling

log = structlog.get_logger("reconcile")


@dataclass(frozen=True, slots=True)
class Report:
    """What a job has to say when it has come to its end."""

    counts: Mapping[str, int]
    failure: AsientoError | None = None
    """What kept it from doing all that it set out to do, although it came to its end."""
    drift_minor: Mapping[str, int] = field(default_factory=dict)
    mismatches: tuple[Mismatch, ...] = ()
    certificates: tuple[CompletenessCertificate, ...] = ()
    provider_as_of: datetime | None = None
    ledger_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a run is about: its job, and of a comparison the provider, kind and window."""

    job: str
    provider: str = ""
    kind: EntityKind | None = None
    window: Window | None = None


def recorded(world: Reconciling, work: Work, do: Callable[[Sighting], Report]) -> ReconciliationRun:
    """Do the work and keep the record of it, with what it found and certified, in one transaction.

    An error of the family in domain/errors.py ends this run as failed and leaves the next one to be tried; any other is a
    defect of ours: it is recorded too and goes on to the caller.
    """
    started_at = world.clock.now()
    run = ReconciliationRun(
        run_id=world.new_run_id(started_at),
        job=work.job,
        provider=work.provider,
        kind=work.kind,
        window=work.window,
        started_at=started_at,
        ended_at=started_at,
        status=RunStatus.SUCCEEDED,
    )
    try:
        report = do(Sighting(run.run_id, started_at))
    except AsientoError as error:
        return _failed(world, run, f"{type(error).__name__}: {error}")
    except Exception as defect:
        # Its class is safe to keep; the text of an unforeseen error may quote a passenger's name.
        _failed(world, run, f"{type(defect).__name__}: a defect of ours; see the log of this run")
        raise
    run = replace(
        run,
        ended_at=world.clock.now(),
        provider_as_of=report.provider_as_of,
        ledger_as_of=report.ledger_as_of,
        counts=dict(report.counts),
        drift_minor=dict(report.drift_minor),
    )
    if report.failure is not None:
        return _failed(world, run, f"{type(report.failure).__name__}: {report.failure}")
    return world.casebook.record_run(run, report.mismatches, report.certificates)


def _failed(world: Reconciling, run: ReconciliationRun, error: str) -> ReconciliationRun:
    log.error(
        "reconciliation failed", job=run.job, provider=run.provider, kind=run.kind, run_id=run.run_id, error=error
    )
    return world.casebook.record_run(replace(run, ended_at=world.clock.now(), status=RunStatus.FAILED, error=error))
