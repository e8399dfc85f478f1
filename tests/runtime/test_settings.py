"""Asiento refuses settings that it does not know and names those that are missing."""

from pathlib import Path

import pytest

from shared.domain.errors import SettingsError
from shared.runtime import wiring
from shared.runtime.settings import Settings, WorldName


def test_reads_what_it_knows() -> None:
    """Asiento reads its settings from ASIENTO_* variables and leaves the rest of the environment alone."""
    settings = Settings.from_environment(
        {
            "ASIENTO_HOME": "/data",
            "ASIENTO_PROVIDERS": "betterez, stripe",
            "ASIENTO_API_URL_BETTEREZ": "http://127.0.0.1:9",
            "ASIENTO_SECRET_BETTEREZ_WEBHOOK": "told to nobody",
            "PATH": "/bin",
        }
    )
    assert (settings.home, settings.providers) == (Path("/data"), ("betterez", "stripe"))
    assert settings.api_urls == {"betterez": "http://127.0.0.1:9"}
    assert "told to nobody" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"), [("ASIENTO_HOEM", "/data"), ("ASIENTO_WORLD", "moon"), ("ASIENTO_LOG_LEVEL", "loud")]
)
def test_refuses_what_it_does_not_know(variable: str, value: str) -> None:
    """Asiento names a setting that is unknown or wrong, and lists those that it knows."""
    with pytest.raises(SettingsError, match=variable) as refused:
        Settings.from_environment({variable: value})
    assert "ASIENTO_PROVIDERS" in str(refused.value)


def test_the_code_version_follows_the_code() -> None:
    """Asiento names the code that derived: a digest of itself, unless the deployment names a version."""
    assert Settings().version.startswith("code-")
    assert Settings().version == Settings().version
    assert Settings(code_version="v7").version == "v7"


def test_an_unknown_provider_is_named(tmp_path: Path) -> None:
    """Asiento refuses to wire a provider that it has no folder for, and lists those that it has."""
    with pytest.raises(SettingsError, match="betterez"):
        wiring.providers(Settings(home=tmp_path, providers=("nobody",)))


def test_an_api_without_address_or_credentials_is_named(tmp_path: Path) -> None:
    """Asiento says which address or secret is missing before it asks a provider's API."""
    with pytest.raises(SettingsError, match="ASIENTO_API_URL_BETTEREZ"):
        wiring.provider_api(wiring.parts(Settings(home=tmp_path)), "betterez")
    settings = Settings(home=tmp_path, api_urls={"betterez": "http://127.0.0.1:9"})
    with pytest.raises(SettingsError, match="betterez-api"):
        wiring.provider_api(wiring.parts(settings), "betterez")


def test_the_embedded_world_is_the_default() -> None:
    """Asiento runs on one machine unless it is told otherwise."""
    assert Settings().world is WorldName.EMBEDDED
