"""The demonstration: a season through the real door, and proofs that can fail."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from local.demo import report, season
from local.demo.season import SeasonStory
from shared.domain.errors import SettingsError
from shared.domain.outcomes import Outcome
from shared.pipeline.automatic_rate import NO_PAYMENTS

SEED = 11


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> SeasonStory:
    """Return what a small season's demonstration saw."""
    return season.tell(tmp_path_factory.mktemp("demo"), sales=150, seed=SEED, is_fresh=False)


def test_proves_a_disturbed_season(story: SeasonStory) -> None:
    """Asiento ends a season of duplicates, losses, forgeries and reordering with every proof holding."""
    print(f"seed {SEED}")  # noqa: T201  what is needed to see it again
    assert [sentence for holds, sentence in report.proofs(story) if not holds] == []
    for disturbance in ("duplicated", "lost", "forged", "reordered"):
        assert story.planned[disturbance] > 0, disturbance
    assert story.differences_opened > 0
    assert story.rebuilt is not None
    assert len(story.rebuilt.certified) >= 6


BREAKS: dict[str, Callable[[SeasonStory], None]] = {
    "kept before it was acknowledged": lambda story: story.kept.subtract({"webhook": 1}),
    "forged request": lambda story: setattr(story, "rejected", story.rejected - 1),
    "has an outcome": lambda story: story.outcomes.update({Outcome.FAILED: 1}),
    "gap is closed": lambda story: setattr(story, "differences_open", 1),
    "closed month agrees": lambda story: setattr(story, "rebuilt", None),
    "own books": lambda story: setattr(
        story, "figures", [story.figures[0]._replace(certified_minor=story.figures[0].certified_minor + 1)]
    ),
    "without a person": lambda story: setattr(story, "matched", NO_PAYMENTS),
    "traced": lambda story: setattr(story, "traced", None),
    "state hash": lambda story: setattr(story, "clean_hash", "other"),
}


@pytest.mark.parametrize("proof", BREAKS, ids=str)
def test_a_proof_fails_when_what_it_says_is_not_so(story: SeasonStory, proof: str) -> None:
    """Asiento's demonstration fails exactly the proof that is broken, a cent or one delivery being enough."""
    broken = replace(story, kept=Counter(story.kept), outcomes=dict(story.outcomes))
    BREAKS[proof](broken)
    failed = [sentence for holds, sentence in report.proofs(broken) if not holds]
    assert any(proof in sentence for sentence in failed)
    # One delivery fewer also leaves one outcome too many.
    assert all(proof in sentence or "acknowledged" in proof for sentence in failed)


def test_tells_the_story(story: SeasonStory, capsys: pytest.CaptureFixture[str]) -> None:
    """Asiento shows what happened, what is certified and one traced number, and says it to scripts as well."""
    assert report.show(story)
    shown = capsys.readouterr().out
    for part in ("lost on the way", "certified", "signature verified again", "state hash"):
        assert part in shown
    document = report.document(story)
    assert all(each["holds"] for each in document["proofs"])
    assert document["state_hash"] == document["clean_state_hash"]


def test_does_not_overwrite_what_somebody_keeps(tmp_path: Path) -> None:
    """Asiento starts no demonstration over data that nobody said may go."""
    (tmp_path / "raw.db").write_bytes(b"somebody's")
    with pytest.raises(SettingsError, match="--fresh"):
        season.tell(tmp_path, sales=150, seed=SEED, is_fresh=False)
    assert (tmp_path / "raw.db").read_bytes() == b"somebody's"
