"""What the infrastructure tests share: the repository's Terraform files, and a copy of them that may be broken."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infra.rules import Schema, load_schema
from tests.infra.terraform import Configuration

REPOSITORY = Path(__file__).resolve().parents[2]
TERRAFORM = REPOSITORY / "infra" / "terraform"


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the repository's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def terraform() -> Path:
    """Return the folder of the Terraform files."""
    return TERRAFORM


@pytest.fixture(scope="session")
def configuration() -> Configuration:
    """Return the Terraform files as they are."""
    return Configuration.of(TERRAFORM)


@pytest.fixture(scope="session")
def schema() -> Schema:
    """Return the committed summary of the provider's schema."""
    return load_schema(TERRAFORM / "schema" / "google.json")


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str, str, str], Configuration]:
    """Return a maker of a copy of the Terraform files in which one thing is changed, and of nothing else."""

    def change(file: str, old: str, new: str) -> Configuration:
        for path in TERRAFORM.glob("*.tf"):
            (tmp_path / path.name).write_text(path.read_text())
        text = (tmp_path / file).read_text()
        assert old in text, f"{file} no longer holds {old!r}: change this fixture with it"
        (tmp_path / file).write_text(text.replace(old, new, 1))
        return Configuration.of(tmp_path)

    return change
