"""Asiento's secrets from Secret Manager: remembered, and not asked for at the pace of whoever posts rubbish."""

import pytest
from google.cloud.secretmanager_v1 import SecretManagerServiceClient

from shared.adapters.google.secrets import GoogleSecrets
from shared.domain.errors import TerminalError, TransientError
from tests.conformance.conftest import set_versions
from tests.emulators.faults import Fault
from tests.emulators.fixtures import HURRIED, QUICK, fresh_name
from tests.emulators.secret_manager import SecretManagerEmulator


@pytest.fixture
def project(secret_manager_client: SecretManagerServiceClient, secret_manager: SecretManagerEmulator) -> str:
    """A project with one secret of three versions, of which the first is disabled."""
    name = fresh_name("asiento")
    set_versions(secret_manager_client, name, "betterez-webhook", ("first",))
    set_versions(secret_manager_client, name, "betterez-webhook", ("third\n", "second"))
    secret_manager.faults.clear()
    return name


def test_versions_are_read_once(
    secret_manager_client: SecretManagerServiceClient, secret_manager: SecretManagerEmulator, project: str
) -> None:
    """Asiento asks Secret Manager once for a thousand deliveries; a line break at the end of a value is not part of it."""
    secrets = GoogleSecrets(secret_manager_client, project, QUICK)
    assert {secrets.versions("betterez-webhook") for _ in range(1000)} == {("third", "second")}
    assert secret_manager.faults.calls == {"ListSecretVersions": 1, "AccessSecretVersion": 2}


def test_a_flood_of_wrong_signatures_does_not_reach_secret_manager(
    secret_manager_client: SecretManagerServiceClient, secret_manager: SecretManagerEmulator, project: str
) -> None:
    """Asiento refreshes once in a while, however many signatures fail."""
    secrets = GoogleSecrets(secret_manager_client, project, QUICK, refresh_every_s=3600.0)
    for _ in range(1000):
        secrets.refresh("betterez-webhook")
    assert secret_manager.faults.calls["ListSecretVersions"] == 1


def test_a_secret_that_is_not_there_is_remembered_too(
    secret_manager_client: SecretManagerServiceClient, secret_manager: SecretManagerEmulator, project: str
) -> None:
    """Asiento does not ask again and again for a secret that nobody made."""
    secrets = GoogleSecrets(secret_manager_client, project, QUICK)
    assert [secrets.versions("nobody-made-it") for _ in range(10)] == [()] * 10
    assert secret_manager.faults.calls["ListSecretVersions"] == 1


def test_a_disabled_version_is_forgotten_by_itself(
    secret_manager_client: SecretManagerServiceClient, project: str
) -> None:
    """Asiento stops accepting a disabled version even if no signature ever fails."""
    secrets = GoogleSecrets(secret_manager_client, project, QUICK, remember_s=0.0)
    assert secrets.versions("betterez-webhook") == ("third", "second")
    set_versions(secret_manager_client, project, "betterez-webhook", ("fourth",))
    assert secrets.versions("betterez-webhook") == ("fourth",)


def test_an_outage_is_transient_and_a_missing_role_is_named(
    secret_manager_client: SecretManagerServiceClient, secret_manager: SecretManagerEmulator, project: str
) -> None:
    """Asiento tells an outage from a missing permission, with no value of a secret in either message."""
    secrets = GoogleSecrets(secret_manager_client, project, HURRIED)
    secret_manager.faults.plan("AccessSecretVersion", Fault.PERMISSION_DENIED)
    with pytest.raises(TerminalError, match="grant the custom role secret_reader"):
        secrets.versions("betterez-webhook")
    secret_manager.faults.by_chance = lambda _: Fault.UNAVAILABLE
    with pytest.raises(TransientError) as raised:
        secrets.versions("betterez-webhook")
    secret_manager.faults.by_chance = None
    assert "third" not in str(raised.value)
    assert secrets.versions("betterez-webhook") == ("third", "second")
