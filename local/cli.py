"""The command `asiento`: each verb of the system, and the questions that people ask of it."""

import sys

import typer

from local.commands import (
    bi,
    caseload,
    completeness,
    contract,
    deciding,
    demonstration,
    dictionary,
    erasing,
    exporting,
    files,
    ledger,
    matching,
    quality,
    readmitting,
    reconciling,
    sealing,
    serving,
)
from local.console import err, harmless
from shared.domain.errors import AsientoError, SettingsError, TransientError

app = typer.Typer(
    name="asiento",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Webhooks to a provable ledger to certified numbers, on one machine.\n\n"
        "Start with `asiento demo`: a season of sales through every part, and the proof. "
        "Then look around: `asiento outcomes`, `asiento exceptions`, `asiento certify`, `asiento trace`."
    ),
)
for group in (
    demonstration, serving, ledger, reconciling, completeness, matching, quality, caseload, deciding, bi, exporting, contract,
    sealing, files, readmitting, dictionary,
    erasing,
):  # fmt: skip
    group.register(app)

EXIT_SETTINGS = 2
EXIT_TRY_AGAIN = 75
"""What sysexits.h calls a temporary failure: a script may try again."""


def main() -> None:
    """Run the command line; errors that Asiento raises on purpose are one sentence and an exit status."""
    try:
        app()
    except AsientoError as error:
        err.print(f"[red]{type(error).__name__}[/]:", harmless(str(error)), soft_wrap=True)
        sys.exit(_exit_status(error))
    except KeyboardInterrupt:
        err.print("stopped")
        sys.exit(130)


def _exit_status(error: AsientoError) -> int:
    if isinstance(error, TransientError):
        return EXIT_TRY_AGAIN
    return EXIT_SETTINGS if isinstance(error, SettingsError) else 1


if __name__ == "__main__":
    main()
