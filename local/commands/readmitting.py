"""Readmit what the door rejected for want of the right secret."""

from typing import Annotated, Any

import typer

from local.console import emit_json, progress, table
from local.context import DEFAULT_HOME, AsJson, Home, day, world
from local.line import drain
from shared.domain.times import day_start
from shared.pipeline.readmit import Readmission
from shared.pipeline.readmit import readmit as readmit_rejected
from shared.runtime import wiring


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("readmit")(readmit)


def readmit(
    home: Home = DEFAULT_HOME,
    *,
    provider: Annotated[
        str, typer.Option("--provider", help="Only deliveries that claim to be of this provider.")
    ] = "",
    since: Annotated[
        str | None, typer.Option("--since", metavar="YYYY-MM-DD", help="Only from this Buenos Aires day on.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be readmitted, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check rejected deliveries again with the secrets that are live now, as of when they came; keep those that verify.

    For the day on which a wrong secret turned true deliveries away: mend the secret first. What verifies enters as it came
    and is derived; what remains is told with the reason. Running it again is harmless.
    """
    from_instant = day_start(day(since)) if since else None
    with world(home) as parts:
        with progress("checking rejected deliveries again"):
            result = readmit_rejected(
                wiring.readmitting(parts), provider=provider, since=from_instant, is_rehearsal=dry_run
            )
        derived = 0 if dry_run else drain(parts)
    if as_json:
        emit_json(_document(result, derived))
        return
    table("Would be readmitted" if dry_run else "Readmitted", ("provider", ">deliveries"), result.readmitted.items())
    table(
        "Remain rejected",
        ("provider", "refused as", "remains as", ">deliveries"),
        [(*each, count) for each, count in sorted(result.remaining.items())],
    )


def _document(result: Readmission, derived: int) -> dict[str, Any]:
    return {
        "is_rehearsal": result.is_rehearsal,
        "readmitted": dict(result.readmitted),
        "derived": derived,
        "remaining": [{**each._asdict(), "deliveries": count} for each, count in sorted(result.remaining.items())],
    }
