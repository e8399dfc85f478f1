"""Asiento takes a new provider as one folder, and the page that says so is true."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import shared.providers
from shared.domain.errors import SettingsError
from shared.providers.toolkit import registry
from tests.providers.dummypay.test_translate import event

REPOSITORY = Path(shared.providers.__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "shared" / "providers" / "dummypay"
SECTION = re.compile(r"^## \d\. `([a-z_]+\.py)`\n.*?```python\n(.*?)```", re.DOTALL | re.MULTILINE)


@pytest.fixture
def fresh_registry() -> Iterator[None]:
    """Forget which providers were found, before and after."""
    for cached in (registry.names, registry.load):
        cached.cache_clear()
    yield
    for cached in (registry.names, registry.load):
        cached.cache_clear()


def test_the_walk_through_shows_the_code_as_it_is() -> None:
    """Asiento's page on new providers shows each file of the example, word for word."""
    shown = dict(SECTION.findall((REPOSITORY / "docs" / "new-provider.md").read_text(encoding="utf-8")))
    assert shown == {path.name: path.read_text(encoding="utf-8") for path in EXAMPLE.glob("*.py")}


@pytest.mark.usefixtures("fresh_registry")
def test_a_new_provider_is_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento finds and reads a provider as soon as its folder is there, with nothing else edited."""
    folder = tmp_path / "acmepay"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.glob("*.py"):
        path.write_text(path.read_text(encoding="utf-8").replace("dummypay", "acmepay"), encoding="utf-8")
    monkeypatch.setattr(shared.providers, "__path__", [*shared.providers.__path__, str(tmp_path)])
    assert "acmepay" in registry.names()
    assert registry.load("acmepay").read(event()).event_key == "acmepay:msg_1"


@pytest.mark.usefixtures("fresh_registry")
def test_a_folder_and_its_provider_share_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento refuses a copied folder whose provider still carries the old name."""
    shutil.copytree(EXAMPLE, tmp_path / "copiedpay", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(shared.providers, "__path__", [*shared.providers.__path__, str(tmp_path)])
    with pytest.raises(SettingsError, match="calls itself dummypay"):
        registry.load("copiedpay")
