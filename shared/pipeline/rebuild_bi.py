"""Rebuild: the BI layer is derived from nothing, checked, and only what agrees to the cent is published.

Everything is built aside: rows carry their build, and what viz shows is decided by one table of published builds. A build
that fails anywhere before `publish` has therefore changed nothing that anybody reads; a month that is refused keeps
whatever was certified for it before, or stays absent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

import orjson
import structlog

from shared.bi import cases, inputs
from shared.bi.certification import Difference, Figure, Grain, Judgement, catalog, checks_in_order, judge
from shared.bi.publication import CANDIDATES, FIGURES, PUBLISH, begun_sql, contents_sql, prune_sql
from shared.bi.restatement import Restatement
from shared.bi.sealed_deliveries import COUNT_DELIVERIES, INSERT_SEALED
from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKind
from shared.domain.fold import Entity
from shared.domain.reconciliation import LISTING_JOB
from shared.domain.times import business_day, day_start, to_ms
from shared.pipeline.certifying import certificates, sealed, shadows_json
from shared.pipeline.kept import Kept
from shared.pipeline.restate import Restating, restated
from shared.pipeline.shadows import Shadowed, compare_shadows
from shared.pipeline.state_hash import state_hash
from shared.ports.casebook import Casebook
from shared.ports.ledger_store import LedgerStore
from shared.ports.raw_store import RawStore
from shared.ports.seal_store import SealStore
from shared.ports.warehouse import FILES_MAX, Cell, Files, Warehouse

log = structlog.get_logger("rebuild_bi")


RUNS_MAX = 10_000
"""How many of the latest comparisons with listings are asked which days they compared."""


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """What rebuilding needs of the world."""

    raw: RawStore
    ledger: LedgerStore
    casebook: Casebook
    warehouse: Warehouse
    code_version: str
    seals: SealStore | None = None
    """Where the raw store is sealed: what is sealed is loaded from there, and a certificate names the seal that it stands on."""


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """What a rebuild came to. Months of `refused` are not in viz by this build; each names what is different."""

    build_id: str
    as_of: datetime
    certified: tuple[Judgement, ...]
    refused: tuple[Judgement, ...]
    restated: tuple[Restatement, ...]
    """Certified months that this build publishes with other figures than were published before."""
    shadows: tuple[Shadowed, ...]
    """What the other definitions of views come to, over this build; they stop nothing."""
    ledger_state_hash: str
    raw_count: int
    raw_digest: str
    durations_ms: Mapping[str, int]

    @property
    def has_failed(self) -> bool:
        """Return whether a closed month was refused: the caller ends with a failure."""
        return bool(self.refused)


@dataclass(slots=True)
class _Build:
    """A build in progress: what the steps hand to each other."""

    world: Rebuilding
    build_id: str
    as_of: datetime
    folder: Path
    raw_count: int = 0
    raw_digest: str = ""
    ledger_state_hash: str = ""
    differences: list[Difference] = field(default_factory=list)
    judgements: tuple[Judgement, ...] = ()
    restatements: tuple[Restatement, ...] = ()
    shadows: tuple[Shadowed, ...] = ()

    @property
    def open_month(self) -> str:
        """Return the month that is not over yet in Buenos Aires: it and later ones are not judged."""
        return f"{business_day(self.as_of):%Y-%m}"

    @property
    def parameters(self) -> dict[str, str | int]:
        """Return what the models may ask for."""
        # Whole days: two builds of one day say the same of the same ledger.
        as_of_ms = to_ms(day_start(business_day(self.as_of)))
        return {"build_id": self.build_id, "open_month": self.open_month, "as_of_ms": as_of_ms}

    def job(self, step: str, table: str) -> str:
        """Return the name of a job: the same one when the same build is tried again."""
        return f"{self.build_id}-{step}-{table.replace('.', '-')}"

    def load(self, table: inputs.Input, rows: Iterable[Mapping[str, Any]], *, replace: bool = True) -> None:
        """Write rows to a file and load it as a table."""
        path = self.folder.joinpath(f"{table.name}.ndjson")
        with path.open("wb") as file:
            file.writelines(map(_line, rows))
        self.load_file(table, path, replace=replace)

    def load_file(self, table: inputs.Input, path: Path, *, replace: bool) -> None:
        """Load a written file as a table."""
        job_id = self.job("load", table.name)
        self.world.warehouse.load(table.name, table.columns, path, job_id=job_id, replace=replace)
        path.unlink()


def rebuild(
    world: Rebuilding, *, build_id: str, as_of: datetime, stopwatch: Callable[[], int] = perf_counter_ns
) -> RebuildResult:
    """Rebuild the BI layer and publish the closed months that pass every check.

    `build_id` is time-ordered and new; months are closed that are over in Buenos Aires at `as_of`. `stopwatch` counts
    nanoseconds and decides nothing. Raises TransientError or TerminalError where the build itself fails, and for an id
    that was used before: then nothing that is published has changed.
    """
    durations_ms: dict[str, int] = {}
    with TemporaryDirectory(prefix="asiento-") as folder:
        build = _Build(world, build_id, as_of, Path(folder))
        for step in STEPS:
            started = stopwatch()
            step(build)
            durations_ms[step.__name__] = (stopwatch() - started) // 1_000_000
    result = RebuildResult(
        build_id=build_id,
        as_of=as_of,
        certified=tuple(judgement for judgement in build.judgements if judgement.passed),
        refused=tuple(judgement for judgement in build.judgements if not judgement.passed),
        restated=build.restatements,
        shadows=build.shadows,
        ledger_state_hash=build.ledger_state_hash,
        raw_count=build.raw_count,
        raw_digest=build.raw_digest,
        durations_ms=durations_ms,
    )
    _tell(result)
    _tell_restated(result.restated)
    return result


def load_deliveries(build: _Build) -> None:
    """Load every kept delivery. First of all: what is derived meanwhile is then in the ledger path alone, never lost.

    What segments hold is loaded from where they lie, after all of them agreed with their seals.
    """
    kept, digest = Kept(build.world.raw, build.world.seals), sha256()

    def rows() -> Iterator[Mapping[str, Any]]:
        for name, body_sha256, delivery in kept.objects():
            digest.update(f"{name} {body_sha256}\n".encode())
            build.raw_count += 1
            if delivery is not None:
                yield inputs.delivery_row(delivery)

    build.load(inputs.DELIVERIES, rows())
    build.raw_digest = digest.hexdigest()
    _load_segments(build, kept)


def _load_segments(build: _Build, kept: Kept) -> None:
    warehouse, segment = build.world.warehouse, inputs.SEGMENT
    for first in range(0, len(kept.judged), FILES_MAX):
        addresses = kept.judged[first : first + FILES_MAX]
        files = Files(segment.name, segment.columns, addresses, kept.line_bytes_max)
        warehouse.execute_over(INSERT_SEALED, files, job_id=build.job("load", f"{segment.name}-{first}"))
    (loaded,) = warehouse.query(COUNT_DELIVERIES, {})
    if loaded["deliveries"] != build.raw_count:
        raise TerminalError(
            f"{build.raw_count} deliveries were read and {loaded['deliveries']} loaded: a segment changed meanwhile; "
            "run `asiento verify`"
        )


def load_ledger(build: _Build) -> None:
    """Load the folded entities, one table a kind, in one pass that also takes the state hash."""
    paths = {kind: build.folder.joinpath(f"{kind.value}.ndjson") for kind in EntityKind}
    with ExitStack() as stack:
        files = {kind: stack.enter_context(path.open("wb")) for kind, path in paths.items()}

        def written() -> Iterator[Entity]:
            for entity in build.world.ledger.entities():
                if not entity.is_awaited:
                    files[entity.key.kind].write(_line(inputs.entity_row(entity)))
                yield entity

        build.ledger_state_hash = state_hash(written())
    for kind, path in paths.items():
        build.load_file(inputs.ENTITIES[kind], path, replace=True)


def load_outcomes(build: _Build) -> None:
    """Load what became of each delivery."""
    build.load(inputs.VERDICTS, map(inputs.verdict_row, build.world.ledger.verdicts()))


def load_comparisons(build: _Build) -> None:
    """Load which days were compared and are complete, which differences and exceptions are open, and who accepted which."""
    casebook = build.world.casebook
    exceptions = cases.standing(casebook.exceptions(is_open=None))
    differences = list(casebook.open_differences())
    compared = inputs.compared_day_rows(
        casebook.runs(LISTING_JOB, limit=RUNS_MAX), cases.not_accepted(differences, exceptions)
    )
    build.load(inputs.COMPARED_DAYS, compared)
    build.load(inputs.COMPLETENESS, map(inputs.completeness_row, casebook.completeness()))
    build.load(inputs.DIFFERENCES, cases.difference_rows(differences, exceptions))
    build.load(inputs.EXCEPTIONS, map(cases.exception_row, exceptions))


def write_models(build: _Build) -> None:
    """Write the rows of this build, model after model."""
    warehouse = build.world.warehouse
    for table in (inputs.CERTIFICATE, inputs.PUBLISHED, inputs.RESTATEMENT):
        warehouse.ensure_table(table.name, table.columns)
    _refuse_used_id(build, warehouse)
    for model in catalog():
        if model.is_view:
            # What people read changes with publication only; here it is merely made where there is none yet.
            warehouse.make_view(model.name, model.sql, replace=False)
        else:
            warehouse.ensure_table(model.name, model.stored_columns)
            warehouse.execute(model.insert_sql, build.parameters, job_id=build.job("write", model.name))


def run_checks(build: _Build) -> None:
    """Run every check in order and gather what is different."""
    for check in checks_in_order(catalog()):
        rows = build.world.warehouse.query(check.sql, build.parameters)
        found = [
            Difference(
                check.name,
                _text(row["month"]),
                _text(row["currency"]),
                _text(row["business_unit"]),
                str(row["difference"]),
            )
            for row in rows
        ]
        # An engine answers in any order; a certificate says the same each time.
        build.differences += sorted(found, key=lambda difference: difference.text)


def judge_months(build: _Build) -> None:
    """Judge every closed month, currency and business unit by the differences."""
    warehouse, parameters = build.world.warehouse, build.parameters
    candidates = [_grain(row) for row in warehouse.query(CANDIDATES, parameters)]
    figures = [
        (_grain(row), Figure(str(row["figure"]), *(_count(row[part]) for part in Figure._fields[1:])))
        for row in warehouse.query(FIGURES, parameters)
    ]
    build.judgements = judge(candidates, figures, build.differences, build.open_month)


def hold_against_shadows(build: _Build) -> None:
    """Hold each view that has another definition against it, over the rows of this build."""
    build.shadows = tuple(compare_shadows(catalog(), build.world.warehouse, build.parameters))


def certify(build: _Build) -> None:
    """Keep a certificate of every judgement, passed or not; certificates are only ever added."""
    stands_on = {
        "code_version": build.world.code_version,
        "ledger_state_hash": build.ledger_state_hash,
        "raw_count": build.raw_count,
        "raw_digest": build.raw_digest,
        "shadows": shadows_json(build.shadows),
        **sealed(build.world.seals),
    }
    rows = certificates(
        build.judgements, build.world.warehouse, build_id=build.build_id, as_of=build.as_of, stands_on=stands_on
    )
    build.load(inputs.CERTIFICATE, rows, replace=False)


def restate(build: _Build) -> None:
    """Keep, for each published month whose figures change, what they were, what they are, and what is behind it."""
    world = build.world
    restating = Restating(world.warehouse, world.ledger, build.build_id, world.code_version, to_ms(build.as_of))
    build.restatements = tuple(restated(restating, build.judgements))
    build.load(inputs.RESTATEMENT, (restatement.row() for restatement in build.restatements), replace=False)


def publish(build: _Build) -> None:
    """Let viz show this build for the months that passed, all at once. What did not pass stays as it was."""
    if any(judgement.passed for judgement in build.judgements):
        for model in catalog():
            if model.is_view:
                build.world.warehouse.make_view(model.name, model.sql, replace=True)
        build.world.warehouse.execute(PUBLISH, build.parameters, job_id=build.job("publish", "certificates.published"))


def prune(build: _Build) -> None:
    """Forget the rows of builds that nothing shows; this one stays, so that what it refused can be looked into."""
    for model in catalog():
        if not model.is_view:
            build.world.warehouse.execute(prune_sql(model), build.parameters, job_id=build.job("prune", model.name))


STEPS: tuple[Callable[[_Build], None], ...] = (
    load_deliveries,
    load_ledger,
    load_outcomes,
    load_comparisons,
    write_models,
    run_checks,
    judge_months,
    hold_against_shadows,
    certify,
    restate,
    publish,
    prune,
)


def build_hash(warehouse: Warehouse, build_id: str) -> str:
    """Return the digest over a build's mart and over all that viz shows, without the build's own name (DESIGN I8)."""
    digest = sha256()
    for model in catalog():
        if model.layer in ("mart", "viz"):
            sql = contents_sql(model)
            digest.update(f"{sql}\n".encode())
            for row in warehouse.query(sql, {"build_id": build_id}):
                digest.update(_line(row))
    return digest.hexdigest()


def _refuse_used_id(build: _Build, warehouse: Warehouse) -> None:
    """Refuse an id under which rows were written before: they would count twice."""
    first = catalog()[0]
    warehouse.ensure_table(first.name, first.stored_columns)
    if any(True for _ in warehouse.query(begun_sql(first), build.parameters)):
        raise TerminalError(f"build {build.build_id} was begun before; every build needs an id of its own")


def _tell(result: RebuildResult) -> None:
    log.info("rebuilt", build_id=result.build_id, certified=len(result.certified), refused=len(result.refused))
    for judgement in result.refused:
        first = judgement.differences[0]
        log.error(
            "month refused",
            grain=str(judgement.grain),
            differences=len(judgement.differences),
            check=first.check,
            first=first.text,
        )


def _tell_restated(restatements: Iterable[Restatement]) -> None:
    for restatement in restatements:
        log.warning(
            "month restated",
            grain=str(restatement.grain),
            restatement_id=restatement.restatement_id,
            is_explained=restatement.is_explained,
            changed_minor={each.figure: each.change_minor for each in restatement.figures},
        )


def _grain(row: Mapping[str, Any]) -> Grain:
    return Grain(*(str(row[part]) for part in Grain._fields))


def _text(cell: Cell) -> str | None:
    return None if cell is None else str(cell)


def _count(cell: object) -> int:
    if type(cell) is not int:
        msg = f"a figure is a whole number, not {type(cell).__name__}"
        raise TypeError(msg)
    return cell


def _line(row: Mapping[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
