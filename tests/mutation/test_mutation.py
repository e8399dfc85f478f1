"""Asiento's mutation testing is itself put to the test: on a small module whose survivors are known."""

import json
import subprocess
import sys
from pathlib import Path

import sqlglot

from tests.mutation.checks import check_mutants
from tests.mutation.explained import EXPLAINED
from tests.mutation.faults import mutants
from tests.mutation.page import PAGE, page, read_results

ROOT = Path(__file__).resolve().parents[2]

TOY = '''"""A toy."""

LIMIT = 3


def is_allowed(count: int) -> bool:
    """Return whether a count is within the limit."""
    return 0 < count <= LIMIT


def count_down(count: int) -> int:
    """Count to nothing, step by step."""
    while count > 0:
        count -= 1
    return count


def never_called() -> str:
    """Return a word."""
    return "word"
'''
TESTS = """import toy


def test_allows_one_and_three() -> None:
    assert toy.is_allowed(1)
    assert toy.is_allowed(3)
    assert not toy.is_allowed(4)


def test_counts_down() -> None:
    assert toy.count_down(2) == 0


def test_fails_as_it_is() -> None:
    assert toy.is_allowed(9)
"""
RUN = """import importlib, json, pathlib, sys
from functools import partial
import pytest
from tests.mutation.faults import mutants
from tests.mutation.install import install
from tests.mutation.session import Session

place = pathlib.Path("toy.py").resolve()

def work(session):
    module = importlib.import_module("toy")
    fates = {}
    for each in mutants(place.read_text()):
        scope = "" if each.is_constant else each.scope
        concerned = session.tests_of(str(place), scope, ["test_toy.py"])
        fates[each.name] = session.fate(concerned, partial(install, each, module)).value
    pathlib.Path("fates.json").write_text(json.dumps(fates))

ignored = "ignore::pytest.PytestAssertRewriteWarning"
arguments = ["-qq", "-s", "-p", "no:cacheprovider", "-W", ignored, "--rootdir", ".", "test_toy.py"]
sys.exit(pytest.main(arguments, [Session(frozenset({str(place)}), work)]))
"""


def test_tells_what_became_of_each_mutant(tmp_path: Path) -> None:
    """Asiento tells apart faults that a test notices, that never end, that none notices, and that no test runs."""
    for name, text in (("toy.py", TOY), ("test_toy.py", TESTS), ("run.py", RUN)):
        (tmp_path / name).write_text(text)
    search = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, env=search, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "left out, it fails without a fault: test_toy.py::test_fails_as_it_is" in ended.stdout
    assert json.loads((tmp_path / "fates.json").read_text()) == {
        "LIMIT: 3 → 4": "killed",
        "is_allowed: return 0 < count <= LIMIT → return None": "killed",
        "is_allowed: 0 < count <= LIMIT → 0 <= count <= LIMIT": "survived",
        "is_allowed: 0 < count <= LIMIT → 0 >= count <= LIMIT": "killed",
        "is_allowed: 0 < count <= LIMIT → 0 < count < LIMIT": "killed",
        "is_allowed: 0 < count <= LIMIT → 0 < count > LIMIT": "killed",
        "is_allowed: 0 → 1": "killed",
        "count_down: count > 0 → count >= 0": "killed",
        "count_down: count > 0 → count <= 0": "killed",
        "count_down: 0 → 1": "killed",
        "count_down: count -= 1 → pass": "timed_out",
        "count_down: count -= 1 → count += 1": "timed_out",
        "count_down: 1 → 2": "survived",
        "count_down: return count → return None": "killed",
        "never_called: return 'word' → return None": "unreached",
        "never_called: 'word' → ''": "unreached",
    }


def test_changes_one_place_of_a_module_at_a_time() -> None:
    """Asiento's faults are each one change, under a name of its own, and leave the sound module alone."""
    source = (ROOT / "shared/domain/money.py").read_text("utf-8")
    every = list(mutants(source))
    assert len({each.name for each in every}) == len(every) > 100
    for each in every:
        compile(each.tree, "money.py", "exec")
    assert [each.name for each in mutants(source)] == [each.name for each in every]


def test_changes_every_check_and_leaves_it_a_query() -> None:
    """Asiento puts faults into every certification check, each a query of its own that still asks for one build."""
    every = list(check_mutants())
    changed = {each.check.name for each in every}
    assert len(changed) > 40
    assert all("@build_id" in each.sql for each in every if "@build_id" in each.check.sql)
    for each in every[::7]:
        assert sqlglot.parse_one(each.sql, dialect="bigquery") != sqlglot.parse_one(each.check.sql, dialect="bigquery")


def test_the_page_says_what_was_measured() -> None:
    """Asiento's page of mutation testing is what its figures and explanations make, and explains each survivor once."""
    results = read_results(ROOT)
    assert results
    assert (ROOT / PAGE).read_text("utf-8") == page(results)
    assert EXPLAINED.keys() <= results.keys()
