"""Reconcile: find what is missing or different, and fetch it."""

from typing import Annotated, Any

import typer

from local.console import emit_json, progress, table
from local.context import DEFAULT_HOME, AsJson, FirstDay, Home, LastDay, now, window, world
from local.line import drain
from shared.domain.completeness import CompletenessCertificate
from shared.domain.quality import is_record
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window, business_day, from_ms
from shared.pipeline import reconcile as verb
from shared.pipeline.reconciliation.completeness import JOB as COMPLETENESS_JOB
from shared.ports.casebook import Casebook
from shared.runtime import wiring

_INSTANT = "_ms"
"""How the name of a count ends that is an instant."""

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
    # What a run logs as an error is in the answer: its failure in the table, a day with gaps in the one below it.
    with world(home, log_level="critical") as parts, wiring.reconciling(parts) as asked:
        with progress(f"reconciling: {job}"):
            runs = verb.run_all(asked, span, now()) if job == "all" else verb.reconcile(job, asked, span, now())
        derived = drain(parts) if derive else 0
        still_open = sum(1 for _ in parts.casebook.open_differences())
        gaps = _with_gaps(parts.casebook, runs)
    if as_json:
        emit_json(
            {
                "runs": [_run_document(run) for run in runs],
                "days_with_gaps": [_day_document(each) for each in gaps],
                "derived": derived,
                "open_differences": still_open,
            }
        )
    else:
        table("Runs", ("job", "provider", "kind", ">runs", ">opened", ">closed", "counts", "failed"), _by_work(runs))
        if gaps:
            title = "Days with gaps, as of when the providers listed them; asiento completeness --gaps names each"
            table(title, ("provider", "kind", ">days", "first", "last", ">gaps", "one of them"), _by_listing(gaps))
        table("Afterwards", ("", ">"), (("deliveries derived", derived), ("differences open", still_open)))
    if any(run.has_failed for run in runs):
        raise typer.Exit(1)


def _with_gaps(casebook: Casebook, runs: list[ReconciliationRun]) -> list[CompletenessCertificate]:
    """Return the certificates of these runs that name gaps, by day."""
    windows = {run.run_id: run.window for run in runs if run.window is not None and run.job == COMPLETENESS_JOB}
    if not windows:
        return []
    first = min(business_day(window.start) for window in windows.values())
    last = max(business_day(window.end) for window in windows.values())
    return [each for each in casebook.completeness(first, last) if each.run_id in windows and not each.is_complete]


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
        rows.append(
            (
                job,
                provider,
                kind,
                len(each),
                sum(run.opened for run in each),
                sum(run.closed for run in each),
                _counts(each),
                _failures(each),
            )
        )
    return rows


def _counts(runs: list[ReconciliationRun]) -> str:
    """Return what runs of one class of work counted, summed; an instant among it is the latest."""
    counts: dict[str, int] = {}
    for run in runs:
        for name, count in run.counts.items():
            before = counts.get(name, 0)
            counts[name] = max(before, count) if name.endswith(_INSTANT) else before + count
    return ", ".join(_count(name, count) for name, count in counts.items() if count and not is_record(name))


def _count(name: str, count: int) -> str:
    if name.endswith(_INSTANT):
        return f"{name.removesuffix(_INSTANT)} {from_ms(count):%Y-%m-%d %H:%M}Z"
    return f"{name} {count:,}"


def _failures(runs: list[ReconciliationRun]) -> str:
    """Return how many runs failed and why; of several reasons one, for `--json` tells all."""
    failed = [run for run in runs if run.has_failed]
    reasons = sorted({run.error for run in failed})
    if not reasons:
        return ""
    others = f"; and {len(reasons) - 1} other reasons" if len(reasons) > 1 else ""
    return f"{len(failed)}: {reasons[0]}{others}"


def _by_listing(gaps: list[CompletenessCertificate]) -> list[tuple[object, ...]]:
    """Return one row for each provider and kind of which days have gaps."""
    listings: dict[tuple[str, str], list[CompletenessCertificate]] = {}
    for each in gaps:
        listings.setdefault((each.provider, each.kind.value), []).append(each)
    return [
        (
            *listing,
            len(found),
            min(each.day for each in found),
            max(each.day for each in found),
            sum(each.gap_count for each in found),
            str(found[0].gaps[0]),
        )
        for listing, found in sorted(listings.items())
    ]


def _day_document(each: CompletenessCertificate) -> dict[str, Any]:
    return {"provider": each.provider, "kind": each.kind.value, "day": each.day.isoformat(), "gaps": each.gap_count}


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
