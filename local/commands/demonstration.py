"""The demonstration as a command."""

from pathlib import Path
from typing import Annotated

import typer

from local.console import emit_json
from local.context import DEFAULT_HOME, AsJson, Home
from local.demo import payments as payments_demo
from local.demo import report
from local.demo import season as season_demo


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("demo")(demo)


def demo(
    home: Home = DEFAULT_HOME,
    *,
    sales: Annotated[int, typer.Option("--sales", min=100, help="How many sales the season has.")] = 20_000,
    seed: Annotated[
        int, typer.Option("--seed", help="The same seed gives the same season and the same accidents.")
    ] = 7,
    payments: Annotated[
        Path | None, typer.Option("--payments", help="A CSV of payments (plain or gzipped) to take sales from instead.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete what the home folder holds and start anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send a whole season through every part, disturbed on its way, and prove that the ledger is right.

    Signed webhooks are posted to the real receiving door; some come twice, late, out of order, forged, or never. What never
    came is found and fetched; the months are certified; one number is traced to its bytes; and a clean run of the same
    season must give the same state hash. Ends with status 1 if any proof fails.
    """
    if payments is not None:
        told = payments_demo.tell(home, payments, is_fresh=fresh)
        holds = all(is_so for is_so, _ in told.proofs()) if as_json else payments_demo.show(told)
        if as_json:
            emit_json(payments_demo.document(told))
    else:
        story = season_demo.tell(home, sales=sales, seed=seed, is_fresh=fresh)
        holds = all(is_so for is_so, _ in report.proofs(story)) if as_json else report.show(story)
        if as_json:
            emit_json(report.document(story))
    if not holds:
        raise typer.Exit(1)
