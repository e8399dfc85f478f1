"""Mutation testing on the command line: `make mutate`, or some modules of it with `make mutate ONLY="money fold"`."""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.mutation import checks
from tests.mutation.faults import Mutant, mutants
from tests.mutation.install import install
from tests.mutation.page import Result, digest, read_results, unexplained, write_page, write_results
from tests.mutation.session import Fate, Session
from tests.mutation.targets import TARGETS, Target

# hypothesis is imported by the session before pytest can watch its asserts: it has none of ours.
_IGNORED = "ignore::pytest.PytestAssertRewriteWarning"
_QUIETLY = ["-qq", "-s", "-p", "no:cacheprovider", "--no-header", "--no-summary", "-W", _IGNORED]
ROOT = Path(__file__).resolve().parents[2]


class Named(Protocol):
    """A mutant of either language."""

    @property
    def name(self) -> str:
        """Return what it is called."""


M = TypeVar("M", bound=Named)


class Sample:
    """Which mutants are tried: all of them, or so many of each module as the seed chooses."""

    def __init__(self, size: int, seed: int, before: Mapping[str, Result]) -> None:
        """Take 0 for all; `before` holds the results whose survivors alone are tried again."""
        self._size, self._seed, self._before = size, seed, before

    def of(self, every: Sequence[M], name: str) -> list[M]:
        """Return the chosen ones, in their order."""
        if name in self._before:
            return [each for each in every if each.name in self._before[name].alive]
        if not 0 < self._size < len(every):
            return list(every)
        places = random.Random(f"{self._seed} {name}").sample(range(len(every)), self._size)  # noqa: S311  a sample is no secret
        return [every[at] for at in sorted(places)]

    def told(self, name: str, every: int, fates: dict[str, Fate], source: str) -> Result:
        """Return the result of one module."""
        named = {fate: [name for name, each in fates.items() if each is fate] for fate in Fate}
        result = Result(
            mutants=every,
            tried=len(fates),
            killed=len(named[Fate.KILLED]),
            timed_out=len(named[Fate.TIMED_OUT]),
            survivors=named[Fate.SURVIVED],
            unreached=named[Fate.UNREACHED],
            seed=self._seed if len(fates) < every else None,
            source=digest(source),
        )
        return self._before[name].again(result) if name in self._before else result


def main() -> int:
    """Run what was asked for and write the page; the exit status is 1 where a survivor of it has no explanation."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "only", nargs="*", help="last words of the modules' names, or `checks`; all where none is given"
    )
    parser.add_argument("--sample", type=int, default=0, help="at most so many mutants of each module; 0 for all")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument(
        "--again", action="store_true", help="try the survivors of the last run again, and nothing else"
    )
    asked = parser.parse_args()
    sys.stdout.write(f"seed {asked.seed}, sample {asked.sample or 'all'}\n")
    sample = Sample(asked.sample, asked.seed, _unchanged() if asked.again else {})
    chosen = [each for each in TARGETS if not asked.only or each.name in asked.only]
    if chosen and not _try_modules(chosen, sample):
        return _broken()
    has_checks = not asked.only or "checks" in asked.only
    if has_checks and not _try_checks(sample):
        return _broken()
    write_page(ROOT)
    tried = {each.module for each in chosen} | ({checks.MODULE} if has_checks else set())
    left = unexplained({name: result for name, result in read_results(ROOT).items() if name in tried})
    sys.stdout.writelines(f"survived without an explanation: {each}\n" for each in left)
    return 1 if left else 0


def _unchanged() -> dict[str, Result]:
    """Return what is kept of modules whose source is still the one that was tried; the others are tried anew."""
    kept = read_results(ROOT)
    now = {each.module: (ROOT / each.file).read_text("utf-8") for each in TARGETS} | {checks.MODULE: checks.source()}
    return {name: result for name, result in kept.items() if name in now and result.source == digest(now[name])}


def _try_modules(chosen: Sequence[Target], sample: Sample) -> bool:
    sources = {each.module: (ROOT / each.file).read_text("utf-8") for each in chosen}

    def work(session: Session) -> None:
        for target in chosen:
            every = list(mutants(sources[target.module]))
            fates = {each.name: _fate(session, target, each) for each in sample.of(every, target.module)}
            _keep(target.module, sample.told(target.module, len(every), fates, sources[target.module]))

    files = frozenset(str(ROOT / each.file) for each in chosen)
    return _run(Session(files, work), {test for each in chosen for test in each.tests})


def _fate(session: Session, target: Target, mutant: Mutant) -> Fate:
    module = import_module(target.module)
    scope = "" if mutant.is_constant else mutant.scope
    concerned = session.tests_of(str(module.__file__), scope, target.tests)
    return session.fate(concerned, partial(install, mutant, module))


def _try_checks(sample: Sample) -> bool:
    every = list(checks.check_mutants())
    tried = sample.of(every, checks.MODULE)
    watch = checks.Watch(tried)
    patch = pytest.MonkeyPatch()

    def work(session: Session) -> None:
        patch.undo()
        runnable = [each for each in tried if each.name not in watch.unrunnable]
        fates = {each.name: session.fate(session.sound(watch.seen_by[each.name]), each.install) for each in runnable}
        _keep(checks.MODULE, sample.told(checks.MODULE, len(every) - len(watch.unrunnable), fates, checks.source()))

    watch.begin(patch)
    return _run(Session(frozenset(), work), set(checks.TESTS))


def _run(session: Session, tests: set[str]) -> bool:
    """Run a session over the test files that there are; return whether it came to its end."""
    there = sorted(test for test in tests if (ROOT / test).exists())
    return pytest.main([*_QUIETLY, *there], [session]) is pytest.ExitCode.OK


def _keep(module: str, result: Result) -> None:
    write_results(ROOT, {**read_results(ROOT), module: result})
    sys.stdout.write(
        f"{module}: {result.tried} of {result.mutants} mutants, {result.seen} noticed ({result.timed_out} by time), "
        f"{len(result.survivors)} survived, {len(result.unreached)} unreached\n"
    )
    sys.stdout.flush()


def _broken() -> int:
    sys.stdout.write("the session broke off; what was finished before is kept\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
