"""The page: what was found per module, and why each survivor is there. The figures are kept beside it as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from tests.mutation.explained import EXPLAINED

FIGURES = "docs/mutation.json"
PAGE = "docs/mutation.md"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the mutants of one module."""

    mutants: int
    """How many there are."""
    tried: int
    killed: int
    timed_out: int
    survivors: list[str]
    unreached: list[str]
    """Those in code that no test of the module runs: they count as survivors."""
    seed: int | None
    """Of the sample; None where every mutant was tried."""
    source: str
    """The first twelve digits of the SHA-256 of the source that was changed."""

    def again(self, later: "Result") -> "Result":
        """Return the result once its survivors, and they alone, were tried again."""
        return replace(
            self,
            tried=self.seen + later.tried,
            killed=self.killed + later.killed,
            timed_out=self.timed_out + later.timed_out,
            survivors=later.survivors,
            unreached=later.unreached,
        )

    @property
    def seen(self) -> int:
        """Return how many a test has noticed."""
        return self.killed + self.timed_out

    @property
    def alive(self) -> list[str]:
        """Return all that no test has noticed."""
        return [*self.survivors, *self.unreached]


def digest(source: str) -> str:
    """Return by what a result knows the source that was changed."""
    return sha256(source.encode()).hexdigest()[:12]


def read_results(root: Path) -> dict[str, Result]:
    """Return what is kept, by module; nothing before the first run."""
    kept = root / FIGURES
    if not kept.exists():
        return {}
    return {module: Result(**said) for module, said in json.loads(kept.read_text("utf-8")).items()}


def write_results(root: Path, results: Mapping[str, Result]) -> None:
    """Keep the results."""
    said = {module: asdict(result) for module, result in sorted(results.items())}
    (root / FIGURES).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", "utf-8")


def write_page(root: Path) -> list[str]:
    """Write the page from what is kept; return the survivors that nothing explains."""
    results = read_results(root)
    (root / PAGE).write_text(page(results), "utf-8")
    return unexplained(results)


def unexplained(results: Mapping[str, Result]) -> list[str]:
    """Return the survivors without an explanation, with their modules."""
    return [
        f"{module}: {name}"
        for module, result in results.items()
        for name in result.alive
        if name not in EXPLAINED.get(module, {})
    ]


def page(results: Mapping[str, Result]) -> str:
    """Return the page."""
    return "".join((_HEAD, _table(results), _SURVIVORS, *(_survivors(*each) for each in results.items())))


def _table(results: Mapping[str, Result]) -> str:
    rows = [_row(f"`{module}`", result) for module, result in results.items()]
    mutants, tried = (sum(getattr(each, name) for each in results.values()) for name in ("mutants", "tried"))
    seen, timed_out = (sum(getattr(each, name) for each in results.values()) for name in ("seen", "timed_out"))
    alive = sum(len(each.alive) for each in results.values())
    total = f"| **all** | {mutants:,} | {tried:,} | {seen:,} | {timed_out} | {alive} | **{_score(seen, tried)}** | |\n"
    head = "| module | mutants | tried | noticed | of these by time | survived | score | source |\n"
    return f"{head}|---|---:|---:|---:|---:|---:|---:|---|\n{''.join(rows)}{total}"


def _row(name: str, result: Result) -> str:
    tried = f"{result.tried:,}" if result.seed is None else f"{result.tried:,} (seed {result.seed})"
    return (
        f"| {name} | {result.mutants:,} | {tried} | {result.seen:,} | {result.timed_out} | {len(result.alive)} "
        f"| {_score(result.seen, result.tried)} | `{result.source}` |\n"
    )


def _score(seen: int, tried: int) -> str:
    tenths = seen * 1000 // tried if tried else 1000
    return f"{tenths // 10}.{tenths % 10} %"


def _survivors(module: str, result: Result) -> str:
    if not result.alive:
        return ""
    why = EXPLAINED.get(module, {})
    lines = (f"- `{_quoted(name)}`: {why.get(name, '**not explained yet**')}\n" for name in result.alive)
    return f"\n### {module}\n{''.join(lines)}"


def _quoted(name: str) -> str:
    """Return a name as it can stand between backticks."""
    return name.replace("`", "'")


_HEAD = """# Mutation testing: would a test notice?

`make mutate` puts one small fault at a time into the code that decides about money, proofs and signatures, and runs the
tests that answer for it. A fault that a test notices is *killed*; one that none notices has *survived*, and is either
equivalent (it changes nothing that can be seen) or a missing test. This page is written by that command; it fails while
a survivor has no explanation in `tests/mutation/explained.py`.

**Faults.** A comparison is turned or its boundary moved; plus for minus, times for divided by, and for or; a condition
left out or turned; a filter of a comprehension dropped; a number one more, a truth the other way, a word empty; a
result not returned; a statement, a call or a `raise` left out; `min` for `max`, `any` for `all`, an order not made.
Not changed are the words of messages, annotations, defaults of parameters, and the fields and members of classes.

**How.** The tests are collected and run once as they are, and it is noted which test calls which function. For each
mutant a process is forked, the code of the function is exchanged in it, and the tests that call the function run, the
fastest first, until one fails. A mutant that does not come to an end in five times the processor time of its tests
counts as noticed. Tests that fail without a fault are named and left out.

**Checks.** `checks.sql` stands for the SQL of all certification checks: a condition, an arm of a union or a filter left
out, a comparison or a sign turned, a join that loses rows, a number one more. Every faulty form is asked beside the sound
one while the tests rebuild; one that answers alike in all of them has survived, and where one answers otherwise those
tests run with it, and one must fail. The choice of the build is never changed: `shared/bi/ordering.py` refuses a query
that forgets it.

**Why our own.** mutmut 3 changes function bodies alone, in a copy of the tree; cosmic-ray changes files in place and
starts the tests anew for each mutant; neither knows SQL. What does it here is `tests/mutation`, a handful of modules.

**Some of it.** `make mutate ONLY="money fold"` tries two modules and keeps the figures of the others;
`make mutate SAMPLE=50 SEED=3` tries fifty mutants of each module, chosen by the seed; `ONLY=checks` the SQL alone;
`ONLY=--again` the survivors of the last run, once tests were added. Where a module was sampled, the table says so, and
which source was changed: the first digits of its SHA-256.

**What a sampled score is worth.** Tests were added for the survivors that a sample showed, and then `--again` was run: of
that sample nearly everything is noticed, of the mutants that it left out less. Another seed tells how much less, and only
a module of which all were tried has a score without a doubt. Before tests were added, the same samples had 14 of 24 of
`times`, 17 of 24 of `seals`, 32 of 45 of `fold`, 36 of 45 of `settle` and
20 of 28 of `checks.sql` noticed.

"""
_SURVIVORS = """
## Survivors
"""
