"""Every world's seal store: seals in order, segments line by line, each created once."""

from dataclasses import replace
from pathlib import Path

import pytest

from shared.domain.errors import TerminalError, TransientError
from shared.domain.seals import Contents
from shared.ports.seal_store import SealStore, seal_name, segment_name
from tests.conformance.seals import LINES, seal


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A written segment."""
    path = tmp_path / "segment.ndjson"
    path.write_bytes(LINES)
    return path


def test_gives_back_what_was_kept(seal_store: SealStore, segment: Path) -> None:
    """Asiento reads seals back in order, and each segment line by line."""
    assert seal_store.head() is None
    assert list(seal_store.seals()) == []
    for sequence in range(1, 12):
        seal_store.keep(seal(sequence), segment)
    assert [each.sequence for each in seal_store.seals()] == list(range(1, 12))
    assert seal_store.head() == seal(11)
    assert list(seal_store.segment(seal(4))) == LINES.splitlines(keepends=True)


def test_keeps_the_same_twice(seal_store: SealStore, segment: Path) -> None:
    """Asiento takes a second try of the same seal for a success."""
    seal_store.keep(seal(), segment)
    seal_store.keep(seal(), segment)
    assert list(seal_store.seals()) == [seal()]


def test_a_place_in_the_chain_is_taken_once(seal_store: SealStore, segment: Path) -> None:
    """Asiento refuses a second seal in one place: two runs at once make one chain."""
    seal_store.keep(seal(), segment)
    with pytest.raises(TransientError, match=r"another run has made seal-00000001\.json meanwhile; seal again"):
        seal_store.keep(seal(code_version="other"), segment)
    assert list(seal_store.seals()) == [seal()]


def test_a_segment_may_hold_nothing(seal_store: SealStore, segment: Path) -> None:
    """Asiento seals hours in which nothing came: their segment is there, and has no lines."""
    segment.write_bytes(b"")
    quiet = seal(contents=Contents(0, 0, "ab" * 32, "cd" * 32))
    seal_store.keep(quiet, segment)
    assert list(seal_store.segment(quiet)) == []


def test_a_segment_may_be_larger_than_a_request(seal_store: SealStore, segment: Path) -> None:
    """Asiento keeps and streams a busy hour: more than is sent or held at once."""
    line = b"x" * 999_999 + b"\n"
    segment.write_bytes(17 * line)
    busy = seal(contents=replace(seal().contents, segment_sha256="ef" * 32))
    seal_store.keep(busy, segment)
    assert [each == line for each in seal_store.segment(busy)] == 17 * [True]


def test_names_a_segment_that_is_gone(seal_store: SealStore, segment: Path) -> None:
    """Asiento names the segment that a seal is about and that is not there."""
    seal_store.keep(seal(), segment)
    lost = seal(2, contents=replace(seal().contents, segment_sha256="ef" * 32))
    with pytest.raises(TerminalError, match=rf"the segment of seal 2 .* is gone; bring {segment_name(lost)} back"):
        list(seal_store.segment(lost))


def test_names_sort_as_seals_do() -> None:
    """Asiento names seals so that names in order are seals in order, for ten thousand years of hours."""
    names = [seal_name(number) for number in (1, 9, 10, 99_999_999)]
    assert names == sorted(names)
