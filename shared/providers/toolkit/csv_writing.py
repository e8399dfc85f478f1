"""How a CSV file writes what it says: its encoding, separator, numbers and times, as declared and never guessed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from shared.domain.errors import Quarantine, UnreadableError


@dataclass(frozen=True, slots=True)
class Writing:
    """How a kind of file writes what it says; the defaults are those of an export made for machines."""

    encoding: str = "utf-8-sig"
    separator: str = ""
    """Empty: the one of SEPARATORS that stands most often in the header."""
    lines_before_header: int = 0
    """Lines of text above the table."""
    decimal_mark: str = "."
    group_mark: str = ""
    """What stands between groups of three digits; empty where nothing does."""
    time_formats: tuple[str, ...] = ()
    """As of `strptime`, the first that fits; none: ISO 8601."""

    def plain_number(self, text: str, column: str) -> str:
        """Return a written amount with a point for its decimals and nothing else; raise UnreadableError(wrong_type).

        A group mark must stand where it belongs: `1.234` is no amount where the point groups and two decimals are written.
        """
        sign, digits = _signed(text)
        whole, mark, decimals = digits.partition(self.decimal_mark)
        if self.group_mark and self.group_mark in whole:
            first, *groups = whole.split(self.group_mark)
            if not 1 <= len(first) <= 3 or any(len(group) != 3 for group in groups):  # noqa: PLR2004  thousands
                raise _no_amount(column)
            whole = "".join((first, *groups))
        if not _DIGITS.fullmatch(whole) or (mark and not _DIGITS.fullmatch(decimals)):
            raise _no_amount(column)
        return f"{sign}{whole}.{decimals}" if mark else f"{sign}{whole}"

    @property
    def time_in_words(self) -> str:
        """Return what a time must be."""
        return f"time as {' or '.join(self.time_formats)}" if self.time_formats else "ISO 8601 time"

    def instant(self, text: str, zone: tzinfo) -> datetime | None:
        """Return the moment that a text names, in a zone where it has no offset; None where it names none."""
        instant = _first_fitting(text, self.time_formats) if self.time_formats else _iso(text)
        if instant is None or instant.tzinfo is not None:
            return instant
        return instant.replace(tzinfo=zone)


PLAIN = Writing()
_DIGITS = re.compile(r"[0-9]{1,24}")


def _signed(text: str) -> tuple[str, str]:
    """Split a sign from the digits: in front, or behind as banks write it."""
    if text.endswith("-"):
        return "-", text[:-1].rstrip()
    if text.startswith(("-", "+")):
        return text[0].replace("+", ""), text[1:].lstrip()
    return "", text


def _no_amount(column: str) -> UnreadableError:
    return UnreadableError(Quarantine.WRONG_TYPE, f"{column} is no amount as the form writes one")


def _first_fitting(text: str, formats: Iterable[str]) -> datetime | None:
    for form in formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  the caller knows the zone
        except ValueError:
            continue
    return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
