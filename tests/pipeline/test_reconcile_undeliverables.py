"""Asiento takes what the platform could not deliver from its list, over HTTP, as if it had arrived."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from local.simulator import Api, Chaos, Plan, Season
from local.simulator.deliveries import Emission
from shared.domain.deliveries import Channel
from shared.domain.errors import NotFoundError, Quarantine, TransientError
from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import ALL_TIME, Window
from shared.pipeline.derive import Deriving, replay
from shared.pipeline.reconcile import Counterparty, reconcile
from shared.pipeline.reconciliation import undeliverables as job
from shared.pipeline.state_hash import state_hash
from shared.ports.provider import AlsoTells, Fetched, Undelivered
from tests.pipeline.season_world import SeasonWorld
from tests.pipeline.small_company import WEEK, Books, Company, body, capabilities, sale, sold

SEED = 9
LOSSES = Chaos(seed=SEED, loss_share=0.3, undelivered_share=1.0, duplicate_share=0.1, is_shuffled=True)


def opened(home: Path, season: Season, *extra: Emission) -> SeasonWorld:
    """Open a world whose platform lists every event that it lost, and more."""
    undelivered = [*Plan(season, LOSSES).undelivered(), *extra]
    return SeasonWorld(home, season, Api(season.company, undelivered=undelivered))


def take(world: SeasonWorld) -> ReconciliationRun:
    """Run the job as of now, and derive what was taken."""
    (run,) = world.run("undeliverables")
    return run


def test_events_come_back_from_the_list(tmp_path: Path, few_days: Season) -> None:
    """Asiento ends in the state of the clean run where everything that was lost stands in the platform's list."""
    with SeasonWorld(tmp_path / "told", few_days) as told, opened(tmp_path / "lost", few_days) as lost:
        told.hear(Chaos())
        lost.hear(LOSSES)
        assert told.hash != lost.hash
        run = take(lost)
        listed = len(Plan(few_days, LOSSES).undelivered())
        assert run.counts == {"listed": listed, "known": 0, "held_before": 0, "taken": listed, "gone": 0, "left": 0}
        assert listed > 20
        for world in (told, lost):
            # What the other providers lost stands in no list; they, and what events point at, are asked.
            world.window = Window.of_days(few_days.first_day, few_days.last_day)
            world.settle_down()
        assert lost.hash == told.hash
        assert list(lost.casebook.open_differences()) == []


def test_what_is_known_is_left_where_it_is(tmp_path: Path, few_days: Season) -> None:
    """Asiento takes each event once, takes nothing that came by webhook after all, and erases nothing at the platform."""
    with opened(tmp_path, few_days) as world:
        world.hear(Chaos())
        before, kept = world.hash, sum(1 for _ in world.raw.names(ALL_TIME))
        for _ in range(2):
            run = take(world)
            assert run.counts["known"] == run.counts["listed"] > 0
            assert run.counts["taken"] == 0
        assert (world.hash, sum(1 for _ in world.raw.names(ALL_TIME))) == (before, kept)
        assert world.api.retried == []


def test_taken_again_it_is_a_duplicate(tmp_path: Path, few_days: Season) -> None:
    """Asiento sees that an entry and its webhook are one event, whichever comes first, and a replay ends in the same state."""
    with opened(tmp_path, few_days) as world:
        world.hear(LOSSES)
        taken = take(world).counts["taken"]
        state = world.hash
        world.hear(Chaos())
        duplicates = world.ledger.outcome_counts()[Outcome.DUPLICATE]
        assert duplicates >= taken
        assert Outcome.CONFLICT not in world.ledger.outcome_counts()
        assert world.hash != state, "other providers lost events too"
        settled = world.hash
        deriving = Deriving(world.providers, world.raw, world.ledger, "again")
        for _ in replay(world.raw.deliveries(ALL_TIME), deriving, world.clock.now()):
            pass
        assert state_hash(world.ledger.entities()) == settled


def test_ranks_as_the_webhook_that_it_repeats(few_days: Season, tmp_path: Path) -> None:
    """Asiento gives what it took from the list the place that the webhook would have had on a tie of times."""
    with opened(tmp_path, few_days) as world:
        world.hear(LOSSES)
        take(world)
        fetched = [name for name in world.raw.names(ALL_TIME) if f"/{Channel.FETCH.value}/" in name]
        assert fetched
        facts = [fact for name in fetched for fact in world.ledger.facts_of_delivery(name.rpartition("/")[2])]
        assert facts
        assert {fact.stamp.rank for fact in facts} == {Channel.WEBHOOK.rank}


def test_an_entry_that_cannot_be_read_is_taken_once(tmp_path: Path, few_days: Season) -> None:
    """Asiento quarantines an entry whose payload it cannot read, with its bytes kept, and does not take it every hour."""
    whole = next(each for each in few_days.emissions() if each.event_type == "ticket.created")
    unheard_of = "0f0e0d0c-0b0a-4009-8807-060504030201"
    body = whole.body.replace(whole.event_id.encode(), unheard_of.encode()).replace(b'"paid"', b'"standby"')
    with opened(tmp_path, few_days, replace(whole, event_id=unheard_of, body=body)) as world:
        world.hear(Chaos())
        assert take(world).counts["taken"] == 1
        (held,) = world.ledger.verdicts((Outcome.QUARANTINED,))
        assert held.reason.startswith(Quarantine.UNKNOWN_STATUS.value)
        assert b"standby" in world.raw.read(held.object_name).body
        again = take(world)
        assert (again.counts["taken"], again.counts["held_before"]) == (0, 1)


@dataclass(slots=True)
class ListingBooks(Books):
    """The books of a provider that lists what it could not deliver: bodies by id, some gone by the time they are asked for."""

    undelivered: dict[str, bytes] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    fetches_before_outage: int = 1_000

    def list_undelivered(self) -> Iterator[Undelivered]:
        """List every entry."""
        for name, content in self.undelivered.items():
            yield Undelivered(name, f"tiny:{json.loads(content)['id']}")

    def fetch_undelivered(self, undelivered_id: str) -> Fetched:
        """Fetch one entry."""
        if self.fetches_before_outage == 0:
            raise TransientError("503")
        self.fetches_before_outage -= 1
        if undelivered_id in self.gone:
            raise NotFoundError(f"{undelivered_id} is gone")
        return Fetched(f"GET /undelivered/{undelivered_id}", self.undelivered[undelivered_id])


@pytest.fixture
def listing(company: Company) -> ListingBooks:
    """The small company, whose provider lists five events as undelivered."""
    books = ListingBooks()
    books.undelivered = {f"u{number}": body(f"e{number}", (sale(number), 1, sold())) for number in range(5)}
    declared = replace(capabilities(), also_tells=(AlsoTells.UNDELIVERED,))
    company.world = replace(company.world, counterparties={"tiny": Counterparty(declared, books)})
    return books


def take_in_small(company: Company) -> ReconciliationRun:
    """Run the job as of now, and derive what was taken."""
    (run,) = reconcile("undeliverables", company.world, WEEK, company.clock.now())
    company.derive()
    return run


def test_an_entry_that_left_the_list_is_passed_over(company: Company, listing: ListingBooks) -> None:
    """Asiento goes on where an entry is gone by the time it is fetched: somebody had it sent again or erased it."""
    listing.gone = {"u1", "u3"}
    run = take_in_small(company)
    assert not run.has_failed
    assert (run.counts["taken"], run.counts["gone"]) == (3, 2)


def test_what_an_outage_left_is_taken_by_the_next_run(
    company: Company, listing: ListingBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento keeps what it got before the provider went down, fails the run, and takes the rest, and only that, later."""
    monkeypatch.setattr(job, "BATCH", 2)
    listing.fetches_before_outage = 3
    run = take_in_small(company)
    assert run.has_failed
    assert company.ledger.outcome_counts() == {Outcome.APPLIED: 2}
    listing.fetches_before_outage = 1_000
    run = take_in_small(company)
    assert (run.counts["known"], run.counts["taken"]) == (2, 3)
    assert company.ledger.outcome_counts() == {Outcome.APPLIED: 5}


def test_a_run_ends_in_time(company: Company, listing: ListingBooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento takes no further entries when its time is over, says how many it left, and leaves them to the next run."""
    monkeypatch.setattr(job, "BATCH", 2)
    monkeypatch.setattr(job, "RUN_TIME_MAX", timedelta(milliseconds=4))
    run = take_in_small(company)
    assert run.counts["taken"] + run.counts["left"] == len(listing.undelivered)
    assert run.counts["left"] > 0
    monkeypatch.undo()
    assert take_in_small(company).counts["taken"] == run.counts["left"]


def test_a_provider_without_such_a_list_has_no_run(company: Company) -> None:
    """Asiento runs nothing for a provider that lists no undelivered webhooks."""
    assert reconcile("undeliverables", company.world, WEEK, company.clock.now()) == []
