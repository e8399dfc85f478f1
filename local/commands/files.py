"""Take files in: settlement reports and exports, each a delivery like any other."""

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from local.console import emit_json, table
from local.context import DEFAULT_HOME, AsJson, Home, now
from local.line import drain
from shared.pipeline.take_in import take_in
from shared.ports.ledger_store import LedgerStore
from shared.runtime import wiring
from shared.runtime.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("take-in")(take_files_in)


def take_files_in(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="Reports as they were downloaded."),
    ],
    provider: Annotated[str, typer.Option("--provider", help="Whose reports they are.")],
    home: Home = DEFAULT_HOME,
    *,
    as_json: AsJson = False,
) -> None:
    """Keep files byte for byte, derive them, and say what became of each; ends with status 1 if one needs attention.

    The same file twice changes nothing. Lines that cannot be read are named by their numbers.
    """
    # Unlike a question, a file may be the first thing that comes into a home folder.
    settings = Settings.from_environment({"ASIENTO_LOG_LEVEL": "error", **os.environ, "ASIENTO_HOME": str(home)})
    with closing(wiring.parts(settings)) as parts:
        taking = wiring.taking_in(parts)
        taken = [take_in(file.name, file.read_bytes(), provider, taking, now()) for file in files]
        drain(parts)
        found = [_document(each.target, each.delivery_id, parts.ledger) for each in taken]
    if as_json:
        emit_json(found)
    else:
        rows = [(each["file"], each["outcome"], each["lines"], each["reason"]) for each in found]
        table("Taken in", ("file", "outcome", ">lines in the ledger", "reason"), rows)
    if any(each["needs_attention"] for each in found):
        raise typer.Exit(1)


def _document(file_name: str, delivery_id: str, ledger: LedgerStore) -> dict[str, object]:
    verdict = ledger.verdict(delivery_id)
    return {
        "file": file_name,
        "delivery_id": delivery_id,
        "outcome": verdict.outcome.value if verdict else "without an outcome",
        "reason": verdict.reason if verdict else "it is announced; derive it",
        "lines": len(ledger.facts_of_delivery(delivery_id)),
        "needs_attention": verdict is None or verdict.outcome.needs_attention,
    }
