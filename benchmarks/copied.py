"""The home of a very big season, copied from that of a small one: a rebuild is given what a replay of hours would leave.

The small season goes through the line. Then every row of its raw store, and of its entities and outcomes, is written once for
each repetition under other names, as `benchmarks.templates` renames what a sale mints. Facts and marks of events are left out:
no rebuild reads them.
"""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.homes import filled, replayed
from benchmarks.samples import Sample
from benchmarks.templates import SALES, Template, counted, renamed

_PART = re.compile(rb'[^"\\:/?=&]+')
"""What texts are made of that hold identifiers: keys of entities, names of objects, targets."""
_IN_JSON = re.compile(rb'"(?:[^"\\]|\\.)*"|(?<="id":)\d+')
"""A text, or the number of a wallet's notice."""

_Cell = str | bytes | int | None
_Row = tuple[_Cell, ...]


class _Anew(NamedTuple):
    """What each repetition has anew."""

    names: dict[bytes, bool]
    """Identifiers, and whether each is a delivery's."""
    repetitions: int


class _Copied(NamedTuple):
    """A table that is copied, and which of its columns are plain texts and which are JSON."""

    name: str
    plain: tuple[int, ...]
    json: tuple[int, ...]


_RAW = (_Copied("objects", (0, 2), (3, 4)),)
_LEDGER = (_Copied("entities", (0,), (6,)), _Copied("verdicts", (0, 1, 2), ()))


def copied(home: str, sales: int) -> Sample:
    """Write the home of a season of at least so many sales; items are its deliveries."""
    started_ns = time.perf_counter_ns()
    anew = _Anew(dict.fromkeys(Template.of(SALES).names, False), -(-sales // SALES))
    with TemporaryDirectory() as small:
        filled(small, SALES)
        replayed(small, small)
        with closing(sqlite3.connect(Path(small, "raw.db"))) as raw:
            for name, body in raw.execute("SELECT name, body FROM objects").fetchall():
                if any(part in anew.names for _, part in _quoted(body)):  # else it is the company's, which stays once
                    anew.names[name.rpartition("/")[2].encode()] = True
        count = _copy(Path(small, "raw.db"), Path(home, "raw.db"), _RAW, anew)
        _copy(Path(small, "ledger.db"), Path(home, "ledger.db"), _LEDGER, anew)
    return Sample(count, time.perf_counter_ns() - started_ns)


def _copy(small: Path, big: Path, tables: tuple[_Copied, ...], anew: _Anew) -> int:
    """Write the tables of one file, and return how many rows the first of them has then."""
    big.parent.mkdir(parents=True, exist_ok=True)
    counts = []
    with closing(sqlite3.connect(small)) as source, closing(sqlite3.connect(big)) as target:
        target.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        for (statement,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rootpage = 0"):
            target.execute(statement)
        for table in tables:
            # Names of tables and counts of columns are ours; rows are bound.
            rows = source.execute(f"SELECT * FROM {table.name} ORDER BY 1")  # noqa: S608  a table of ours
            holes = ", ".join("?" * len(rows.description))
            written = (copy for row in rows for copy in _repeated(row, table, anew))
            counts.append(
                target.executemany(f"INSERT INTO {table.name} VALUES ({holes})", written).rowcount  # noqa: S608  same
            )
            target.commit()
    return counts[0]


def _repeated(row: _Row, table: _Copied, anew: _Anew) -> Iterator[_Row]:
    """Yield a row once for each repetition; once in all where it holds no identifier that is anew."""
    cuts = {at: _cut(row[at], _plain(row[at]), anew) for at in table.plain}
    cuts |= {at: _cut(row[at], _quoted(row[at]), anew) for at in table.json}
    if not any(found for _, found in cuts.values()):
        yield row
        return
    for repetition in range(anew.repetitions):
        yield tuple(_joined(cell, *cuts[at], repetition, anew) if at in cuts else cell for at, cell in enumerate(row))


def _bytes(cell: _Cell) -> bytes:
    return cell.encode() if isinstance(cell, str) else cell if isinstance(cell, bytes) else b""


def _plain(cell: _Cell) -> Iterator[tuple[int, bytes]]:
    return ((found.start(), found[0]) for found in _PART.finditer(_bytes(cell)))


def _quoted(cell: _Cell) -> Iterator[tuple[int, bytes]]:
    for text in _IN_JSON.finditer(_bytes(cell)):
        for part in _PART.finditer(text[0]):
            yield text.start() + part.start(), part[0]


def _cut(cell: _Cell, parts: Iterator[tuple[int, bytes]], anew: _Anew) -> tuple[list[bytes], list[bytes]]:
    """Return the pieces between identifiers that are anew, and these."""
    text, end = _bytes(cell), 0
    pieces: list[bytes] = []
    found: list[bytes] = []
    for start, part in parts:
        if part in anew.names:
            pieces.append(text[end:start])
            found.append(part)
            end = start + len(part)
    return [*pieces, text[end:]], found


def _joined(cell: _Cell, pieces: list[bytes], found: list[bytes], repetition: int, anew: _Anew) -> _Cell:
    parts = [pieces[0]]
    for name, piece in zip(found, pieces[1:], strict=True):
        parts += ((counted if anew.names[name] else renamed)(name, repetition), piece)
    text = b"".join(parts)
    return text.decode() if isinstance(cell, str) else text
