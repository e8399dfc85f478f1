"""Make the four bundles: for each function its own folder with shared/ beside it, as a zip that is the same everywhere.

The same sources give the same bytes on every machine and on every day: names are sorted, times and permissions fixed, and
nothing is compressed by a library whose next version might do it differently. So a bundle's digest can be its name: what
runs can be compared with what a commit says, and the way back to an earlier commit ends at the very bundle that ran before.

    python scripts/bundle.py                  # into dist/bundles
    python scripts/bundle.py --into /tmp/b    # elsewhere

Beside the zips lies digests.auto.tfvars.json, which Terraform reads.
"""

import argparse
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ("derive", "rebuild_bi", "receive", "reconcile")
DIGESTS = "digests.auto.tfvars.json"

_LEFT_OUT = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
_PLAIN_FILE = 0o100644 << 16
_MADE_ON_UNIX = 3


@dataclass(frozen=True, slots=True)
class Bundle:
    """One function's bundle."""

    function: str
    content: bytes
    files: int

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the zip, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def name(self) -> str:
        """Return the zip's name, as a file here and as an object in the bucket."""
        return f"{self.function}-{self.digest}.zip"


def main(arguments: list[str] | None = None) -> None:
    """Write the four bundles and their digests, and say how large they are."""
    options = _options(arguments)
    bundles = [make(options.root, function) for function in FUNCTIONS]
    write(bundles, options.into)
    for bundle in bundles:
        sys.stdout.write(
            f"{bundle.function:<11}{len(bundle.content):>10,} bytes {bundle.files:>4} files  {bundle.digest}\n"
        )


def make(root: Path, function: str) -> Bundle:
    """Make one function's bundle from a source tree; raises FileNotFoundError naming what the function lacks."""
    folder = root / "functions" / function
    for needed in ("main.py", "requirements.txt"):
        if not (folder / needed).is_file():
            raise FileNotFoundError(f"{folder / needed} is missing; a function is its main.py and its requirements.txt")
    members = {
        **{path.relative_to(folder).as_posix(): path for path in _sources(folder)},
        **{path.relative_to(root).as_posix(): path for path in _sources(root / "shared")},
    }
    return Bundle(function, _zipped(members), len(members))


def write(bundles: list[Bundle], into: Path) -> None:
    """Write zips and digests; bundles of an earlier run go, so that the folder holds one of each."""
    into.mkdir(parents=True, exist_ok=True)
    for former in into.glob("*.zip"):
        former.unlink()
    for bundle in bundles:
        (into / bundle.name).write_bytes(bundle.content)
    digests = {"bundle_digests": {bundle.function: bundle.digest for bundle in bundles}}
    (into / DIGESTS).write_text(json.dumps(digests, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _sources(folder: Path) -> Iterator[Path]:
    """Yield the files that are sources: no bytecode, no caches, nothing hidden."""
    for path in folder.rglob("*"):
        inner = path.relative_to(folder).parts
        if (
            path.is_file()
            and path.suffix != ".pyc"
            and not any(part in _LEFT_OUT or part.startswith(".") for part in inner)
        ):
            yield path


def _zipped(members: dict[str, Path]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members, key=PurePosixPath):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _PLAIN_FILE
            entry.create_system = _MADE_ON_UNIX
            archive.writestr(entry, members[name].read_bytes())
    return packed.getvalue()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the functions' bundles, reproducibly.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the source tree (default: this repository)")
    parser.add_argument("--into", type=Path, default=ROOT / "dist" / "bundles", help="where to (default: dist/bundles)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
