"""CSV files: from bytes to rows with their line numbers, by a declared mapping of our names to the header's.

What a line says is never guessed: a line with more or fewer cells than the header, as unquoted separators make it, is
held by its number. No message quotes a cell that may hold a person's data.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum, auto
from io import StringIO
from typing import TypeVar

from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.money import from_major, from_minor
from shared.domain.times import to_ms
from shared.providers.toolkit.csv_writing import PLAIN, Writing

SEPARATORS = (",", ";")
RECORD_LENGTH_MAX = 64 * 1024
"""The longest record: a quote that is opened and not closed must not make one of the whole file."""
HELD_LINES_MAX = 1_000
"""How many lines of a file may be held for the others to apply."""
ROWS_MAX = 250_000
"""How many rows of one file are read; a settlement report of a large company's month has a hundred thousand."""
T = TypeVar("T")


class BadRows(Enum):
    """What becomes of a file in which some rows cannot be read with certainty; each report declares one."""

    HOLD_THE_ROWS = auto()
    """The other rows apply; the delivery is quarantined and names the lines that do not."""
    HOLD_THE_FILE = auto()
    """Nothing applies until the whole file can be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """The declared mapping of one kind of file: for each of our column names the header names that mean it."""

    name: str
    columns: Mapping[str, tuple[str, ...]]
    required: frozenset[str]
    """Our names of the columns without which a file is not of this form."""
    zone: tzinfo
    """The zone of times that are written without an offset."""
    bad_rows: BadRows
    writing: Writing = PLAIN

    def places(self, header: Sequence[str]) -> dict[str, int]:
        """Return where each of our columns stands in a header; those that it lacks are left out."""
        at = {_header_name(name): place for place, name in reversed(list(enumerate(header)))}
        found = {
            ours: [at[name] for name in map(_header_name, theirs) if name in at]
            for ours, theirs in self.columns.items()
        }
        return {ours: places[0] for ours, places in found.items() if places}

    def lacks(self, header: Sequence[str]) -> list[str]:
        """Return the header names of required columns that a header does not have."""
        return sorted(self.columns[ours][0] for ours in self.required - self.places(header).keys())


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: the number of the line on which it starts, and its cells by our names, without outer spaces."""

    line: int
    cells: Mapping[str, str]
    zone: tzinfo
    writing: Writing = PLAIN

    def text(self, column: str) -> str:
        """Return a cell, empty where the file has no such column."""
        return self.cells.get(column, "")

    def required(self, column: str) -> str:
        """Return a cell that must hold something; raise UnreadableError(missing_field)."""
        text = self.text(column)
        if not text:
            raise UnreadableError(Quarantine.MISSING_FIELD, f"{column} is empty")
        return text

    def currency(self, column: str) -> str:
        """Return a currency code in upper case; raise UnreadableError(unknown_currency) where the cell is no code."""
        code = self.required(column).upper()
        if not (len(code) == 3 and code.isascii() and code.isalpha()):  # noqa: PLR2004  ISO 4217
            raise UnreadableError(Quarantine.UNKNOWN_CURRENCY, f"{column} is no currency code")
        return code

    def major(self, column: str, currency: str) -> int:
        """Return a decimal of major units in minor units, exactly; raise UnreadableError."""
        text = self.required(column)
        if self.writing is not PLAIN:
            text = self.writing.plain_number(text, column)
        return from_major(text, currency).amount_minor

    def major_or_zero(self, column: str, currency: str) -> int:
        """Return a decimal of major units in minor units; an empty or absent cell says that there is none."""
        return self.major(column, currency) if self.text(column) else 0

    def minor(self, column: str, currency: str) -> int:
        """Return an integer of minor units; raise UnreadableError(wrong_type) where the cell is none."""
        text = self.required(column)
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 19):  # noqa: PLR2004  64 bits
            raise UnreadableError(Quarantine.WRONG_TYPE, f"{column} is no integer of minor units")
        return from_minor(int(text), currency).amount_minor

    def instant_ms(self, column: str) -> int:
        """Return a time in milliseconds since the epoch, in the form's zone where it has no offset; raise UnreadableError."""
        instant = self.writing.instant(self.required(column), self.zone)
        if instant is None:
            raise UnreadableError(Quarantine.WRONG_TYPE, f"{column} is no {self.writing.time_in_words}")
        return to_ms(instant)


@dataclass(frozen=True, slots=True)
class Table:
    """A file of a known form: its rows in order, and the lines that do not fit its header."""

    form: Form
    rows: tuple[Row, ...]
    misfits: tuple[tuple[int, str], ...]
    """Line number and what is wrong with it."""


def read_table(body: bytes, forms: Iterable[Form]) -> Table:
    """Read a file whose header fits one of the forms, which all write alike; raise UnreadableError where it fits none."""
    forms = tuple(forms)
    writing = forms[0].writing
    text, lines_before = _table_of(_text(body, writing.encoding), writing.lines_before_header)
    separator = writing.separator or _separator(text)
    records = _records(text, lines_before + 1)
    _, first = next(records, (1, "\n"))
    header = _cells(first, separator)
    form = _fitting(header, forms)
    places = form.places(header)
    rows: list[Row] = []
    misfits: list[tuple[int, str]] = []
    for line, record in records:
        try:
            cells = _cells(record, separator)
            _require_fit(cells, header)
        except UnreadableError as unfit:
            misfits += [(line + place, str(unfit)) for place, _ in enumerate(StringIO(record, newline=""))]
            _refuse_strange(misfits)
        else:
            rows.append(Row(line, {ours: cells[place].strip() for ours, place in places.items()}, form.zone, writing))
            if len(rows) > ROWS_MAX:
                raise UnreadableError(Quarantine.TOO_LARGE, f"more than {ROWS_MAX} rows; ask for shorter periods")
    return Table(form, tuple(rows), tuple(misfits))


def read_rows(table: Table, read_row: Callable[[Row], T]) -> tuple[list[T], tuple[str, ...]]:
    """Return what the rows say, and the held lines in words: those that do not fit and those that cannot be read.

    Raises UnreadableError(rows_held) where the form holds the whole file for one bad row.
    """
    found, held = read_numbered(table, read_row)
    return [said for _, said in found], held


def read_numbered(table: Table, read_row: Callable[[Row], T]) -> tuple[list[tuple[int, T]], tuple[str, ...]]:
    """Return the same, with the number of the line on which each row starts."""
    found: list[tuple[int, T]] = []
    faults = list(table.misfits)
    for row in table.rows:
        try:
            found.append((row.line, read_row(row)))
        except UnreadableError as unreadable:
            faults.append((row.line, str(unreadable)))
    held = _in_words(faults)
    if held and table.form.bad_rows is BadRows.HOLD_THE_FILE:
        raise UnreadableError(Quarantine.ROWS_HELD, f"{'; '.join(held)}; nothing of the file is applied")
    return found, held


def _text(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as not_text:
        name = "UTF-8" if encoding == PLAIN.encoding else encoding
        raise UnreadableError(Quarantine.NOT_UTF8, f"the file is not {name} at byte {not_text.start}") from None


def _table_of(text: str, lines_before: int) -> tuple[str, int]:
    """Return the text from its header on, and how many lines stand above it."""
    if not lines_before:
        return text, 0
    lines = list(StringIO(text, newline=""))
    return "".join(lines[lines_before:]), lines_before


def _separator(text: str) -> str:
    header = text.partition("\n")[0]
    return max(SEPARATORS, key=header.count)


def _records(text: str, first_line: int) -> Iterator[tuple[int, str]]:
    """Yield each record that is not blank with the number of the line on which it starts.

    A quoted cell may span lines: a record ends with the line at whose end every quote has its partner.
    """
    start, record, is_open = first_line, "", False
    for number, line in enumerate(StringIO(text, newline=""), start=first_line):
        start, record = (start, record + line) if is_open else (number, line)
        if len(record) > RECORD_LENGTH_MAX:
            raise UnreadableError(
                Quarantine.MALFORMED_CSV, f"the record of line {start} exceeds {RECORD_LENGTH_MAX} characters"
            )
        is_open ^= line.count('"') % 2 == 1
        if not is_open and record.strip():
            yield start, record
    if is_open:
        raise UnreadableError(Quarantine.MALFORMED_CSV, f"a quote of line {start} is never closed")


def _refuse_strange(faults: Sequence[tuple[int, str]]) -> None:
    """Refuse a file of which so much cannot be read that it is hardly this report: its verdict could not list the lines."""
    if len(faults) > HELD_LINES_MAX:
        raise UnreadableError(
            Quarantine.ROWS_HELD, f"more than {HELD_LINES_MAX} lines cannot be read, the first for this: {faults[0][1]}"
        )


def _cells(record: str, separator: str) -> list[str]:
    try:
        rows = list(csv.reader(StringIO(record, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        rows = []
    if len(rows) != 1:
        raise UnreadableError(Quarantine.MALFORMED_CSV, "its quoting cannot be read")
    return rows[0]


def _require_fit(cells: Sequence[str], header: Sequence[str]) -> None:
    if len(cells) != len(header):
        raise UnreadableError(
            Quarantine.MALFORMED_CSV, f"{len(cells)} cells under {len(header)} columns, which shifts them"
        )


def _fitting(header: Sequence[str], forms: Iterable[Form]) -> Form:
    lacking = []
    for form in forms:
        missing = form.lacks(header)
        if not missing:
            return form
        lacking.append(f"for {form.name} it lacks {', '.join(missing)}")
    raise UnreadableError(Quarantine.MISSING_FIELD, f"the header fits no known report: {'; '.join(lacking)}")


def _header_name(name: str) -> str:
    return " ".join(name.split()).upper()


def _in_words(faults: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    """Return one sentence for each reason, with every line that it holds for, in the order of the first of them."""
    lines: dict[str, list[int]] = {}
    for line, reason in sorted(faults):
        lines.setdefault(reason, []).append(line)
    return tuple(
        f"{'line' if len(numbers) == 1 else 'lines'} {', '.join(map(str, numbers))}: {reason}"
        for reason, numbers in lines.items()
    )
