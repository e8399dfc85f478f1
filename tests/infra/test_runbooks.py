"""What the runbooks promise: one form, and no command that names what is not there."""

import json
import re
from pathlib import Path

import pytest

from shared.pipeline.reconcile import JOBS
from shared.runtime.jobs import JobCall
from shared.runtime.settings import VARIABLES
from tests.infra.terraform import Configuration

RUNBOOKS = (
    "deploy_from_nothing",
    "rotate_a_secret",
    "redrive_dead_letters",
    "replay_a_day",
    "restore",
    "roll_back",
    "decommission",
    "readmit_rejected",
    "turned_away",
    "settle_a_conflict",
    "mend_an_unforeseen_error",
    "wait_for_a_provider",
    "deploy_a_cube",
    "judge_an_anomaly",
    "explain_a_restatement",
)
PARTS = ["Symptom", "Check", "Action", "Verification"]
COMMANDS = {
    "demo",
    "serve",
    "simulate",
    "replay",
    "reconcile",
    "rebuild",
    "restatements",
    "dictionary",
    "analytics",
    "certify",
    "trace",
    "outcomes",
    "exceptions",
    "state-hash",
    "readmit",
    "contract",
    "decide",
    "quality",
    "seal",
    "verify",
}
"""The commands of `asiento`."""


@pytest.fixture(scope="module")
def pages(repository: Path) -> dict[str, str]:
    """Return every page by its name."""
    return {path.stem: path.read_text() for path in (repository / "docs" / "runbooks").glob("*.md")}


@pytest.fixture(scope="module")
def commands(pages: dict[str, str]) -> list[str]:
    """Return every line of every shell block, continued lines joined."""
    blocks = [block for page in pages.values() for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)]
    return [line.strip() for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines() if line.strip()]


def test_there_is_a_runbook_for_each_occasion(pages: dict[str, str]) -> None:
    """Asiento has a runbook for each occasion, each listed on the first page."""
    assert set(pages) == {*RUNBOOKS, "README"}
    assert all(f"]({name}.md)" in pages["README"] for name in RUNBOOKS)


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_has_four_parts(pages: dict[str, str], name: str) -> None:
    """Asiento's runbooks say symptom, check, action and verification, in this order, and none is empty."""
    parts = re.split(r"^## (.+)$", pages[name], flags=re.MULTILINE)
    assert parts[1::2] == PARTS
    assert all(len(text.split()) > 5 for text in parts[2::2])


def test_runbooks_use_commands_that_there_are(commands: list[str]) -> None:
    """Asiento's runbooks call `asiento` by its commands and gcloud by no made-up job, subscription or function."""
    used = {match[1] for line in commands if (match := re.match(r"asiento ([a-z-]+)", line))}
    assert used
    assert used <= COMMANDS


def test_runbooks_name_jobs_that_there_are(configuration: Configuration, commands: list[str]) -> None:
    """Asiento's runbooks start and pause scheduled jobs by the names that Terraform gives them."""
    jobs = _jobs(configuration)
    text = "\n".join(commands)
    named = set(re.findall(r"scheduler jobs run asiento-([\w-]+)", text))
    assert named
    assert named <= jobs
    for loop in re.findall(r"for job in (.+?); do", text):
        assert set(loop.split()) == jobs, "what is paused must be every job"


def test_every_job_of_reconcile_is_scheduled(configuration: Configuration) -> None:
    """Asiento starts every job of reconcile by the clock, and sealing, in words that its door takes, and all jobs every night."""
    asked = re.findall(
        r'([\w-]+)=\{function="reconcile"schedule="[^"]+"body=\{job="(\w+)"days=(\d+)\}', _jobs_text(configuration)
    )
    calls = [JobCall.read(json.dumps({"job": job, "days": int(days)}).encode()) for _, job, days in asked]
    assert {call.job for call in calls} == {*(job.name for job in JOBS), "all", "seal"}
    assert {name for name, _, _ in asked} | {"rebuild-bi"} == _jobs(configuration)


def test_runbooks_name_subscriptions_that_there_are(configuration: Configuration, commands: list[str]) -> None:
    """Asiento's runbooks touch subscriptions by the names that Terraform gives them, and stop every stream at once."""
    text = "\n".join(commands)
    pulled = {
        block.attributes["name"].literal
        for (type_, name), block in configuration.resources.items()
        if type_ == "google_pubsub_subscription" and name != "stream"
    }
    named = set(re.findall(r"pubsub subscriptions (?:pull|seek) ([\w-]+)", text))
    assert named
    assert named <= pulled
    streams = {*configuration.locals["channels"].literals, "other"}
    assert [set(loop.split()) for loop in re.findall(r"for stream in (.+?); do", text)] == [streams]
    assert (
        configuration.resources["google_pubsub_subscription", "stream"].attributes["name"].text
        == '"derive-${each.key}"'
    )


def test_runbooks_set_settings_that_there_are(commands: list[str]) -> None:
    """Asiento's runbooks export variables that the settings know."""
    exported = {
        name for line in commands if line.startswith("export ") for name in re.findall(r"ASIENTO_([A-Z_]+)=", line)
    }
    assert exported
    assert exported <= {name.upper() for name in VARIABLES}


def test_links_lead_somewhere(repository: Path) -> None:
    """Asiento's pages about the cloud link to pages that there are."""
    for page in [
        *(repository / "docs" / "runbooks").glob("*.md"),
        repository / "docs" / "deploy.md",
        repository / "docs" / "iam.md",
    ]:
        for target in re.findall(r"\]\(([^)#:]+\.md)\)", page.read_text()):
            assert (page.parent / target).is_file(), f"{page.name} links to {target}"


def _jobs_text(configuration: Configuration) -> str:
    return configuration.locals["jobs"].text.replace(",", "")


def _jobs(configuration: Configuration) -> set[str]:
    return set(re.findall(r"([\w-]+)=\{function=", _jobs_text(configuration)))
