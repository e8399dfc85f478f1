"""What any store of secrets must do: give the live versions, newest first, and see a rotation when asked to look."""

import pytest

from shared.domain.errors import SettingsError
from tests.conformance.conftest import SecretWorld


def test_a_secret_that_is_not_there_has_no_versions(secret_world: SecretWorld) -> None:
    """Asiento finds no versions of a secret that nobody made: the door then refuses, naming it."""
    assert secret_world.secrets.versions("betterez-webhook") == ()


def test_live_versions_come_newest_first(secret_world: SecretWorld) -> None:
    """Asiento accepts what is signed with the new key or the one before it."""
    secret_world.rotate("betterez-webhook", ("new", "old"))
    assert secret_world.secrets.versions("betterez-webhook") == ("new", "old")
    secret_world.rotate("stripe-webhook", ("only",))
    assert secret_world.secrets.versions("stripe-webhook") == ("only",)


def test_a_rotation_is_seen_by_a_refresh(secret_world: SecretWorld) -> None:
    """Asiento reads the versions again when a signature fails, and remembers what it read."""
    secret_world.rotate("betterez-webhook", ("second", "first"))
    assert secret_world.secrets.versions("betterez-webhook") == ("second", "first")
    secret_world.rotate("betterez-webhook", ("third", "second"))
    assert secret_world.secrets.refresh("betterez-webhook") == ("third", "second")
    assert secret_world.secrets.versions("betterez-webhook") == ("third", "second")


def test_a_revoked_version_is_gone_after_a_refresh(secret_world: SecretWorld) -> None:
    """Asiento stops accepting a version that was taken back."""
    secret_world.rotate("betterez-webhook", ("new", "leaked"))
    secret_world.secrets.versions("betterez-webhook")
    secret_world.rotate("betterez-webhook", ("new",))
    assert secret_world.secrets.refresh("betterez-webhook") == ("new",)


@pytest.mark.parametrize("name", ["", "../etc", "Upper", "with space", "a/b"])
def test_a_name_that_is_none_is_refused(secret_world: SecretWorld, name: str) -> None:
    """Asiento refuses what cannot be the name of a secret, before it looks anywhere."""
    with pytest.raises(SettingsError):
        secret_world.secrets.versions(name)
