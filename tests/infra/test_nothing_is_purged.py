"""Raw objects and seals stay: nothing in Asiento can delete one, and nobody who runs it may (docs/adr/0031)."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.main import get_command

from local.cli import app
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.adapters.embedded.seal_store import FileSealStore
from shared.adapters.google.raw_store import GoogleRawStore
from shared.adapters.google.seal_store import GoogleSealStore
from shared.ports.raw_store import RawStore
from shared.ports.seal_store import SealStore
from tests.conformance.samples import delivery
from tests.infra.iam import granted
from tests.infra.terraform import Configuration

KEPT = ("google_storage_bucket.raw", "google_storage_bucket.seals")
MAY_NOT_DELETE = {"roles/storage.objectCreator", "roles/storage.objectViewer", "custom object_reader"}


def roles_on_what_is_kept(configuration: Configuration) -> set[str]:
    """Return the roles that anybody holds on raw objects and seals."""
    return {grant.role for grant in granted(configuration) if grant.on in KEPT}


def test_nobody_may_delete_what_is_kept(configuration: Configuration) -> None:
    """Asiento grants nobody a role that can delete or replace a raw object, a seal or a segment."""
    assert roles_on_what_is_kept(configuration) <= MAY_NOT_DELETE
    assert {grant.on for grant in granted(configuration)} >= set(KEPT)


def test_a_right_to_delete_is_seen(broken: Callable[[str, str, str], Configuration]) -> None:
    """Asiento sees a role that could delete a segment, whoever is given it."""
    wider = broken("seal_store.tf", "roles/storage.objectCreator", "roles/storage.objectUser")
    assert not roles_on_what_is_kept(wider) <= MAY_NOT_DELETE


def test_the_copy_is_kept_as_long_as_what_it_copies(terraform: Path) -> None:
    """Asiento keeps seals under the same retention as raw objects, and neither bucket can be destroyed with its stack."""
    rules = []
    for file in ("raw_store.tf", "seal_store.tf"):
        bucket = (terraform / file).read_text(encoding="utf-8").partition('resource "google_storage_bucket_iam')[0]
        assert re.search(r"prevent_destroy\s*= true", bucket), file
        rules.append(re.search(r"retention_policy \{(.*?)\}", bucket, re.DOTALL))
    first, second = rules
    assert first is not None
    assert second is not None
    assert first[1] == second[1]


@pytest.mark.parametrize(
    ("port", "adapter"),
    [
        (RawStore, SqliteRawStore),
        (RawStore, GoogleRawStore),
        (SealStore, FileSealStore),
        (SealStore, GoogleSealStore),
    ],
)
def test_no_store_of_what_is_kept_has_a_way_to_forget(port: type, adapter: type) -> None:
    """Asiento's stores of raw objects and seals offer what their ports promise, and nothing that takes away."""
    offered = {name for name in vars(adapter) if not name.startswith("_")}
    assert offered - {"close"} == {name for name in vars(port) if not name.startswith("_")}
    for word in ("delete", "purge", "remove", "discard", "forget", "drop"):
        assert not [name for name in vars(adapter) if word in name]


def test_there_is_no_command_that_purges() -> None:
    """Asiento has no command that purges, so none that could run while a sealed copy is not verified."""
    commands = get_command(app).commands  # type: ignore[attr-defined]  # the command of an app with commands is a group
    assert "verify" in commands
    assert not [name for name in commands if "purge" in name or "delete" in name]


def test_the_store_itself_refuses(tmp_path: Path) -> None:
    """Asiento's raw store on one machine refuses to delete, whoever opens the file and asks."""
    store = SqliteRawStore(tmp_path / "raw.db")
    store.create_all([delivery()])
    with (
        closing(sqlite3.connect(tmp_path / "raw.db")) as stranger,
        pytest.raises(sqlite3.IntegrityError, match="raw objects are never deleted"),
    ):
        stranger.execute("DELETE FROM objects")
    assert store.read(delivery().object_name) == delivery()
    store.close()
