"""Seals in a folder: created once, whole, and never before their segment."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from shared.adapters.embedded.seal_store import FileSealStore
from shared.domain.errors import TerminalError
from tests.conformance.seals import LINES, seal


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A written segment."""
    path = tmp_path / "segment.ndjson"
    path.write_bytes(LINES)
    return path


@pytest.fixture
def store(tmp_path: Path) -> FileSealStore:
    """A store whose folder is not there yet."""
    return FileSealStore(tmp_path / "seals")


def test_a_seal_never_comes_before_its_segment(
    store: FileSealStore, segment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Asiento loses power at any step and still has no seal without its segment, nor a file that is half written."""
    create = store._create

    def dying(step: int, *, before: bool) -> Callable[[Path, BinaryIO], bool]:
        calls = iter(range(10))

        def die(path: Path, content: BinaryIO) -> bool:
            dies = next(calls) == step
            if dies and before:
                raise KeyboardInterrupt
            done = create(path, content)
            if dies:
                raise KeyboardInterrupt
            return done

        return die

    for sequence, (step, before) in enumerate([(0, True), (0, False), (1, True), (1, False)], start=1):
        monkeypatch.setattr(store, "_create", dying(step, before=before))
        with pytest.raises(KeyboardInterrupt):
            store.keep(seal(sequence), segment)
        again = FileSealStore(tmp_path / "seals")
        for each in again.seals():
            assert b"".join(again.segment(each)) == LINES
        again.keep(seal(sequence), segment)
        assert again.head() == seal(sequence)
    assert not [path for path in (tmp_path / "seals").iterdir() if path.name.startswith("writing-")]


def test_names_what_is_gone_or_broken(store: FileSealStore, segment: Path, tmp_path: Path) -> None:
    """Asiento names the file that is not as it was made."""
    store.keep(seal(), segment)
    for path in (tmp_path / "seals").glob("segment-*"):
        assert path.stat().st_mode & 0o222 == 0
        path.unlink()
    with pytest.raises(TerminalError, match=r"the segment of seal 1 .* is gone; bring segment-.*ndjson back"):
        list(store.segment(seal()))
    kept = tmp_path / "seals" / "seal-00000001.json"
    kept.chmod(0o644)
    kept.write_bytes(kept.read_bytes().replace(b"test", b"tost"))
    with pytest.raises(TerminalError, match=r"seal-00000001\.json is not as it was made"):
        store.head()
