"""Asiento loses nothing while a secret is rotated, whoever moves first and whatever is remembered of the old one."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from google.cloud.secretmanager_v1 import SecretManagerServiceClient

from shared.adapters.embedded.secrets import FileSecrets
from shared.adapters.google.secrets import GoogleSecrets
from shared.domain.errors import RefusedError
from shared.domain.times import ALL_TIME
from shared.pipeline.readmit import readmit
from shared.pipeline.receive import Call, Receiving, receive
from shared.ports.secrets import Secrets
from shared.runtime import wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.settings import Settings
from tests.conformance.conftest import set_versions
from tests.conformance.samples import NOON
from tests.emulators.fixtures import QUICK, fresh_name
from tests.functions.signed import encoded, event, payment, signature

NAME, OLD, NEW = "betterez-webhook", "the-old-key", "the-new-key"
HOURS = 12


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[EmbeddedParts]:
    """Real stores; the secrets are those of the test."""
    with closing(wiring.embedded(Settings(home=tmp_path / "home", providers=("betterez",)))) as opened:
        yield opened


@pytest.fixture(params=["files", "google", "google, flooded with wrong signatures"])
def vault(
    request: pytest.FixtureRequest, tmp_path: Path, secret_manager_client: SecretManagerServiceClient
) -> tuple[Secrets, Callable[..., None], Callable[[], Secrets]]:
    """What a door remembers of the secrets, the hand that rotates them, and what a new process would read."""
    if request.param == "files":
        folder = tmp_path / "secrets"
        folder.mkdir()
        return FileSecrets(folder), lambda *live: _write(folder / NAME, live), lambda: FileSecrets(folder)
    project = fresh_name("asiento")
    # Flooded: the door has asked a moment ago, and asks no sooner again, so that it does not hear of a new version yet.
    refresh_every_s = 3600.0 if "flooded" in request.param else 0.0
    return (
        GoogleSecrets(secret_manager_client, project, QUICK, refresh_every_s=refresh_every_s),
        lambda *live: set_versions(secret_manager_client, project, NAME, live),
        lambda: GoogleSecrets(secret_manager_client, project, QUICK),
    )


def _write(path: Path, live: tuple[str, ...]) -> None:
    path.write_text("\n".join(live))


def post(world: Receiving, hour: int, key: str) -> bool:
    """Post a sale of its own, signed with a key; return whether the door opened."""
    body = encoded(event(f"sale of hour {hour}", payment(referenceNumber=f"R{hour}")))
    at = NOON + timedelta(hours=hour)
    try:
        asyncio.run(receive(Call("betterez", "/betterez", signature(body, at, key), body), world, at))
    except RefusedError:
        return False
    return True


Vault = tuple[Secrets, Callable[..., None], Callable[[], Secrets]]


@pytest.mark.parametrize("added_at", [3, 6, 9], ids=["before the provider", "with the provider", "after the provider"])
def test_a_rotation_loses_nothing(parts: EmbeddedParts, vault: Vault, added_at: int) -> None:
    """Asiento keeps every delivery of a rotation exactly once: at the door, or by readmission where the new key came late.

    The provider signs with the new key from the sixth hour on; ours is added before, then, or after.
    """
    secrets, rotate, anew = vault
    rotate(OLD)
    world = replace(wiring.receiving(parts), secrets=secrets)
    opened = []
    for hour in range(HOURS):
        if hour == added_at:
            rotate(NEW, OLD)
        opened.append(post(world, hour, NEW if hour >= 6 else OLD))
    assert all(opened[:6]), "what is signed with the old key is let in as long as that is live"
    readmit(replace(wiring.readmitting(parts), secrets=anew()))
    kept = [delivery.received_at for delivery in parts.raw.deliveries(ALL_TIME)]
    assert kept == [NOON + timedelta(hours=hour) for hour in range(HOURS)]
    assert list(parts.rejected.rejected()) == []
    if added_at <= 6 and isinstance(secrets, FileSecrets):
        assert all(opened)


def test_a_secret_that_was_taken_back_opens_no_door(parts: EmbeddedParts, vault: Vault) -> None:
    """Asiento stops accepting a key once it is taken back and the door has looked, and readmits nothing signed with it."""
    secrets, rotate, anew = vault
    rotate(NEW, OLD)
    world = replace(wiring.receiving(parts), secrets=secrets)
    assert post(world, 0, OLD)
    rotate(NEW)
    fresh = replace(world, secrets=anew())
    assert not post(fresh, 1, OLD)
    assert post(fresh, 2, NEW)
    assert readmit(replace(wiring.readmitting(parts), secrets=anew())).readmitted == {}


def test_a_secret_that_leaked_is_out_at_once_on_one_machine(parts: EmbeddedParts, tmp_path: Path) -> None:
    """Asiento's running door on one machine sees that a key's file has changed with the very next delivery."""
    (tmp_path / NAME).write_text(f"{NEW}\n{OLD}\n")
    world = replace(wiring.receiving(parts), secrets=FileSecrets(tmp_path))
    assert post(world, 0, OLD)
    (tmp_path / NAME).write_text(f"{NEW}\n")
    assert not post(world, 1, OLD)
