"""Seals to keep: each over the same two lines, of one hour after the other."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

from shared.domain.seals import NO_SEAL_BEFORE, Contents, Seal
from shared.domain.times import Window
from tests.conformance.samples import NOON

LINES = b'{"a":1}\n{"b":2}\n'


def seal(sequence: int = 1, **changes: object) -> Seal:
    """Return a seal over LINES."""
    start = NOON + timedelta(hours=sequence)
    made = Seal(
        sequence=sequence,
        covers=Window(start, start + timedelta(hours=1)),
        sealed_until=start + timedelta(hours=1),
        is_addendum=False,
        contents=Contents(2, 2, "ab" * 32, sha256(LINES).hexdigest()),
        previous=NO_SEAL_BEFORE,
        sealed_at=NOON,
        code_version="test",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # each test changes a field that there is
