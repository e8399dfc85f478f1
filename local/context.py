"""What commands share: where the home folder is, how answers are given, and the wired world."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from shared.domain.errors import SettingsError
from shared.domain.times import ALL_TIME, Window, business_day
from shared.runtime import wiring
from shared.runtime.parts import Parts
from shared.runtime.settings import Settings, WorldName

Home = Annotated[
    Path, typer.Option("--home", envvar="ASIENTO_HOME", help="The folder that holds raw store, ledger and warehouse.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON document, for scripts.")]
FirstDay = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First Buenos Aires day, included.")]
LastDay = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last Buenos Aires day, included.")]

DEFAULT_HOME = Path(".asiento")


@contextmanager
def world(home: Path, *, log_level: str = "error") -> Iterator[Parts]:
    """Open the world that the environment names and close it at the end.

    The embedded one, which is the default, lies in a home folder; raises SettingsError if nothing is there. With
    ASIENTO_WORLD=google it is the project of ASIENTO_PROJECT, and the home folder means nothing.

    What is logged from `log_level` on is written beside the answer, unless ASIENTO_LOG_LEVEL says otherwise: a command whose
    answer tells all of it names a higher one.
    """
    settings = Settings.from_environment({"ASIENTO_LOG_LEVEL": log_level, **os.environ, "ASIENTO_HOME": str(home)})
    if settings.world is WorldName.EMBEDDED and not (home / "raw.db").exists():
        raise SettingsError(f"there is nothing in {home} yet; fill it with `asiento demo` or `asiento serve`")
    parts = wiring.parts(settings)
    try:
        yield parts
    finally:
        parts.close()


@contextmanager
def world_here(home: Path) -> Iterator[Parts]:
    """Open the embedded world of a home folder, whichever world the environment names, and close it at the end."""
    parts = wiring.embedded(Settings(home=home, log_level="error"))
    try:
        yield parts
    finally:
        parts.close()


def now() -> datetime:
    """Return this instant: the command line is where the time of day comes in."""
    return datetime.now(UTC)


def day(text: str) -> date:
    """Read a day; raises SettingsError saying how days are written."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{text!r} is no day; write it as YYYY-MM-DD") from None


def window(first: str | None, last: str | None) -> Window:
    """Return the window of whole Buenos Aires days that the options name; all time where they name none."""
    if first is None and last is None:
        return ALL_TIME
    start = day(first) if first else business_day(ALL_TIME.start) + timedelta(days=1)
    end = day(last) if last else business_day(now())
    if end < start:
        raise SettingsError(f"--to {end} lies before --from {start}")
    return Window.of_days(start, end)
