"""Export what is certified in the formats of other tools."""

import re
from pathlib import Path
from typing import Annotated

import typer

from local.console import err, progress
from local.context import DEFAULT_HOME, Home, world
from shared.domain.errors import SettingsError
from shared.pipeline.beancount import beancount

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

export = typer.Typer(no_args_is_help=True, help="Export what is certified in the formats of other tools.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(export, name="export")


@export.callback()
def _formats() -> None:
    """Export what is certified in the formats of other tools."""


@export.command("beancount")
def export_beancount(
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="The certified month.")],
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="The file to write.", dir_okay=False)],
    home: Home = DEFAULT_HOME,
) -> None:
    """Write the journal of a certified month as Beancount text: `bean-check FILE` proves it, `fava FILE` shows it.

    It holds every business unit and currency of the month that is certified, with opening balances, each entry with the
    entity that it is about, and the closing balances as assertions.
    """
    if not _MONTH.fullmatch(month):
        raise SettingsError(f"{month!r} is no month; write it as YYYY-MM")
    whole = output.with_name(f"{output.name}.part")
    try:
        with world(home) as parts, progress("exporting"), whole.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in beancount(parts.warehouse, month))
        whole.replace(output)
    except OSError as wrong:
        raise SettingsError(f"{output} cannot be written: {wrong.strerror}; give --output another place") from None
    finally:
        whole.unlink(missing_ok=True)
    err.print(f"{month} is in {output}", soft_wrap=True)
