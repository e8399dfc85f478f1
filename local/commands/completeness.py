"""Which days are certified to be complete, which have gaps, and which sources are paused."""

from typing import Annotated, Any

import typer

from local.console import emit_json, table
from local.context import DEFAULT_HOME, AsJson, FirstDay, Home, LastDay, day, now, world
from shared.domain.completeness import CompletenessCertificate
from shared.domain.errors import SettingsError
from shared.domain.pauses import Pause
from shared.domain.times import ALL_TIME, business_day

_FORMATS = ("table", "json")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("completeness")(completeness)
    app.command("sources")(sources)


def completeness(
    home: Home = DEFAULT_HOME,
    *,
    first: FirstDay = None,
    last: LastDay = None,
    provider: Annotated[str | None, typer.Option("--provider", help="Only of this provider.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only of this kind: sale, ticket, payment, …")] = None,
    gaps: Annotated[bool, typer.Option("--gaps", help="Only days with gaps, each gap by name.")] = False,
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> None:
    """Show, day by day, whether all that each provider lists is in the raw store. Ends with status 1 if a day has gaps.

    A day is certified by `asiento reconcile completeness` once it is over, and again each time that it is looked at; the
    latest certificate stands, the others are kept. Without --from and --to: every day.
    """
    if form not in _FORMATS:
        raise SettingsError(f"there is no format {form!r}; choose one of {', '.join(_FORMATS)}")
    start = day(first) if first else business_day(ALL_TIME.start)
    end = day(last) if last else business_day(now())
    if end < start:
        raise SettingsError(f"--to {end} lies before --from {start}")
    with world(home) as parts:
        found = [
            each
            for each in parts.casebook.completeness(start, end)
            if provider in (None, each.provider) and kind in (None, each.kind.value) and not (gaps and each.is_complete)
        ]
    if form == "json":
        emit_json([_document(each) for each in found])
    else:
        _show(found, by_name=gaps)
    if any(not each.is_complete for each in found):
        raise typer.Exit(1)


def sources(home: Home = DEFAULT_HOME, *, as_json: AsJson = False) -> None:
    """Show which providers were paused because they failed again and again, since when, until when and why."""
    with world(home) as parts:
        found = parts.casebook.pauses()
    if as_json:
        emit_json([_pause_document(each) for each in found])
        return
    rows = [
        (each.provider, "paused" if each.stands else "answers", each.since, each.until, each.trials, each.reason)
        for each in found
    ]
    title = "Sources" if rows else "Sources: none was ever paused"
    table(title, ("provider", "state", "failing since", "asked again from", ">trials", "last failure"), rows)


def _show(found: list[CompletenessCertificate], *, by_name: bool) -> None:
    incomplete = sum(not each.is_complete for each in found)
    rows = [
        (each.day, each.provider, each.kind.value, each.listed, each.present, each.gap_count or "", each.certified_at)
        for each in found
    ]
    heads = ("day", "provider", "kind", ">listed", ">present", ">gaps", "certified as of")
    table(f"Completeness: {len(found)} certificates, {incomplete} with gaps", heads, rows)
    if by_name:
        named = [(each.day, str(gap.key), gap.reason.value) for each in found for gap in each.gaps]
        table(f"Gaps: {len(named)} named", ("day", "entity", "reason"), named)


def _document(each: CompletenessCertificate) -> dict[str, Any]:
    return {
        "provider": each.provider,
        "kind": each.kind.value,
        "day": each.day.isoformat(),
        "is_complete": each.is_complete,
        "listed": each.listed,
        "present": each.present,
        "gaps": each.gap_count,
        "gaps_named": [{"key": str(gap.key), "reason": gap.reason.value} for gap in each.gaps],
        "deliveries_sha256": each.deliveries_sha256,
        "certified_at": each.certified_at.isoformat(),
        "run_id": each.run_id,
    }


def _pause_document(each: Pause) -> dict[str, Any]:
    return {
        "provider": each.provider,
        "is_paused": each.stands,
        "since": each.since.isoformat(),
        "until": each.until.isoformat(),
        "trials": each.trials,
        "reason": each.reason,
        "ended_at": each.ended_at.isoformat() if each.ended_at else None,
    }
