"""Asiento holds two live versions of a secret, so that a rotation loses nothing."""

from pathlib import Path

import pytest

from shared.adapters.embedded.secrets import EnvironmentSecrets, FileSecrets
from shared.domain.errors import SettingsError


def test_the_environment_holds_two_versions() -> None:
    """Asiento takes the newest version first and the previous one after it."""
    secrets = EnvironmentSecrets(
        {"ASIENTO_SECRET_STRIPE_WEBHOOK": "new", "ASIENTO_SECRET_STRIPE_WEBHOOK_PREVIOUS": "old"}
    )
    assert secrets.versions("stripe-webhook") == secrets.refresh("stripe-webhook") == ("new", "old")
    assert secrets.versions("betterez-webhook") == ()


def test_a_file_is_read_again_once_it_has_changed(tmp_path: Path) -> None:
    """Asiento sees a rotated secret file at once: a key that was taken back opens no door for a moment longer."""
    secrets = FileSecrets(tmp_path)
    assert secrets.versions("stripe-webhook") == ()
    (tmp_path / "stripe-webhook").write_text("new\n\nold\n")
    assert secrets.versions("stripe-webhook") == ("new", "old")
    assert secrets.refresh("stripe-webhook") == ("new", "old")
    (tmp_path / "stripe-webhook").write_text("new\n")
    assert secrets.versions("stripe-webhook") == ("new",)
    (tmp_path / "stripe-webhook").unlink()
    assert secrets.versions("stripe-webhook") == ()


def test_a_third_version_is_refused(tmp_path: Path) -> None:
    """Asiento refuses a third live version: an old key that nobody removed is an open door."""
    (tmp_path / "stripe-webhook").write_text("a\nb\nc\n")
    with pytest.raises(SettingsError, match="3 versions"):
        FileSecrets(tmp_path).versions("stripe-webhook")


@pytest.mark.parametrize("name", ["../etc/passwd", "", "UPPER", "a/b"])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    """Asiento never reads a file outside its secrets folder, whatever a name says."""
    with pytest.raises(SettingsError):
        FileSecrets(tmp_path).versions(name)
