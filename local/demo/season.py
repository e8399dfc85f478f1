"""The demonstration with a season of a simulated bus company: sent, disturbed, recovered, certified, proved."""

import gc
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from local import line
from local.console import progress
from local.demo.figures import Line, compare
from local.demo.homes import empty_home, new_keys, opened
from local.doors import free_port, serve_functions
from local.simulator import Api, ApiServer, Chaos, Plan, Season, Secrets, SendReport, send
from shared.domain.outcomes import Outcome
from shared.domain.times import ALL_TIME, Window
from shared.pipeline.automatic_rate import NO_PAYMENTS, AutomaticRate, automatic_rate
from shared.pipeline.rebuild_bi import RebuildResult, rebuild
from shared.pipeline.state_hash import state_hash
from shared.pipeline.trace import FigureTrace, trace_figure
from shared.runtime import wiring
from shared.runtime.ids import new_delivery_id
from shared.runtime.parts import Parts

TRACED_VIEW = "viz.revenue_by_day_route"
_FIRST_ROW = "SELECT * FROM viz.revenue_by_day_route ORDER BY business_day, route_id LIMIT 1"


def accidents(seed: int) -> Chaos:
    """Return what happens to the season on its way."""
    return Chaos(
        seed=seed, duplicate_share=0.05, loss_share=0.02, forged_share=0.01, delay_share=0.01, reorder_window=400
    )


@dataclass(slots=True)
class SeasonStory:
    """Everything that the demonstration saw, for the report and the proofs."""

    seed: int
    sales: int
    planned: Counter[str] = field(default_factory=Counter)
    answered: SendReport = field(default_factory=SendReport)
    kept: Counter[str] = field(default_factory=Counter)
    """Deliveries in the raw store, by channel."""
    rejected: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    differences_opened: int = 0
    differences_open: int = 0
    failed_runs: list[str] = field(default_factory=list)
    rebuilt: RebuildResult | None = None
    figures: list[Line] = field(default_factory=list)
    traced: FigureTrace | None = None
    matched: AutomaticRate = NO_PAYMENTS
    hash: str = ""
    clean_hash: str = ""
    seconds: dict[str, int] = field(default_factory=dict)


def tell(home: Path, *, sales: int, seed: int, is_fresh: bool) -> SeasonStory:
    """Live through a season and return what was seen. Leaves the disturbed season's world in the home folder."""
    empty_home(home, is_fresh=is_fresh)
    story = SeasonStory(seed, sales)
    keys = new_keys()
    with timed(story, "season", "the company sells a season"):
        season = lived_through(seed, sales)
        plan = Plan(season, accidents(seed))
        story.planned = Counter(plan.counts)
    with (
        ApiServer(Api(season.company, undelivered=plan.undelivered())) as apis,
        opened(home, keys, apis) as parts,
    ):
        _receive_and_derive(story, plan, parts, keys)
        with _beside(clean_hash, seed, sales) as clean:
            prove(story, season, parts)
            with timed(story, "wait for the clean run", "waiting for the same season, in order and undisturbed"):
                story.clean_hash = clean.result()
    return story


def lived_through(seed: int, sales: int) -> Season:
    """Return a season; it stays to the end, so the garbage collector need not look through it again and again."""
    season = Season.generate(seed=seed, sales=sales)
    gc.collect()
    gc.freeze()
    return season


def rebuild_here(parts: Parts) -> RebuildResult:
    """Rebuild the BI layer in this process."""
    now = line.now()
    return rebuild(wiring.rebuilding(parts), build_id=new_delivery_id(now), as_of=now)


def prove(
    story: SeasonStory,
    season: Season,
    parts: Parts,
    settle: line.Settle = line.drain,
    rebuilt: Callable[[Parts], RebuildResult] = rebuild_here,
) -> None:
    """Do what follows once everything was sent: find and fetch what never came, certify the months, trace one number.

    `settle` has everything derived that was announced: here by draining the bus, elsewhere by waiting for who pushes.
    `rebuilt` rebuilds the BI layer: here, or by asking a door.
    """
    _reconcile(story, season, parts, settle)
    with timed(story, "rebuild and certify", "rebuilding the BI layer and checking every month"):
        story.rebuilt = rebuilt(parts)
    story.figures = compare(season.books.totals(), story.rebuilt.certified)
    _trace(story, parts)
    _count(story, parts)


def _receive_and_derive(story: SeasonStory, plan: Plan, parts: Parts, keys: Secrets) -> None:
    environ = {
        "ASIENTO_WORLD": parts.settings.world.value,
        "ASIENTO_HOME": str(parts.settings.home),
        "ASIENTO_LOG_LEVEL": "error",
        "WORKERS": "1",
    }
    with (
        timed(story, "receive and derive", ""),
        serve_functions(("receive",), free_port(), environ) as doors,
        line.deriving_beside(parts.settings),
        progress("posting signed webhooks to the receiving door, deriving beside it", len(plan)) as meter,
    ):
        story.answered = send(plan.sends(), doors["receive"].url, keys, on_progress=meter.advance)


def _reconcile(story: SeasonStory, season: Season, parts: Parts, settle: line.Settle) -> None:
    # Whole months: a month is certified only if every day of it is certified complete.
    last = max(day for day, _ in season.books.earned)
    window = Window.of_days(season.first_day.replace(day=1), last.replace(day=monthrange(last.year, last.month)[1]))
    with timed(story, "reconcile", "asking the providers for what never came"):
        runs = line.reconcile_until_closed(parts, window, settle)
    story.differences_opened = sum(run.opened for run in runs)
    story.differences_open = sum(1 for _ in parts.casebook.open_differences())
    story.failed_runs = [f"{run.job} {run.provider}: {run.error}" for run in runs if run.has_failed]


def _trace(story: SeasonStory, parts: Parts) -> None:
    """Trace the revenue of the first day and route that is shown."""
    first = next(iter(parts.warehouse.query(_FIRST_ROW, {})), None)
    if first is not None:
        named = {name: str(first[name]) for name in ("business_day", "route_id", "currency", "business_unit")}
        story.traced = trace_figure(wiring.tracing(parts), TRACED_VIEW, named, "earned_minor", shown_max=1)


def _count(story: SeasonStory, parts: Parts) -> None:
    story.kept = Counter(name.split("/")[5] for name in parts.raw.names(ALL_TIME))
    story.rejected = sum(1 for _ in parts.rejected.rejected())
    story.outcomes = parts.ledger.outcome_counts()
    story.matched = automatic_rate(parts.ledger, parts.casebook, ALL_TIME, line.now())
    story.hash = state_hash(parts.ledger.entities())


def clean_hash(seed: int, sales: int) -> str:
    """Run the same season in order and undisturbed, into a ledger of its own, and return its state hash."""
    season, keys = lived_through(seed, sales), new_keys()
    with (
        TemporaryDirectory(prefix="asiento-clean-") as folder,
        ApiServer(Api(season.company)) as apis,
        opened(Path(folder), keys, apis) as parts,
    ):
        for _ in line.receive_all(parts, Plan(season, Chaos()).sends(), keys):
            line.drain(parts)
        with wiring.reconciling(parts) as world:
            line.fetch_until_done(parts, world)
        return state_hash(parts.ledger.entities())


@contextmanager
def _beside(task: Callable[[int, int], str], seed: int, sales: int) -> Iterator["Future[str]"]:
    """Run a task in a process of its own while the caller goes on."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        yield pool.submit(task, seed, sales)


@contextmanager
def timed(story: SeasonStory, name: str, sentence: str) -> Iterator[None]:
    """Note how long a part of the story takes, showing what is going on if there is a sentence for it."""
    started = perf_counter()
    if sentence:
        with progress(sentence):
            yield
    else:
        yield
    story.seconds[name] = round(perf_counter() - started)
