"""Asiento finds what is missing or different by itself, gets it, and knows when it is done."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from shared.domain.errors import SettingsError, TransientError
from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.outcomes import Outcome
from shared.domain.times import to_ms
from shared.pipeline.reconcile import JOBS, reconcile, run_all
from shared.pipeline.state_hash import state_hash
from tests.pipeline.small_company import NOON, WEEK, Company, body, capabilities, sale, sold, ticket

SALES = 60


def open_company(home: Path) -> Company:
    """Open a company whose provider lists sales and tickets."""
    home.mkdir()
    return Company(home, capabilities(listings=(EntityKind.SALE, EntityKind.TICKET)))


def season(seed: int) -> list[tuple[bytes, list[tuple[EntityKey, int, dict[str, Value]]]]]:
    """Return webhooks of a season in order: each sale with its ticket, some reversed later."""
    random = Random(seed)  # noqa: S311  a seeded test, no secret
    webhooks = []
    for number in range(SALES):
        at = NOON + timedelta(minutes=random.randrange(-7_000, 7_000))
        amount = random.randrange(1, 1_000_000)
        fare: dict[str, Value] = {"fare_minor": amount, "currency": "ARS", "sale": str(sale(number))}
        departs = {"departs_at_ms": to_ms(at + timedelta(days=1))}
        told = [
            (sale(number), to_ms(at), sold(amount, at)),
            (ticket(number), to_ms(at), {**fare, "status": "open", **departs}),
        ]
        webhooks.append((body(f"sold{number}", *told), told))
        if random.random() < 0.3:
            later = to_ms(at) + 60_000
            told = [(sale(number), later, sold(amount, at, status="reversed"))]
            webhooks.append((body(f"reversed{number}", *told), told))
    return webhooks


def play(company: Company, seed: int, *, loss: float, straggling: float) -> None:
    """Let the provider's books and, as far as its webhooks arrive, Asiento hear of the season."""
    random = Random(seed + 1)  # noqa: S311  a seeded test, no secret
    company.clock.put_forward(days=7)
    webhooks = season(seed)
    for _, told in webhooks:
        for key, version, values in told:
            company.books.keep(key, values, NOON + timedelta(milliseconds=version - to_ms(NOON)))
    random.shuffle(webhooks)
    for content, _ in webhooks:
        if random.random() >= loss:
            company.hear(content, announce=random.random() >= straggling)
    company.derive()


@pytest.mark.parametrize("seed", [1, 2])
def test_season_with_losses_ends_as_the_clean_one(tmp_path: Path, seed: int) -> None:
    """Asiento's ledger after 30 % loss, stragglers and an outage equals the clean run's, and every gap is closed."""
    print(f"seed {seed}")  # noqa: T201  shown with a failure
    clean, bruised = open_company(tmp_path / "clean"), open_company(tmp_path / "bruised")
    play(clean, seed, loss=0, straggling=0)
    play(bruised, seed, loss=0.3, straggling=0.1)
    assert state_hash(bruised.ledger.entities()) != state_hash(clean.ledger.entities())
    opened = 0
    window = type(WEEK)(WEEK.start, WEEK.end + timedelta(days=2))
    for hour in range(8):
        bruised.books.outage = TransientError("503") if hour in (1, 2) else None
        bruised.books.calls_before_outage = 7
        opened += sum(run.opened for run in run_all(bruised.world, window, bruised.clock.put_forward(hours=1)))
        bruised.derive()
    assert state_hash(bruised.ledger.entities()) == state_hash(clean.ledger.entities())
    assert opened > 0
    assert list(bruised.casebook.open_differences()) == []
    assert list(bruised.casebook.exceptions()) == []
    assert bruised.ledger.outbox_depth() == 0
    assert not any(status.is_failing for status in bruised.casebook.status())
    assert all(run.drift_minor.get("ARS", 0) == 0 for run in bruised.casebook.runs("transactions", limit=32))
    for company in (clean, bruised):
        company.close()


def test_two_passes_at_once(tmp_path: Path) -> None:
    """Asiento applies everything once and opens every difference once when whole passes run at the same time."""
    company = open_company(tmp_path / "home")
    play(company, 7, loss=0.3, straggling=0.1)
    now = company.clock.put_forward(hours=1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run_all(company.world, WEEK, now), range(4)))
    difference_ids = [each.difference_id for each in company.casebook.open_differences()]
    assert len(difference_ids) == len(set(difference_ids)) > 0
    company.derive()
    for _ in range(2):
        run_all(company.world, WEEK, company.clock.put_forward(hours=1))
        company.derive()
    assert list(company.casebook.open_differences()) == []
    assert Outcome.CONFLICT not in company.ledger.outcome_counts()
    company.close()


def test_jobs_and_their_order(company: Company) -> None:
    """Asiento runs its jobs in the order in which they help each other, and each that has something to ask leaves a record."""
    names = [job.name for job in JOBS]
    assert names == [
        "inbox",
        "stragglers",
        "undeliverables",
        "awaited",
        "transactions",
        "completeness",
        "manifests",
        "control_totals",
        "fetches",
        "settlements",
        "matching",
        "quality",
        "exceptions",
    ]
    assert all(job.story for job in JOBS)
    runs = run_all(company.world, WEEK, company.clock.now())
    has_nothing_to_ask = ("inbox", "undeliverables", "manifests", "control_totals")
    assert list(dict.fromkeys(run.job for run in runs)) == [name for name in names if name not in has_nothing_to_ask]
    assert company.casebook.runs() == runs[::-1]


def test_job_that_there_is_not(company: Company) -> None:
    """Asiento names the jobs that there are to whoever asks for another."""
    with pytest.raises(SettingsError, match="no job 'cleanup'; name one of inbox, stragglers, undeliverables, awaited"):
        reconcile("cleanup", company.world, WEEK, company.clock.now())
