"""What the casebook keeps of each source in SQLite: certificates of completeness, which are only ever added, and its pause."""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import date

from pydantic import TypeAdapter

from shared.adapters.embedded.sqlite import Database, pages
from shared.domain.completeness import CompletenessCertificate
from shared.domain.facts import EntityKind
from shared.domain.pauses import Pause
from shared.domain.times import to_ms

SCHEMA = """
CREATE TABLE IF NOT EXISTS completeness (
    place TEXT PRIMARY KEY, day TEXT NOT NULL, provider TEXT NOT NULL, kind TEXT NOT NULL, certified_at_ms INTEGER NOT NULL,
    run_id TEXT NOT NULL, document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS completeness_of_day ON completeness (day, provider, kind, certified_at_ms, run_id);
CREATE TRIGGER IF NOT EXISTS completeness_never_changes BEFORE UPDATE ON completeness
BEGIN SELECT RAISE(ABORT, 'certificates are never changed'); END;
CREATE TRIGGER IF NOT EXISTS completeness_never_goes BEFORE DELETE ON completeness
BEGIN SELECT RAISE(ABORT, 'certificates are never deleted'); END;
CREATE TABLE IF NOT EXISTS pauses (provider TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
"""

_STANDING = """
SELECT place, document FROM completeness AS standing WHERE day >= :first AND day <= :last AND NOT EXISTS (
    SELECT 1 FROM completeness AS later
    WHERE later.day = standing.day AND later.provider = standing.provider AND later.kind = standing.kind
    AND (later.certified_at_ms, later.run_id) > (standing.certified_at_ms, standing.run_id)
) AND place > :after ORDER BY place LIMIT :page_size
"""

_CERTIFICATE, _PAUSE = TypeAdapter(CompletenessCertificate), TypeAdapter(Pause)


def add(connection: sqlite3.Connection, certificates: Iterable[CompletenessCertificate]) -> None:
    """Add certificates within the transaction of the run that gave them."""
    connection.executemany("INSERT INTO completeness VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, certificates))


def standing(database: Database, first: date, last: date) -> Iterator[CompletenessCertificate]:
    """Yield the certificate that stands for each day, by day, provider and kind."""
    for _, document in pages(database, _STANDING, {"first": first.isoformat(), "last": last.isoformat()}):
        yield _CERTIFICATE.validate_json(document)


def history(database: Database, provider: str, kind: EntityKind, day: date) -> list[CompletenessCertificate]:
    """Return all certificates of one day, in the order in which they came to stand."""
    rows = database.rows(
        "SELECT document FROM completeness WHERE day = ? AND provider = ? AND kind = ? ORDER BY certified_at_ms, run_id",
        (day.isoformat(), provider, kind.value),
    )
    return [_CERTIFICATE.validate_json(row[0]) for row in rows]


def keep_pause(database: Database, pause: Pause) -> None:
    """Keep the pause of a provider in place of the one before."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO pauses VALUES (?, ?)", (pause.provider, _PAUSE.dump_json(pause).decode())
        )


def pauses(database: Database) -> list[Pause]:
    """Return the pauses by provider."""
    rows = database.rows("SELECT document FROM pauses ORDER BY provider")
    return [_PAUSE.validate_json(row[0]) for row in rows]


def _row(certificate: CompletenessCertificate) -> tuple[str | int, ...]:
    day, provider, kind = certificate.day.isoformat(), certificate.provider, certificate.kind.value
    certified_at_ms = to_ms(certificate.certified_at)
    return (
        f"{day}/{provider}/{kind}/{certified_at_ms:015d}/{certificate.run_id}",
        day,
        provider,
        kind,
        certified_at_ms,
        certificate.run_id,
        _CERTIFICATE.dump_json(certificate).decode(),
    )
