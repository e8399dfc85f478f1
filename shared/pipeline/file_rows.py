"""What became of each row of a file: reading is pure, so the file is read again and held against the ledger."""

from dataclasses import dataclass

from shared.domain.errors import NotFoundError, TerminalError, UnreadableError
from shared.domain.facts import Reading
from shared.pipeline.derive import Deriving


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """One row that could be read: the line on which it starts, what it states, and whether the ledger holds that fact."""

    line: int
    """0 for what the file states as a whole."""
    entity: str
    is_in_ledger: bool


@dataclass(frozen=True, slots=True)
class FileRows:
    """A file, row by row. Every row is among `rows` or named by its line in `held`, unless the file is held as a whole."""

    file_name: str
    outcome: str
    reason: str
    rows: tuple[RowOutcome, ...]
    held: tuple[str, ...]


def rows_of(delivery_id: str, world: Deriving) -> FileRows:
    """Return what became of each row of a delivery that is a file.

    Raises NotFoundError where nothing was derived under this id, TerminalError where it is no file.
    """
    verdict = world.ledger.verdict(delivery_id)
    if verdict is None:
        raise NotFoundError(f"no delivery {delivery_id[:64]!r} has an outcome; look at `asiento outcomes`")
    delivery = world.raw.read(verdict.object_name)
    try:
        reading = world.providers[delivery.provider].read(delivery)
    except UnreadableError as unreadable:
        return FileRows(delivery.target, verdict.outcome.value, verdict.reason, (), (str(unreadable),))
    if not reading.lines:
        raise TerminalError(f"delivery {delivery_id} is no file of rows; `asiento outcomes` says what became of it")
    return FileRows(
        delivery.target, verdict.outcome.value, verdict.reason, _rows(reading, _stated_by(reading, world)), reading.held
    )


def _stated_by(reading: Reading, world: Deriving) -> set[str]:
    """Return the entities of which the ledger holds a fact of this event; another delivery may have brought the same bytes."""
    return {
        str(fact.key)
        for fact in reading.facts
        if any(
            stored.stamp.event_key == reading.event_key and stored.stamp.content_digest == reading.content_digest
            for stored in world.ledger.facts(fact.key)
        )
    }


def _rows(reading: Reading, in_ledger: set[str]) -> tuple[RowOutcome, ...]:
    named = zip(reading.lines, (str(fact.key) for fact in reading.facts), strict=True)
    return tuple(RowOutcome(line, entity, entity in in_ledger) for line, entity in named)
