"""Asiento wires its verbs on Google Cloud from settings alone, and opens what each verb uses and no more."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.context import world
from scripts.bundle_environments import GOOGLE
from shared.domain.errors import SettingsError
from shared.runtime import wiring
from shared.runtime.google import GoogleParts
from shared.runtime.parts import Parts
from shared.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
NEEDED = [name for name in GOOGLE if name.startswith("ASIENTO_") and name != "ASIENTO_WORLD"]


def _reconciled(parts: Parts) -> None:
    with wiring.reconciling(parts):
        return


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleParts]:
    """The Google world, its clients pointed at addresses that nobody serves."""
    for name, value in GOOGLE.items():
        if name.endswith("_EMULATOR_HOST"):
            monkeypatch.setenv(name, value)
    world = GoogleParts(Settings.from_environment(GOOGLE))
    yield world
    world.close()


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_setting_names_itself(missing: str) -> None:
    """Asiento refuses to start on Google Cloud while a setting is missing, and names exactly that one."""
    given = {name: value for name, value in GOOGLE.items() if name != missing}
    with pytest.raises(SettingsError, match=missing) as refused:
        Settings.from_environment(given)
    assert [name for name in NEEDED if name in str(refused.value)] == [missing]


def test_names_all_that_is_missing_at_once() -> None:
    """Asiento names every missing setting in one refusal, so that a deployment is mended once."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"ASIENTO_WORLD": "google"})
    assert [name for name in NEEDED if name in str(refused.value)] == NEEDED


def test_the_deployment_sets_what_the_functions_need() -> None:
    """Asiento's deployment gives its functions every setting without which they refuse to start, and none unknown."""
    text = (ROOT / "infra" / "terraform" / "functions.tf").read_text(encoding="utf-8")
    given = {word for word in text.split() if word.startswith("ASIENTO_")}
    Settings.from_environment({name: "google" if name == "ASIENTO_WORLD" else "x" for name in given})
    assert given >= set(NEEDED)


def test_what_runs_on_one_machine_refuses_the_cloud() -> None:
    """Asiento does not serve a folder while the environment names the cloud."""
    with pytest.raises(SettingsError, match="ASIENTO_WORLD=google"):
        wiring.embedded(Settings.from_environment(GOOGLE))


def test_a_command_opens_the_world_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento's commands ask the cloud where ASIENTO_WORLD says so, and a home folder where it does not."""
    with pytest.raises(SettingsError, match="asiento demo"), world(tmp_path / "nothing"):
        pytest.fail("there is nothing to open")
    for name, value in GOOGLE.items():
        monkeypatch.setenv(name, value)
    with world(tmp_path / "nothing") as parts:
        assert isinstance(parts, GoogleParts)
        assert parts.settings.project == "project"


def test_closing_leaves_nothing_open(parts: GoogleParts) -> None:
    """Asiento gives every client back when a world is closed, and opens new ones when it is asked again."""
    for wire in (wiring.deriving, wiring.receiving, wiring.rebuilding):
        wire(parts)
    before = parts.ledger
    parts.close()
    assert vars(parts) == {"settings": parts.settings}
    assert parts.ledger is not before


OPENED: dict[str, tuple[Callable[[Parts], object], set[str]]] = {
    "receive": (wiring.receiving, {"_storage_client", "_publisher", "_secrets_client"}),
    "derive": (wiring.deriving, {"_storage_client", "_firestore_client"}),
    "reconcile": (_reconciled, {"_storage_client", "_publisher", "_firestore_client"}),
    "rebuild_bi": (wiring.rebuilding, {"_storage_client", "_firestore_client"}),
    "trace": (wiring.tracing, {"_storage_client", "_firestore_client", "_secrets_client"}),
}
"""Verb to how it is wired and the clients that this opens, beside BigQuery's, which is the warehouse's own."""


@pytest.mark.parametrize("verb", OPENED)
def test_a_verb_opens_only_what_it_uses(verb: str, parts: GoogleParts) -> None:
    """Asiento opens for a verb the clients of its own ports and no other."""
    wire, clients = OPENED[verb]
    wire(parts)
    assert {name for name in vars(parts) if name.endswith("client") or name == "_publisher"} == clients
    assert ("warehouse" in vars(parts)) == (verb in ("rebuild_bi", "trace"))
