"""The season on Google adapters: the demonstration's season over the emulators, held against the same season embedded.

    make demo-cloud
    python -m tests.season_on_google --sales 1000 --seed 7

The four doors run as processes of the functions framework, wired by the variables that the deployment sets. Signed
webhooks are posted to receive; Pub/Sub pushes its envelope to derive; reconcile fetches what thin events point at;
rebuild_bi certifies. What a door cannot be asked for (a season that is over waits for nothing) is asked of the same verbs on
the same adapters, in this process.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import httpx
import typer

from local import line
from local.console import out, progress, show_proofs, table
from local.demo import report
from local.demo.homes import PROVIDERS, new_keys, opened
from local.demo.season import SeasonStory, accidents, prove, rebuild_here, timed
from local.doors import NAMES, free_port, serve_functions
from local.simulator import API_SECRETS, Api, ApiServer, Plan, Season, Secrets, send
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.bi.certification import Difference, Figure, Grain, Judgement
from shared.domain.errors import TerminalError
from shared.domain.times import ALL_TIME
from shared.pipeline.rebuild_bi import RebuildResult
from shared.ports.warehouse import Row
from shared.runtime import logs
from shared.runtime.google import GoogleParts
from shared.runtime.parts import Parts
from shared.runtime.settings import Settings
from tests.emulators.project import Emulators, Project

_JOB_S_MAX = 1800
_CERTIFICATES = "SELECT * FROM certificates.certificate WHERE build_id = @build_id AND passed"

Figures = dict[tuple[str, str, str, str], tuple[int, int, int, int]]
"""Month, currency, business unit and figure to count and sum of the ledger path, count and sum of the control path."""


@dataclass(slots=True)
class CloudStory:
    """One season lived twice: on Google adapters and embedded."""

    google: SeasonStory
    embedded: SeasonStory
    is_on_bigquery: bool
    """Whether the warehouse was BigQuery's; else the embedded one stood in its place."""
    pushed: int = 0
    """Pushes that the derive door accepted."""
    dead_letters: int = 0
    reconcile_answer: dict[str, Any] = field(default_factory=dict)
    fetched_by_door: int = 0
    """Answers of the providers' APIs that the reconcile door kept."""
    received: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Operations by service, from the first webhook to the last outcome."""
    whole: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Operations by service of the whole season, reconciling, rebuilding and tracing included."""


@dataclass(frozen=True, slots=True)
class Course:
    """Which season is lived."""

    sales: int
    seed: int
    last_day: date | None = None

    def season(self) -> Season:
        """Live it."""
        if self.last_day is None:
            return Season.generate(self.seed, self.sales)
        return Season.generate(self.seed, self.sales, last_day=self.last_day)


class GoogleBesideDuckDb(GoogleParts):
    """The Google world with the embedded warehouse in the place of BigQuery."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Take the folder in which the warehouse's file is made."""
        super().__init__(settings)
        self._folder = folder

    @cached_property
    def warehouse(self) -> DuckDbWarehouse:  # type: ignore[override]  # another adapter of the same port is the point
        """The warehouse."""
        return DuckDbWarehouse(self._folder / "warehouse.duckdb")


def tell(course: Course, emulators: Emulators, project_name: str) -> CloudStory:
    """Live a season on Google adapters, then the same one, with the same accidents, embedded."""
    logs.configure(level="error", as_json=False)
    google, embedded = SeasonStory(course.seed, course.sales), SeasonStory(course.seed, course.sales)
    story = CloudStory(google, embedded, is_on_bigquery=emulators.bigquery is not None)
    _live(story, course, Project(project_name, emulators))
    _live_embedded(embedded, course)
    return story


def _live(story: CloudStory, course: Course, project: Project) -> None:
    season, keys = course.season(), new_keys()
    plan = Plan(season, accidents(course.seed))
    story.google.planned = Counter(plan.counts)
    project.make(_named(keys, "webhook") | _named(API_SECRETS, "api"))
    with (
        ApiServer(Api(season.company, undelivered=plan.undelivered())) as apis,
        _doors(environ := _environ(project, apis), are_with_rebuild=story.is_on_bigquery) as urls,
        _opened(environ, is_on_bigquery=story.is_on_bigquery) as parts,
        project.push_to(urls["derive"]) as pushing,
    ):
        start = project.emulators.operations()
        with (
            timed(story.google, "receive and derive", ""),
            progress("posting signed webhooks, pushing what is announced", len(plan)) as meter,
        ):
            story.google.answered = send(plan.sends(), urls["receive"], keys, on_progress=meter.advance)
            pushing.settle()
        story.received = project.emulators.operations() - start
        story.reconcile_answer = _asked(urls["reconcile"], {"job": "fetches"})
        pushing.settle()
        story.fetched_by_door = sum("/fetch/" in name for name in parts.raw.names(ALL_TIME))
        rebuilt = partial(_rebuilt_at, urls["rebuild_bi"]) if story.is_on_bigquery else rebuild_here
        prove(story.google, season, parts, lambda _: pushing.settle(), rebuilt)
        story.pushed, story.dead_letters = pushing.accepted, pushing.dead_letters
        story.whole = project.emulators.operations() - start


def _live_embedded(story: SeasonStory, course: Course) -> None:
    season, keys = course.season(), new_keys()
    plan = Plan(season, accidents(course.seed))
    with (
        TemporaryDirectory(prefix="asiento-embedded-") as folder,
        ApiServer(Api(season.company, undelivered=plan.undelivered())) as apis,
        opened(Path(folder), keys, apis) as parts,
    ):
        with timed(story, "receive and derive", "the same season on one machine"):
            for _ in line.receive_all(parts, plan.sends(), keys):
                line.drain(parts)
        prove(story, season, parts)


def _environ(project: Project, apis: ApiServer) -> dict[str, str]:
    addresses = {f"ASIENTO_API_URL_{name.upper()}": apis.base_url(name) for name in PROVIDERS}
    return project.settings() | addresses | {"ASIENTO_LOG_LEVEL": "error"}


@contextmanager
def _doors(environ: Mapping[str, str], *, are_with_rebuild: bool) -> Iterator[dict[str, str]]:
    """Start the functions; yield where each answers. The rebuild_bi door cannot start where there is no BigQuery."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(serve_functions((name,), free_port(), {**environ, "WORKERS": "1"}))[name].url
            for name in NAMES
            if are_with_rebuild or name != "rebuild_bi"
        }


@contextmanager
def _opened(environ: Mapping[str, str], *, is_on_bigquery: bool) -> Iterator[GoogleParts]:
    settings = Settings.from_environment(environ)
    with TemporaryDirectory(prefix="asiento-warehouse-") as folder:
        parts = GoogleParts(settings) if is_on_bigquery else GoogleBesideDuckDb(settings, Path(folder))
        try:
            yield parts
        finally:
            parts.close()


def _rebuilt_at(url: str, parts: Parts) -> RebuildResult:
    """Ask the rebuild_bi door, and read what it certified from the certificates that it wrote."""
    answer = _asked(url, {})
    if "build_id" not in answer:
        raise TerminalError(f"the rebuild_bi door answered {answer['status']}: {answer['detail']}")
    certificates = parts.warehouse.query(_CERTIFICATES, {"build_id": answer["build_id"]})
    return RebuildResult(
        build_id=answer["build_id"],
        as_of=line.now(),
        certified=tuple(_certified(each) for each in certificates),
        refused=tuple(_refused(each) for each in answer["refused"]),
        restated=(),
        shadows=(),
        ledger_state_hash=answer["ledger_state_hash"],
        raw_count=answer["raw_count"],
        raw_digest="",
        durations_ms=answer["durations_ms"],
    )


def _certified(certificate: Row) -> Judgement:
    grain = Grain(*(str(certificate[name]) for name in Grain._fields))
    figures = json.loads(str(certificate["figures"])).items()
    return Judgement(grain, tuple(Figure(name, *counts) for name, counts in figures), ())


def _refused(told: Mapping[str, Any]) -> Judgement:
    grain = Grain(*(told[name] for name in Grain._fields))
    found = (text.partition(": ") for text in told["differences"])
    return Judgement(grain, (), tuple(Difference(check, *grain, text) for check, _, text in found))


def _asked(url: str, body: Mapping[str, str]) -> dict[str, Any]:
    """Post to the door of a job, as the scheduler does, and return its answer, with the status beside it."""
    answer = httpx.post(url, json=dict(body), timeout=_JOB_S_MAX)
    return {**answer.json(), "status": answer.status_code}


def _named(values: Secrets, kind: str) -> dict[str, str]:
    return {f"{provider}-{kind}": value for provider, value in values.items()}


def certified(story: SeasonStory) -> Figures:
    """Return every figure of every certified month."""
    return {
        (*judgement.grain, figure.name): (
            figure.ledger_count,
            figure.ledger_minor,
            figure.control_count,
            figure.control_minor,
        )
        for judgement in (story.rebuilt.certified if story.rebuilt else ())
        for figure in judgement.figures
    }


def proofs(story: CloudStory) -> Iterator[tuple[bool, str]]:
    """Yield what must hold, each with whether it does."""
    yield from report.proofs_of_one_run(story.google)
    yield (
        story.dead_letters == 0 and story.pushed >= story.google.kept.total(),
        f"no push to the derive door was given up: {story.pushed:,} accepted of {story.google.kept.total():,} deliveries",
    )
    yield (
        story.reconcile_answer["status"] == HTTPStatus.OK and story.fetched_by_door > 0,
        f"the reconcile door fetched what thin events point at: {story.fetched_by_door:,} answers kept",
    )
    on_google, embedded = certified(story.google), certified(story.embedded)
    yield (
        bool(on_google) and on_google == embedded,
        f"the certified figures are those of the embedded run, to the cent: {len(on_google):,} of {len(embedded):,}",
    )
    yield (
        bool(story.google.hash) and story.google.hash == story.embedded.hash,
        f"the state hash is that of the embedded run: {story.google.hash[:16]}… and {story.embedded.hash[:16]}…",
    )


def show(story: CloudStory) -> bool:
    """Show the story and return whether every proof holds."""
    report.show_events(story.google)
    deliveries = story.google.kept["webhook"]
    table(
        f"Operations, per delivery of {deliveries:,} webhooks received and derived, and of the whole season",
        ("service", "operation", ">received and derived", ">per delivery", ">whole season"),
        (
            (service, operation, story.received[service, operation], f"{_hundredths(count, deliveries)}", whole)
            for (service, operation), whole in sorted(story.whole.items())
            for count in [story.received[service, operation]]
        ),
    )
    if not story.is_on_bigquery:
        out.print("[yellow]The warehouse is the embedded one[/]: BigQuery's emulator cannot be installed here.\n")
    holds = show_proofs(proofs(story))
    report.show_seconds(story.google)
    return holds


def _hundredths(count: int, among: int) -> str:
    """Return a ratio with two decimals, rounded down."""
    whole, rest = divmod(100 * count // max(among, 1), 100)
    return f"{whole}.{rest:02d}"


def main(
    sales: Annotated[int, typer.Option("--sales", min=1, help="How many sales the season has.")] = 1_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same season and accidents.")] = 7,
) -> None:
    """Send a season through the Google adapters over the emulators, and prove that it came out as embedded."""
    with Emulators.running() as emulators:
        story = tell(Course(sales, seed), emulators, "asiento-season")
    sys.exit(0 if show(story) else 1)


if __name__ == "__main__":
    typer.run(main)
