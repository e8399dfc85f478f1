"""What a bundle promises: the same sources give the same bytes, and nothing is in it that does not belong."""

import json
import os
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from scripts import bundle


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a small source tree with everything that a bundle must leave out."""
    files = {
        "shared/__init__.py": "",
        "shared/domain/money.py": "MINOR = 1\n",
        "shared/bi/mart/model.sql": "SELECT 1\n",
        "shared/domain/__pycache__/money.cpython-311.pyc": "bytecode",
        "shared/.mypy_cache/x.json": "{}",
        "shared/domain/.DS_Store": "clutter",
        "tests/test_money.py": "",
        "local/cli.py": "",
        **{f"functions/{name}/main.py": f"# {name}\n" for name in bundle.FUNCTIONS},
        **{f"functions/{name}/requirements.txt": "pydantic==2\n" for name in bundle.FUNCTIONS},
    }
    root = tmp_path / "tree"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def names(made: bundle.Bundle) -> list[str]:
    """Return what is in a bundle, in its order."""
    with zipfile.ZipFile(BytesIO(made.content)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_a_bundle_is_the_function_with_shared_beside_it(tree: Path) -> None:
    """Asiento puts main.py and requirements.txt at the top, shared/ beside them, and nothing else."""
    assert names(bundle.make(tree, "derive")) == [
        "main.py",
        "requirements.txt",
        "shared/__init__.py",
        "shared/bi/mart/model.sql",
        "shared/domain/money.py",
    ]


def test_a_bundle_is_the_same_on_every_machine_and_day(tree: Path) -> None:
    """Asiento's bundles do not depend on times, permissions or the order in which files came to the disk."""
    before = bundle.make(tree, "receive")
    yesterday = time.time() - 86_400
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
            path.chmod(0o600)
            os.utime(path, (yesterday, yesterday))
    assert bundle.make(tree, "receive").digest == before.digest


@pytest.mark.parametrize("change", ["content", "name", "new file"])
def test_a_change_is_a_new_name(tree: Path, change: str) -> None:
    """Asiento's bundle has another digest, and so another name, when anything in it is different."""
    before = bundle.make(tree, "receive")
    money = tree / "shared" / "domain" / "money.py"
    if change == "content":
        money.write_text("MINOR = 2\n")
    elif change == "name":
        money.rename(money.with_name("coins.py"))
    else:
        (money.parent / "taxes.py").touch()
    assert bundle.make(tree, "receive").name != before.name


def test_the_digests_lie_where_terraform_finds_them(tree: Path, tmp_path: Path, terraform: Path) -> None:
    """Asiento writes each digest under the variable, and each zip under the name, that functions.tf reads."""
    into = tmp_path / "out"
    bundle.main(["--root", str(tree), "--into", str(into)])
    digests = json.loads((into / bundle.DIGESTS).read_text())["bundle_digests"]
    assert set(digests) == set(bundle.FUNCTIONS)
    source = "${var.bundle_dir}/${each.key}-${var.bundle_digests[each.key]}.zip"
    assert f'"{source}"' in (terraform / "functions.tf").read_text()
    for function, digest in digests.items():
        assert (into / f"{function}-{digest}.zip").is_file()


def test_former_bundles_go(tree: Path, tmp_path: Path) -> None:
    """Asiento leaves one bundle a function in the folder, so that nobody deploys the one of yesterday."""
    into = tmp_path / "out"
    for content in ("MINOR = 1\n", "MINOR = 2\n"):
        (tree / "shared" / "domain" / "money.py").write_text(content)
        bundle.main(["--root", str(tree), "--into", str(into)])
    assert len(list(into.glob("*.zip"))) == len(bundle.FUNCTIONS)


def test_a_function_without_its_requirements_is_refused(tree: Path) -> None:
    """Asiento names what is missing instead of deploying a function that cannot start."""
    (tree / "functions" / "derive" / "requirements.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"derive/requirements\.txt is missing"):
        bundle.make(tree, "derive")


@pytest.mark.parametrize("function", bundle.FUNCTIONS)
def test_the_repository_makes_small_whole_bundles(repository: Path, function: str) -> None:
    """Asiento's real bundles come out the same twice, hold their door and the whole of shared, and stay under 2 MB."""
    first, second = bundle.make(repository, function), bundle.make(repository, function)
    assert first == second
    assert {"main.py", "requirements.txt", "shared/__init__.py", "shared/domain/money.py"} <= set(names(first))
    assert not any("test" in Path(name).parts or name.startswith(("tests/", "local/")) for name in names(first))
    assert len(first.content) < 2_000_000
    door = (repository / "functions" / function / "main.py").read_text()
    assert f"def {function}(" in door, "the entry point in functions.tf is the function's own name"
