"""Asiento knows a provider because its folder is there, and a page tells what each can do."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.domain.errors import SettingsError
from shared.ports.provider import AlsoTells
from shared.providers.toolkit import capability_table, registry

FILES = {"__init__.py", "capabilities.py", "signature.py", "payloads.py", "translate.py"}
REPORT_FILES = {"report.py", "report_forms.py"}


def test_finds_every_provider_by_its_folder() -> None:
    """Asiento finds each provider and calls it by the name of its folder."""
    assert registry.names() == ("betterez", "dummypay", "mercadopago", "operator", "statement", "stripe")
    for name in registry.names():
        assert registry.load(name).name == name


def test_names_the_known_ones_where_one_is_unknown() -> None:
    """Asiento answers an unknown name with the known ones."""
    for name in ("paypal", "toolkit", "../betterez", ""):
        with pytest.raises(
            SettingsError, match="known are betterez, dummypay, mercadopago, operator, statement, stripe"
        ):
            registry.load(name)


@pytest.mark.parametrize("name", registry.names())
def test_every_provider_has_the_same_files(name: str) -> None:
    """Asiento keeps the same files in each provider; the client only where there is an API, the reports where there are any."""
    provider = registry.load(name)
    folder = Path(capability_table.__file__).parents[1] / name
    expected = FILES | ({"client.py"} if provider.open_api else set())
    expected |= {"totals.py"} if AlsoTells.TOTALS in provider.capabilities.also_tells else set()
    expected |= {"personal.py"} if provider.personal else set()
    expected |= REPORT_FILES if (folder / "report.py").is_file() else set()
    assert {path.name for path in folder.glob("*.py")} == expected
    assert bool(provider.capabilities.fetchable) == bool(provider.open_api)


@pytest.mark.parametrize("name", registry.names())
def test_a_door_that_only_verifies_loads_no_http_library(name: str) -> None:
    """Asiento's receiving door starts without the libraries that only an API client needs."""
    code = (
        "import sys; from shared.providers.toolkit import registry; "
        f"registry.load({name!r}); "
        "sys.exit(bool({'httpx', 'jwt', 'stamina', 'zstandard'} & sys.modules.keys()))"
    )
    repository = capability_table.PAGE.parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0  # noqa: S603  our own code


def test_the_page_of_capabilities_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """Asiento's docs/providers.md says what the providers declare."""
    assert capability_table.main(["--check"]) == 0, capsys.readouterr().err


def test_sees_a_page_that_is_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento fails the check where the page is missing or differs, and writes it where asked."""
    monkeypatch.setattr(capability_table, "PAGE", tmp_path / "providers.md")
    assert capability_table.main(["--check"]) == 1
    assert capability_table.main([]) == 0
    assert capability_table.main(["--check"]) == 0
    capability_table.PAGE.write_text("old", encoding="utf-8")
    assert capability_table.main(["--check"]) == 1


@pytest.mark.parametrize("name", registry.names())
def test_every_provider_has_a_page(name: str) -> None:
    """Asiento documents how each provider is read."""
    page = capability_table.PAGE.parent / "providers" / f"{name}.md"
    assert page.read_text(encoding="utf-8").startswith("# ")
