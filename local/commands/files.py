"""Take files in: settlement reports and exports, each a delivery like any other."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from local.console import emit_json, out, table
from local.context import DEFAULT_HOME, AsJson, Home, now, world
from local.line import drain
from shared.domain.deliveries import STATEMENT
from shared.pipeline.file_rows import rows_of
from shared.pipeline.take_in import take_in
from shared.ports.ledger_store import LedgerStore
from shared.runtime import wiring
from shared.runtime.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("take-in")(take_files_in)
    app.command("rows")(show_rows)


def take_files_in(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", exists=True, help="Reports as they were downloaded; of a folder, the files in it."
        ),
    ],
    provider: Annotated[
        str, typer.Option("--provider", help="Whose reports they are; `statement` for those of any bank, by a mapping.")
    ],
    home: Home = DEFAULT_HOME,
    *,
    mapping: Annotated[
        str,
        typer.Option(
            "--mapping", help="Of statements: a name in <home>/inbox/mappings; without it the file's name chooses."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Keep files byte for byte, derive them, and say what became of each; ends with status 1 if one needs attention.

    The same file twice changes nothing. Lines that cannot be read are named by their numbers.
    """
    # Unlike a question, a file may be the first thing that comes into a home folder.
    settings = Settings.from_environment({"ASIENTO_LOG_LEVEL": "error", **os.environ, "ASIENTO_HOME": str(home)})
    with closing(wiring.parts(settings)) as parts:
        taking = wiring.taking_in(parts)
        taken = [
            take_in(file.name, file.read_bytes(), provider, taking, now(), mapping=mapping) for file in _files(files)
        ]
        drain(parts)
        found = [_document(each.target, each.delivery_id, parts.ledger) for each in taken]
    if as_json:
        emit_json(found)
    else:
        rows = [(each["file"], each["outcome"], each["lines"], each["reason"]) for each in found]
        table("Taken in", ("file", "outcome", ">lines in the ledger", "reason"), rows)
    if any(each["needs_attention"] for each in found):
        raise typer.Exit(1)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files as they are named, and those of a folder in order; hidden ones are somebody else's."""
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
        else:
            yield path


def show_rows(
    delivery_id: Annotated[str, typer.Argument(help="As `take-in` and `outcomes` show it.")],
    home: Home = DEFAULT_HOME,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what became of each row of a file: the entity that it states, or why it is held."""
    with world(home) as parts:
        found = rows_of(delivery_id, wiring.deriving(parts))
    if as_json:
        emit_json(asdict(found))
        return
    table(
        f"{found.file_name}: {found.outcome}",
        (">line", "states", "in the ledger"),
        [(row.line, row.entity, "yes" if row.is_in_ledger else "no") for row in found.rows],
    )
    for reason in found.held:
        out.print(f"held: {reason}", soft_wrap=True)
    if not found.rows and not found.held:
        out.print(found.reason)


def _document(file_name: str, delivery_id: str, ledger: LedgerStore) -> dict[str, object]:
    verdict = ledger.verdict(delivery_id)
    return {
        "file": file_name,
        "delivery_id": delivery_id,
        "outcome": verdict.outcome.value if verdict else "without an outcome",
        "reason": verdict.reason if verdict else "it is announced; derive it",
        "lines": sum(each.fact.values.get("line_type") != STATEMENT for each in ledger.facts_of_delivery(delivery_id)),
        "needs_attention": verdict is None or verdict.outcome.needs_attention,
    }
