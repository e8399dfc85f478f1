"""How the command line speaks: tables and progress for people, JSON for scripts, errors that name the mend."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from shared.pipeline.trace import FigureTrace, render

_WIDTH_IN_A_PIPE = 140
"""Columns where there is no terminal to ask."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE)
"""Where results go."""
err = Console(stderr=True, highlight=False)
"""Where progress and errors go, so that results can be piped."""


def emit_json(document: Any) -> None:
    """Write one JSON document for a script to read."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def harmless(text: str) -> Text:
    """Return text that came from outside as it may be shown: nothing in it is markup, or moves a terminal's cursor.

    What cannot be printed stands as its escape.
    """
    return Text("".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text))


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show a table; headings that start with `>` are right-aligned figures. Cells are shown as they are, or as a Text."""
    shown = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for heading in headings:
        shown.add_column(heading.removeprefix(">"), justify="right" if heading.startswith(">") else "left")
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else harmless(_cell(cell)) for cell in row))
    out.print(shown)


def _cell(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def show_proofs(proofs: Iterable[tuple[bool, str]]) -> bool:
    """Show what must hold, line by line, and return whether all of it does."""
    all_hold = True
    for holds, sentence in proofs:
        out.print(f"[green]✔[/] {sentence}" if holds else f"[red]✘ {sentence}[/]")
        all_hold = all_hold and holds
    return all_hold


def show_trace(trace: FigureTrace) -> None:
    """Show the way from a figure to its bytes, one branch a line, lines as long as they are."""
    for line in render(trace):
        out.print(line, soft_wrap=True, markup=False)


class Meter:
    """Advances one progress bar."""

    def __init__(self, progress: Progress, task: Any) -> None:
        """Take the bar."""
        self._progress = progress
        self._task = task

    def advance(self, by: int = 1) -> None:
        """Move the bar forward."""
        self._progress.advance(self._task, by)

    def expect(self, total: int) -> None:
        """Say how far the bar goes."""
        self._progress.update(self._task, total=total)


@contextmanager
def progress(sentence: str, total: int | None = None) -> Iterator[Meter]:
    """Show a progress bar while something takes longer; silent where nobody looks."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        yield Meter(shown, shown.add_task(sentence, total=total))
