"""What the way from a commit to a deployment promises."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    """Return the build's source."""
    return (repository / "cloudbuild.yaml").read_text()


@pytest.fixture(scope="module")
def steps(text: str) -> dict[str, Any]:
    """Return the steps by id, in order."""
    return {step["id"]: step for step in yaml.safe_load(text)["steps"]}


def test_nothing_is_applied_that_was_not_checked_tested_and_planned(steps: dict[str, Any]) -> None:
    """Asiento goes through its gates in one order, one step after the other, and knocks at the doors last."""
    assert list(steps) == ["check", "test", "bundle", "format", "init", "validate", "plan", "apply", "smoke"]
    assert not any("waitFor" in step or step.get("allowFailure") for step in steps.values())


def test_only_main_is_applied_and_only_what_was_planned(steps: dict[str, Any]) -> None:
    """Asiento applies the plan of this very build, and on no other branch than main."""
    plan, apply = " ".join(steps["plan"]["args"]), steps["apply"]["args"][-1]
    assert "-out=/workspace/asiento.tfplan" in plan
    guard, effect = apply.split("fi\n", 1)
    assert 'if [ "$BRANCH_NAME" != main ]; then' in guard
    assert "exit 0" in guard
    assert "terraform apply -lock-timeout=300s /workspace/asiento.tfplan" in effect
    assert "auto-approve" not in apply


def test_every_image_is_pinned(steps: dict[str, Any]) -> None:
    """Asiento's build takes no image whose content changes under its name from one minor version to the next."""
    assert all(re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+(-\w+)?", step["name"]) for step in steps.values())


def test_the_build_runs_the_python_that_the_functions_run(steps: dict[str, Any], terraform: Path) -> None:
    """Asiento is tested on the minor version of Python that it is deployed on."""
    runtime = re.search(r'runtime\s+= "python(\d)(\d+)"', (terraform / "functions.tf").read_text())
    assert runtime is not None
    for name in ("check", "test", "bundle", "smoke"):
        assert steps[name]["name"].startswith(f"python:{runtime[1]}.{runtime[2]}.")


def test_terraform_is_new_enough_for_its_files(steps: dict[str, Any], terraform: Path) -> None:
    """Asiento's build uses one Terraform, and one that versions.tf accepts."""
    images = {step["name"] for step in steps.values() if "terraform" in step["name"]}
    assert len(images) == 1
    needed = re.search(r'required_version = ">= (\d+)\.(\d+)"', (terraform / "versions.tf").read_text())
    used = re.search(r":(\d+)\.(\d+)", images.pop())
    assert needed is not None
    assert used is not None
    assert (int(used[1]), int(used[2])) >= (int(needed[1]), int(needed[2]))


def test_the_plan_gets_what_no_environment_sets(steps: dict[str, Any]) -> None:
    """Asiento plans with the environment's file, this build's digests and this build's commit."""
    arguments = steps["plan"]["args"]
    assert "-var-file=environments/${_ENVIRONMENT}.tfvars" in arguments
    assert "-var-file=../../dist/bundles/digests.auto.tfvars.json" in arguments
    assert "-var=code_version=${COMMIT_SHA}" in arguments


def test_every_substitution_is_declared_and_used(text: str) -> None:
    """Asiento's build would be refused for a substitution that nothing uses, or that nothing declares."""
    declared = set(yaml.safe_load(text)["substitutions"])
    used = set(re.findall(r"\$\{?(_[A-Z]+)", text.split("steps:", 1)[1]))
    assert declared == used


def test_the_way_back_is_written_down(text: str) -> None:
    """Asiento's build says at its top how to undo it."""
    assert "The way back" in text.split("substitutions:", 1)[0]
