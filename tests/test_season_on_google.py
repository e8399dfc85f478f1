"""A season on Google adapters: the same ledger, the same certified figures, and the commands that ask the cloud."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.cli import app
from shared.domain.outcomes import Outcome
from tests.emulators.project import Emulators, Project
from tests.season_on_google import CloudStory, Course, proofs, show, tell

SEEDS = (7, 23) if os.environ.get("ASIENTO_SEARCH") == "deep" else (7,)
ON_BIGQUERY = (7,)
"""The other season has the embedded warehouse, as where bqemulator cannot be installed."""
LAST_DAY = date(2026, 1, 3)
SALES = 30


@dataclass(frozen=True, slots=True)
class Lived:
    """A season that was lived, and the project that it lies in."""

    story: CloudStory
    project: Project


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed {seed}")
def lived(request: pytest.FixtureRequest) -> Iterator[Lived]:
    """A small season with every kind of accident, in a project that stays until its tests are done."""
    seed = int(request.param)
    with Emulators.running(with_bigquery=seed in ON_BIGQUERY) as emulators:
        name = f"season-{seed}"
        yield Lived(tell(Course(SALES, seed, LAST_DAY), emulators, name), Project(name, emulators))


def test_comes_out_as_embedded(lived: Lived) -> None:
    """Asiento gives the same state hash and the same certified figures on Google adapters as embedded (I11)."""
    google = lived.story.google
    assert [sentence for holds, sentence in proofs(lived.story) if not holds] == []
    for accident in ("duplicated", "lost", "forged", "reordered"):
        assert google.planned[accident] > 0, accident
    assert google.kept["fetch"] > 0
    assert google.rebuilt is not None
    assert google.rebuilt.certified


def test_counts_what_a_delivery_costs(lived: Lived) -> None:
    """Asiento receives and derives a webhook with one object created, two reads of it, one transaction and one push.

    Beside that a person costs a few objects once, when somebody is heard of first (docs/operations.md).
    """
    kept = lived.story.google.kept["webhook"]
    received = lived.story.received
    forged = lived.story.google.planned["forged"]
    key_objects = len(lived.project.emulators.storage.buckets.objects[lived.project.key_bucket])
    beside = received["Cloud Storage", "objects.insert"] - kept - forged
    # Creating what is there already counts too; the rejected store writes its counts once a minute.
    assert 0 <= beside <= 3 + 2 * key_objects
    assert received["Cloud Storage", "objects.get"] == kept
    assert kept <= received["Cloud Storage", "objects.get_media"] <= kept + key_objects
    assert kept <= received["Firestore", "Commit"] + received["Firestore", "Rollback"] <= kept + kept // 2
    assert 0 < received["Pub/Sub", "Publish"] <= kept
    assert lived.story.pushed >= kept + lived.story.google.kept["fetch"]


BREAKS: dict[str, Callable[[CloudStory], CloudStory]] = {
    "state hash": lambda story: replace(story, embedded=replace(story.embedded, hash="other")),
    "certified figures are those": lambda story: replace(story, embedded=replace(story.embedded, rebuilt=None)),
    "given up": lambda story: replace(story, dead_letters=1),
    "reconcile door": lambda story: replace(story, fetched_by_door=0),
    "gap is closed": lambda story: replace(story, google=replace(story.google, differences_open=1)),
}


@pytest.mark.parametrize("proof", BREAKS, ids=str)
def test_a_proof_fails_when_what_it_says_is_not_so(lived: Lived, proof: str) -> None:
    """Asiento's season on Google adapters fails exactly the proof that is broken, and says so to whoever runs it."""
    broken = BREAKS[proof](lived.story)
    (failed,) = [sentence for holds, sentence in proofs(broken) if not holds]
    assert proof in failed
    assert show(lived.story)
    assert not show(broken)


def test_the_commands_ask_the_cloud(lived: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento's commands answer from the project that the environment names; a replay from it gives its state hash here."""
    for name, value in lived.project.settings().items():
        monkeypatch.setenv(name, value)
    google = lived.story.google
    assert asked("state-hash") == {"state_hash": google.hash}
    counts = asked("outcomes")["counts"]
    assert counts == {outcome.value: google.outcomes.get(outcome, 0) for outcome in Outcome}
    assert isinstance(asked("exceptions"), list)
    here = asked("replay", "--into", str(tmp_path))
    assert (sum(here["replayed"].values()), here["state_hash"]) == (google.kept.total(), google.hash)
    again = asked("replay", "--of", Outcome.APPLIED.value)
    assert again["state_hash"] == google.hash
    assert sum(again["replayed"].values()) == google.outcomes[Outcome.APPLIED]
    assert asked("reconcile", "stragglers", "--from", "2026-01-01")["runs"][0]["status"] == "succeeded"


def asked(*arguments: str) -> Any:
    """Run a command and return what it answers to scripts."""
    answer = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)
