"""A rebuild from sealed segments: the same build, and none at all where a segment is not what was sealed."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from shared.adapters.embedded.seal_store import FileSealStore
from shared.domain.errors import TerminalError
from shared.domain.seals import Seal, canonical_json, read_seal
from shared.pipeline.rebuild_bi import build_hash
from shared.pipeline.seal import Sealing, seal, seal_late
from shared.ports.seal_store import segment_name
from tests.bi.small_season import AS_OF, SmallSeason, SmallWorld

SEED = 31


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    """The small season, derived and published without seals."""
    world = SmallWorld(tmp_path)
    world.keep_and_derive(SmallSeason().deliveries)
    world.rebuild("build-1")
    yield world
    world.close()


@pytest.fixture
def seals(world: SmallWorld, tmp_path: Path) -> FileSealStore:
    """Its closed hours, sealed."""
    seals = FileSealStore(tmp_path / "seals")
    assert seal(Sealing(world.raw, seals, "code-of-the-test"), AS_OF)
    return seals


def test_is_the_build_that_reading_every_object_gives(world: SmallWorld, seals: FileSealStore) -> None:
    """Asiento rebuilds the same from segments, to the digest of what came and of every row."""
    unsealed = world.rebuild("build-2")
    digest = build_hash(world.warehouse, "build-2")
    sealed = world.rebuild("build-3", seals=seals)
    assert (sealed.raw_count, sealed.raw_digest) == (unsealed.raw_count, unsealed.raw_digest)
    assert sealed.raw_count > 0
    assert build_hash(world.warehouse, "build-3") == digest
    assert sealed.certified
    assert sealed.certified == unsealed.certified


def unjudged(line: bytes) -> bytes:
    """Return a line as it was sealed before lines said what their bodies are."""
    said = json.loads(line)
    said["body"] = said.pop("json") if "json" in said else said.pop("text")
    return canonical_json(said) + b"\n"


def _sealed_before(seals: FileSealStore, folder: Path) -> FileSealStore:
    """Return the same seals with every other segment as it was written before lines said what their bodies are."""
    before, former = FileSealStore(folder / "before"), None
    for each in seals.seals():
        lines = [unjudged(line) if each.sequence % 2 else line for line in seals.segment(each)]
        path = folder / "segment.ndjson"
        path.write_bytes(b"".join(lines))
        contents = replace(each.contents, segment_sha256=sha256(path.read_bytes()).hexdigest())
        previous = former.seal_hash if former else each.previous
        former = replace(each, contents=contents, previous=previous)
        before.keep(former, path)
    return before


def test_is_the_same_build_from_the_first_seals(world: SmallWorld, seals: FileSealStore, tmp_path: Path) -> None:
    """Asiento rebuilds the same from segments of before lines said what their bodies are, between others that do."""
    now = world.rebuild("build-2", seals=seals)
    digest = build_hash(world.warehouse, "build-2")
    before = world.rebuild("build-3", seals=_sealed_before(seals, tmp_path))
    assert (before.raw_count, before.raw_digest) == (now.raw_count, now.raw_digest)
    assert build_hash(world.warehouse, "build-3") == digest


def test_is_the_same_build_with_what_came_late(tmp_path: Path) -> None:
    """Asiento rebuilds the same whether what came was sealed in its hour, later by an addendum, or not yet."""
    print(f"seed {SEED}")  # noqa: T201  a failure is replayed from it
    chance = random.Random(SEED)  # noqa: S311  a seeded test
    came = list(SmallSeason().deliveries)
    chance.shuffle(came)
    world, seals = SmallWorld(tmp_path), FileSealStore(tmp_path / "seals")
    sealing = Sealing(world.raw, seals, "code-of-the-test")
    third = len(came) // 3
    world.keep_and_derive(came[:third])
    seal(sealing, AS_OF - timedelta(days=20))
    world.keep_and_derive(came[third : 2 * third])
    seal_late(sealing, AS_OF)
    world.keep_and_derive(came[2 * third :])
    sealed = world.rebuild("build-1", seals=seals)
    digest = build_hash(world.warehouse, "build-1")
    unsealed = world.rebuild("build-2")
    assert (sealed.raw_count, sealed.raw_digest) == (unsealed.raw_count, unsealed.raw_digest)
    assert sealed.raw_count == len(came)
    assert build_hash(world.warehouse, "build-2") == digest
    world.close()


class _ChangedMeanwhile(FileSealStore):
    """A seal store in which a segment loses a line between its reading and its loading."""

    def address(self, seal: Seal) -> str:
        """Return where the segment lies, without its last line."""
        path = Path(super().address(seal))
        path.chmod(0o644)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
        return str(path)


@pytest.mark.usefixtures("seals")
def test_a_segment_that_changes_meanwhile_stops_the_build(world: SmallWorld, tmp_path: Path) -> None:
    """Asiento counts what was loaded against what it has read, and builds nothing where they differ."""
    shown = world.shown()
    with pytest.raises(TerminalError, match=r"deliveries were read and \d+ loaded: a segment changed meanwhile"):
        world.rebuild("build-2", seals=_ChangedMeanwhile(tmp_path / "seals"))
    assert world.shown() == shown


def _a_flipped_letter(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """Change one letter inside the body of one line, which stays a line that can be read."""
    at = chance.randrange(len(lines))
    body = lines[at].index(b'"json":"') + 8
    places = [place for place in range(body, len(lines[at])) if lines[at][place : place + 1].isdigit()]
    place = chance.choice(places)
    changed = b"7" if lines[at][place : place + 1] != b"7" else b"8"
    return [*lines[:at], lines[at][:place] + changed + lines[at][place + 1 :], *lines[at + 1 :]]


def _a_line_gone(lines: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(lines))
    return lines[:at] + lines[at + 1 :]


def _a_line_twice(lines: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(lines))
    return lines[: at + 1] + lines[at:]


def _half_a_line(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return [*lines[:-1], lines[-1][: chance.randrange(1, len(lines[-1]))]]


@pytest.mark.parametrize("change", [_a_flipped_letter, _a_line_gone, _a_line_twice, _half_a_line])
def test_a_changed_segment_stops_the_build(
    world: SmallWorld,
    seals: FileSealStore,
    tmp_path: Path,
    change: Callable[[list[bytes], random.Random], list[bytes]],
) -> None:
    """Asiento builds nothing from a segment that is not what was sealed, and what is published stays as it is."""
    print(f"seed {SEED}")  # noqa: T201  a failure is replayed from it
    shown = world.shown()
    chance = random.Random(SEED)  # noqa: S311  a seeded test
    victim = chance.choice([each for each in seals.seals() if each.contents.object_count])
    path = tmp_path / "seals" / segment_name(victim)
    path.chmod(0o644)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True), chance)))
    with pytest.raises(TerminalError, match=rf"segment of seal {victim.sequence} |was sealed and is gone"):
        world.rebuild("build-2", seals=seals)
    assert world.shown() == shown
    assert world.rebuild("build-3").certified


def _replaced(seal_: Seal) -> Seal:
    return replace(seal_, code_version="other")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [(_replaced, "does not follow seal 2 .*: one was replaced"), (lambda _: None, "seal 2 is gone: seal 3")],
    ids=["replaced", "gone"],
)
def test_a_broken_chain_stops_the_build(
    world: SmallWorld,
    seals: FileSealStore,
    tmp_path: Path,
    change: Callable[[Seal], Seal | None],
    complaint: str,
) -> None:
    """Asiento builds nothing on a chain in which a seal was replaced by another whole one, or taken away."""
    path = sorted((tmp_path / "seals").glob("seal-*.json"))[1]
    changed = change(read_seal(path.read_bytes(), path.name))
    path.chmod(0o644)
    path.unlink()
    if changed is not None:
        path.write_bytes(changed.to_bytes())
    with pytest.raises(TerminalError, match=complaint):
        world.rebuild("build-2", seals=seals)
