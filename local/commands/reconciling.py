"""Reconcile: find what is missing or different, and fetch it."""

from typing import Annotated, Any

import typer

from local.console import emit_json, progress, table
from local.context import DEFAULT_HOME, AsJson, FirstDay, Home, LastDay, now, window, world
from local.line import drain
from shared.domain.quality import is_record
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window, business_day
from shared.pipeline import reconcile as verb
from shared.runtime import wiring

JOB_NAMES = ", ".join(job.name for job in verb.JOBS)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("reconcile")(reconcile)


def reconcile(
    job: Annotated[str, typer.Argument(help=f"One of: {JOB_NAMES}; or all.")] = "all",
    home: Home = DEFAULT_HOME,
    *,
    first: FirstDay = None,
    last: LastDay = None,
    derive: Annotated[bool, typer.Option(help="Derive what was fetched before returning.")] = True,
    as_json: AsJson = False,
) -> None:
    """Find what is missing or different, fetch it, and keep every difference. Ends with status 1 if a run failed.

    Providers are asked whose address is set in ASIENTO_API_URL_<PROVIDER>; the others are compared when it is.
    Without --from and --to: the last seven days.
    """
    span = _last_days(7) if first is None and last is None else window(first, last)
    with world(home) as parts, wiring.reconciling(parts) as asked:
        with progress(f"reconciling: {job}"):
            runs = verb.run_all(asked, span, now()) if job == "all" else verb.reconcile(job, asked, span, now())
        derived = drain(parts) if derive else 0
        still_open = sum(1 for _ in parts.casebook.open_differences())
    if as_json:
        emit_json({"runs": [_run_document(run) for run in runs], "derived": derived, "open_differences": still_open})
    else:
        table("Runs", ("job", "provider", "kind", ">runs", ">opened", ">closed", "counts", "failed"), _by_work(runs))
        table("Afterwards", ("", ">"), (("deliveries derived", derived), ("differences open", still_open)))
    if any(run.has_failed for run in runs):
        raise typer.Exit(1)


def _last_days(count: int) -> Window:
    today = business_day(now())
    return Window.of_days(today.fromordinal(today.toordinal() - count + 1), today)


def _by_work(runs: list[ReconciliationRun]) -> list[tuple[object, ...]]:
    """Return one row for each class of work, its runs summed."""
    works: dict[tuple[str, str, str], list[ReconciliationRun]] = {}
    for run in runs:
        works.setdefault((run.job, run.provider, run.kind.value if run.kind else ""), []).append(run)
    rows: list[tuple[object, ...]] = []
    for (job, provider, kind), each in works.items():
        counts: dict[str, int] = {}
        for run in each:
            for name, count in run.counts.items():
                counts[name] = counts.get(name, 0) + count
        shown = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count and not is_record(name))
        failed = "; ".join(sorted({run.error for run in each if run.has_failed}))
        rows.append(
            (job, provider, kind, len(each), sum(r.opened for r in each), sum(r.closed for r in each), shown, failed)
        )
    return rows


def _run_document(run: ReconciliationRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "job": run.job,
        "provider": run.provider,
        "kind": run.kind.value if run.kind else None,
        "window": [run.window.start.isoformat(), run.window.end.isoformat()] if run.window else None,
        "status": run.status.value,
        "error": run.error,
        "counts": dict(run.counts),
        "drift_minor": dict(run.drift_minor),
        "opened": run.opened,
        "closed": run.closed,
        "duration_ms": run.duration_ms,
    }
