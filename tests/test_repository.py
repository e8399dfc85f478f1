"""The repository checks its own manners: what no linter sees and no reviewer should have to."""

import ast
import importlib.metadata
import io
import os
import re
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("shared", "functions", "local", "tests", "benchmarks", "scripts")
DOORS = tuple(sorted(path.name for path in (ROOT / "functions").iterdir() if (path / "main.py").is_file()))
EXACT = ("shared/domain/", "shared/pipeline/", "shared/ports/")
"""Where money is computed: no float may stand here."""

_GENERATED = {"__pycache__", "build", "dist", "htmlcov", "node_modules"}
_TEXT = {"", ".cfg", ".css", ".csv", ".hcl", ".html", ".in", ".ini", ".js", ".json", ".md", ".py", ".sh", ".sql"}
_TEXT |= {".tf", ".tfvars", ".toml", ".txt", ".yaml", ".yml"}


@cache
def texts() -> dict[str, str]:
    """Return every text file of the project by its path from the root, this file left out: it names what it forbids."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in _files()
        if path.suffix in _TEXT and path != Path(__file__)
    }


def _files() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or not (_is_private(name) or name in _GENERATED)]
        yield from (Path(folder, name) for name in names if not _is_private(name) or name == ".gitignore")


def _is_private(name: str) -> bool:
    return name.startswith(".") or name.endswith(".egg-info")


def modules() -> dict[str, str]:
    """Return every Python module of the project by its path."""
    return {path: text for path, text in texts().items() if path.endswith(".py") and path.split("/")[0] in CODE}


def found(pattern: str, *, flags: int = 0) -> list[str]:
    """Return where a pattern stands in the project: `path:line: what was found`."""
    expression = re.compile(pattern, flags)
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(0)}"
        for path, text in texts().items()
        for match in expression.finditer(text)
    ]


def test_names_no_package_index() -> None:
    """Asiento installs from whatever index a company uses: no file names one."""
    options = r"--(?:extra-)?index-url|--find-links"
    hosts = r"\bpypi\.org\b|\bfiles\.[a-z]*hosted|https?://[^\s\"'<>)]*(?:/simple\b|pypi|\bregistry\b)"
    assert found(f"{options}|{hosts}") == []


def test_names_no_path_of_a_machine() -> None:
    """Asiento runs anywhere: no file knows where it was written."""
    assert found(r"(?<![\w.~}])/(?:home|root|Users|work|opt)/\w[\w.-]*") == []


def test_leaves_nothing_for_later() -> None:
    """Asiento keeps open work in issues, never in the code."""
    assert found(r"\b(?:TODO|FIXME|HACK)\b|NotImplementedError") == []


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


_SILENCER = re.compile(
    r"#\s*(?:(?:ruff:\s*)?noqa|type:\s*ignore|pragma:\s*no cover)"
    r"(?P<codes>:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*|\[[\w-]+(?:\s*,\s*[\w-]+)*\])?(?P<reason>.*)"
)


def _unexplained(path: str, text: str) -> Iterator[str]:
    lines = text.splitlines()
    for line, comment in _comments(text):
        silencer = _SILENCER.match(comment)
        if silencer is None:
            continue
        explained_above = any(
            re.match(r"\s*#\s*(?!ruff:|noqa|type:)\w+ \w+", above) for above in lines[max(0, line - 4) : line - 1]
        )
        is_blanket = silencer["codes"] is None and "no cover" not in comment
        if is_blanket or not (explained_above or re.search(r"\w{3}", silencer["reason"])):
            yield f"{path}:{line}: {comment}"


def test_gives_a_reason_beside_each_silenced_check() -> None:
    """Asiento silences a check by its code and says why: beside it, or just above."""
    assert [fault for path, text in modules().items() for fault in _unexplained(path, text)] == []


@pytest.mark.parametrize(
    ("line", "is_explained"),
    [
        ("x = 1  # noqa", False),
        ("x = 1  # noqa: S105", False),
        ("x = 1  # noqa: S105  a name, no secret", True),
        ("x = 1  # type: ignore", False),
        ("x = 1  # type: ignore[arg-type]", False),
        ("x = 1  # type: ignore[arg-type]  # the stub is older than the package", True),
        ("# imported where they are made\n# ruff: noqa: PLC0415", True),
        ("# ruff: noqa: PLC0415", False),
    ],
)
def test_tells_a_reason_from_a_bare_silencer(line: str, is_explained: bool) -> None:  # noqa: FBT001  a case, no flag
    """Asiento sees whether a silenced check is explained."""
    assert (list(_unexplained("example.py", line)) == []) is is_explained


def test_says_what_each_module_is() -> None:
    """Asiento opens every module with a docstring, private ones too."""
    assert [path for path, text in modules().items() if not ast.get_docstring(ast.parse(text))] == []


def _floats(text: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(text)):
        is_name = isinstance(node, ast.Name) and node.id == "float"
        is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        is_division = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        if is_name or is_literal or is_division:
            yield getattr(node, "lineno", 0)


def test_holds_no_float_where_money_is() -> None:
    """Asiento computes money without a float: none is named, written or made by division (DESIGN I6)."""
    translations = tuple(
        path for path in modules() if path.startswith("shared/providers/") and path.endswith("/translate.py")
    )
    faults = [
        f"{path}:{line}"
        for path, text in modules().items()
        if path.startswith(EXACT) or path in translations
        for line in _floats(text)
    ]
    assert faults == []


@pytest.mark.parametrize("text", ["x: float", "float('1')", "x = 0.5", "x = a / b", "x /= 2"])
def test_sees_a_float(text: str) -> None:
    """Asiento would notice each way in which a float comes in."""
    assert list(_floats(text))


def _imports(text: str, *, at_start: bool = False) -> set[str]:
    """Return the modules that a module imports; with `at_start` only what importing it runs."""
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
        is_later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not (at_start and (is_later or is_for_types)):
            waiting.extend(ast.iter_child_nodes(node))
    return names


def test_keeps_its_core_free_of_packages() -> None:
    """Asiento says what is true about money with the standard library alone."""
    strangers = {
        f"{path} imports {name}"
        for path, text in modules().items()
        if path.startswith("shared/domain/")
        for name in _imports(text)
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("shared.domain")
    }
    assert strangers == set()


def test_reads_the_time_of_day_in_the_runtime_only() -> None:
    """Asiento passes now in: domain, ports, pipeline, providers and the BI layer never ask for it."""
    clock = re.compile(r"\b(?:datetime\.(?:now|utcnow|today)|date\.today|time\.time(?:_ns)?)\(")
    inside = ("shared/domain/", "shared/ports/", "shared/pipeline/", "shared/providers/", "shared/bi/")
    assert [path for path, text in modules().items() if path.startswith(inside) and clock.search(text)] == []


# --- requirements ---------------------------------------------------------------------------------------------------

_LOCKS = ("requirements/runtime.txt", "requirements/dev.txt", *(f"functions/{door}/requirements.txt" for door in DOORS))


def _distribution(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _asked_for(path: str) -> set[str]:
    """Return the distributions that a requirements/*.in file names, with those of the files that it includes."""
    names: set[str] = set()
    for raw_line in texts()[path].splitlines():
        line = raw_line.split("#")[0].strip()
        if line.startswith("-r "):
            names |= _asked_for(f"requirements/{line.removeprefix('-r ')}")
        elif line:
            names.add(_distribution(re.split(r"[<>=!~\s;\[]", line)[0]))
    return names


def _pins(path: str) -> dict[str, set[str]]:
    """Return the versions that a lock file pins, by distribution; raise where a line is neither pin, hash nor remark."""
    pins: dict[str, set[str]] = {}
    for statement in re.split(r"(?<!\\)\n", texts()[path]):
        if not (line := statement.split("#")[0].strip()):
            continue
        pin = re.fullmatch(
            r"(?P<name>[\w.-]+)==(?P<version>[\w.+!]+)(?: ; [^\\]+)?(?P<hashes>(?:\s*\\?\s*--hash=sha256:[0-9a-f]{64})+)",
            line,
        )
        if pin is None:
            msg = f"{path}: not a hashed pin: {line[:80]}"
            raise AssertionError(msg)
        pins.setdefault(_distribution(pin["name"]), set()).add(pin["version"])
    return pins


@pytest.mark.parametrize("path", _LOCKS)
def test_pins_and_hashes_every_requirement(path: str) -> None:
    """Asiento installs exact versions with known contents, the same ones everywhere."""
    everything = _pins("requirements/dev.txt")
    pins = _pins(path)
    assert pins
    assert {name: versions for name, versions in pins.items() if not versions <= everything.get(name, set())} == {}


@pytest.mark.parametrize("path", _LOCKS)
def test_keeps_its_locks_current(path: str) -> None:
    """Asiento pins what is asked for: a name that was added to a .in file is in its lock file."""
    source = path if path.startswith("requirements/") else f"requirements/{path.split('/')[1]}.txt"
    assert _asked_for(source.removesuffix(".txt") + ".in") - _pins(path).keys() == set(), "run `make lock`"


def test_says_why_each_package_is_here() -> None:
    """Asiento names every direct dependency in docs/dependencies.md, and none that it has not."""
    told = {
        _distribution(name) for name in re.findall(r"^\| `([\w.-]+)` \|", texts()["docs/dependencies.md"], re.MULTILINE)
    }
    assert told == _asked_for("requirements/dev.in")


@cache
def _reached_at_start(door: str) -> frozenset[str]:
    """Return every module that starting a door imports, its own and the providers' included."""
    reached: set[str] = set()
    providers = [path for path in modules() if re.fullmatch(r"shared/providers/\w+/__init__\.py", path)]
    waiting = [f"functions/{door}/main.py", *providers]
    while waiting:
        for name in _imports(modules()[waiting.pop()], at_start=True) - reached:
            reached.add(name)
            stem = name.replace(".", "/")
            waiting += [path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in modules()]
    return frozenset(reached)


@pytest.mark.parametrize("door", DOORS)
def test_gives_each_door_what_it_imports(door: str) -> None:
    """Asiento deploys with a door all that its start imports."""
    pins = _pins(f"functions/{door}/requirements.txt")
    distributions = importlib.metadata.packages_distributions()
    outside = {name.split(".")[0] for name in _reached_at_start(door)} - sys.stdlib_module_names - {"shared", "google"}
    missing = {
        name for name in outside if not pins.keys() & {_distribution(each) for each in distributions.get(name, [name])}
    }
    assert missing == set(), f"add them to requirements/{door}.in, or import them where they are used; then `make lock`"


@pytest.mark.parametrize("door", DOORS)
def test_starts_a_door_without_the_embedded_world(door: str) -> None:
    """Asiento's doors import stores where they are made: a start in the cloud never loads DuckDB or SQLite."""
    assert {name for name in _reached_at_start(door) if name.split(".")[0] in ("duckdb", "sqlite3")} == set()


@pytest.mark.parametrize("door", DOORS)
def test_names_each_door_as_its_folder(door: str) -> None:
    """Asiento's entry points have distinct names: the framework's registry is keyed by them."""
    functions = [
        node
        for node in ast.parse(modules()[f"functions/{door}/main.py"]).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [function.name for function in functions if function.decorator_list] == [door]


# --- documents ------------------------------------------------------------------------------------------------------

DOCUMENTS = tuple(path for path in texts() if path.endswith(".md"))


def _gone(document: str) -> Iterator[str]:
    """Yield what a document points at that is not there: links, and paths in code marks."""
    text = texts()[document]
    here = (ROOT / document).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path = target.split("#")[0]
        if path and not re.match(r"[a-z]+:", path) and not (here / path).exists():
            yield target
    for path, test in re.findall(
        rf"`((?:{'|'.join((*CODE, 'docs', 'infra', 'requirements'))})/[\w./-]*)(?:::(\w+))?`", text
    ):
        if not (ROOT / path).exists() or (test and f"def {test}(" not in (ROOT / path).read_text(encoding="utf-8")):
            yield f"{path}::{test}" if test else path


@pytest.mark.parametrize("document", DOCUMENTS)
def test_points_at_what_is_there(document: str) -> None:
    """Asiento's documents name files, folders and tests that exist."""
    assert list(_gone(document)) == []


def test_documents_only_commands_that_exist() -> None:
    """Asiento's documents tell people to run make targets that the Makefile has."""
    targets = set(re.findall(r"^([a-z][\w-]*):", texts()["Makefile"], re.MULTILINE))
    told = {
        (document, target) for document in DOCUMENTS for target in re.findall(r"`make ([a-z][\w-]*)", texts()[document])
    }
    assert {(document, target) for document, target in told if target not in targets} == set()


def test_lists_every_decision() -> None:
    """Asiento's index of decisions names each record once, in order, and nothing else."""
    records = sorted(path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert re.findall(r"\((\d{4}-[\w-]+\.md)\)", texts()["docs/adr/README.md"]) == records
