"""Exporting: rows as CSV that a spreadsheet opens and runs nothing of."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from shared.domain.errors import SettingsError

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet may run: the signs, their wide forms, and what is skipped before them."""


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV (RFC 4180): one heading line, comma, double quotes, CRLF.

    Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers are numbers.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return file.getvalue()


def _cell(cell: object) -> object:
    if cell is None or isinstance(cell, int):
        return cell
    text = str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS_A_FORMULA) else text


def write_file(path: Path, text: str) -> None:
    """Write a file in UTF-8, its line ends as they are; raise SettingsError saying why it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as failure:
        raise SettingsError(
            f"{path} cannot be written ({failure.strerror}); name a file in a folder that is there"
        ) from None
