"""Asiento certifies of each day that what a provider lists is in the raw store, and loses no day with a gap from sight."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from shared.domain.completeness import GAPS_NAMED_MAX, CompletenessCertificate, Gap, GapReason
from shared.domain.errors import NotFoundError, TransientError
from shared.domain.facts import EntityKind
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import ALL_TIME, Window, business_day
from shared.pipeline.reconcile import reconcile
from shared.pipeline.reconciliation.completeness import WEEKS_BEHIND_MAX
from tests.pipeline.small_company import NOON, Company, capabilities, sale, sold

TODAY = business_day(NOON)
TODAY_ALONE = Window.of_days(TODAY, TODAY)
SEED = 5


def certify(company: Company, window: Window = TODAY_ALONE) -> ReconciliationRun:
    """Run the job as of now; return its last run."""
    runs = reconcile("completeness", company.world, window, company.clock.now())
    return runs[-1]


def fetch(company: Company) -> None:
    """Make the fetches that are due, and derive what they bring."""
    reconcile("fetches", company.world, TODAY_ALONE, company.clock.now())
    company.derive()


def standing(company: Company) -> dict[date, CompletenessCertificate]:
    """Return the certificates that stand, by day."""
    return {each.day: each for each in company.casebook.completeness()}


def after_midnight(company: Company, **span: int) -> None:
    """Let the day of NOON end, and some time pass."""
    company.clock.put_forward(hours=14)
    company.clock.put_forward(**span)


def test_a_day_of_which_all_is_kept(company: Company) -> None:
    """Asiento certifies a day once it is over, over the deliveries that brought what the provider lists."""
    for number in range(3):
        company.books.keep(sale(number), sold(10_000))
        company.tell(number, sold(10_000))
    certify(company)
    assert TODAY not in standing(company), "the day is not over"

    after_midnight(company)
    run = certify(company)
    today = standing(company)[TODAY]
    assert (today.listed, today.present, today.gaps, today.is_complete) == (3, 3, (), True)
    assert (today.provider, today.kind, today.run_id) == ("tiny", EntityKind.SALE, run.run_id)
    kept = sorted(company.raw.deliveries(ALL_TIME), key=lambda each: each.body)
    lines = "".join(
        f"{sale(number)} {each.object_name} {each.body_sha256}\n" for number, each in zip(range(3), kept, strict=True)
    )
    assert today.deliveries_sha256 == sha256(lines.encode()).hexdigest(), "it can be recomputed by hand"
    assert run.counts == {"days": 2, "listed": 3, "gaps": 0, "asked": 0}


def test_a_day_that_may_still_be_open_at_the_provider(company: Company) -> None:
    """Asiento waits an hour after midnight: a provider whose clock is ten minutes behind still sells on the day before."""
    company.clock.put_forward(hours=12, minutes=50)
    certify(company)
    assert TODAY not in standing(company)
    company.clock.put_forward(minutes=20)
    certify(company)
    assert TODAY in standing(company)


def test_whole_months_are_certified(company: Company) -> None:
    """Asiento certifies every day of the months that its window touches, as far as they are over: months are closed whole."""
    company.clock.put_forward(days=60)
    certify(company, Window(NOON, NOON + timedelta(days=30)))
    assert set(standing(company)) >= set(Window.of_days(date(2026, 3, 1), date(2026, 4, 30)).days())
    assert max(standing(company)) == date(2026, 4, 30)


def test_a_gap_is_named_asked_for_and_closed_by_a_later_certificate(company: Company) -> None:
    """Asiento names what is listed and was never told, fetches it, and closes the gap by a new certificate, the old one kept."""
    company.books.keep(sale(1), sold(10_000))
    company.books.keep(sale(2), sold(20_000))
    company.tell(2, sold(20_000))
    after_midnight(company)
    run = certify(company)
    first = standing(company)[TODAY]
    assert (first.listed, first.present, first.gaps) == (2, 1, (Gap(sale(1), GapReason.NOT_TOLD),))
    assert (run.counts["gaps"], run.counts["asked"]) == (1, 1)
    fetch(company)
    assert standing(company)[TODAY] == first, "fetching alone certifies nothing"
    certify(company)
    second = standing(company)[TODAY]
    assert second.is_complete
    assert company.casebook.certificates_of("tiny", EntityKind.SALE, TODAY) == [first, second]


def test_what_was_told_before_the_last_change_is_a_gap(company: Company) -> None:
    """Asiento does not take an older statement about a sale for the one that the provider lists now."""
    later = NOON + timedelta(minutes=1)
    company.tell(1, sold(10_000))
    company.books.keep(sale(1), sold(10_000, status="reversed"), at=later)
    after_midnight(company)
    certify(company)
    assert standing(company)[TODAY].gaps == (Gap(sale(1), GapReason.TOLD_OLDER),)
    fetch(company)
    certify(company)
    assert standing(company)[TODAY].is_complete


def test_in_the_ledger_is_not_in_the_raw_store(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento reads the bytes: what the ledger knows from a delivery that is gone is a gap, and fetching mends it."""
    for number in (1, 2):
        company.books.keep(sale(number), sold(10_000))
    company.tell(1, sold(10_000))
    (gone,) = company.raw.names(ALL_TIME)
    company.tell(2, sold(10_000))
    after_midnight(company)
    kept = company.raw.read_all

    def without_one(names: Sequence[str]) -> object:
        if gone in names:
            raise NotFoundError(f"there is no raw object {gone}")
        return kept(names)

    monkeypatch.setattr(company.raw, "read_all", without_one)
    certify(company)
    today = standing(company)[TODAY]
    assert (today.listed, today.present, today.gaps) == (2, 1, (Gap(sale(1), GapReason.NOT_KEPT),))
    fetch(company)
    certify(company)
    assert standing(company)[TODAY].is_complete


def test_gaps_are_counted_and_the_first_are_named(company: Company) -> None:
    """Asiento names a bounded number of gaps, by key, and counts them all."""
    for number in range(GAPS_NAMED_MAX + 50):
        company.books.keep(sale(number), sold(10_000))
    after_midnight(company)
    certify(company)
    today = standing(company)[TODAY]
    assert (today.gap_count, today.present, len(today.gaps)) == (GAPS_NAMED_MAX + 50, 0, GAPS_NAMED_MAX)
    assert [gap.key for gap in today.gaps] == [sale(number) for number in range(GAPS_NAMED_MAX)]


def test_each_day_has_its_own(company: Company) -> None:
    """Asiento certifies day by day: a gap on one leaves the others complete, and a day without sales is complete."""
    for number, later in enumerate((0, 1, 1, 3)):
        at = NOON + timedelta(days=later)
        company.books.keep(sale(number), sold(10_000, at=at))
        if number != 3:
            company.tell(number, sold(10_000, at=at))
    company.clock.put_forward(days=5)
    certify(company, Window(NOON, NOON + timedelta(days=5)))
    found = [(each.listed, each.gap_count) for day, each in standing(company).items() if day >= TODAY]
    assert found == [(1, 0), (2, 0), (0, 0), (1, 1), (0, 0)]


def test_late_rows_behind_the_window_are_found(company: Company) -> None:
    """Asiento's watermark cannot pass a gap: a day with one stays in reach until it is complete, however old (dlt #2269)."""
    company.books.keep(sale(1), sold(10_000))
    after_midnight(company)
    certify(company)
    assert not standing(company)[TODAY].is_complete
    company.clock.put_forward(days=90)
    now = business_day(company.clock.now())
    recent = Window.of_days(now - timedelta(days=1), now)
    for _ in range(-(-13 // WEEKS_BEHIND_MAX)):
        certify(company, recent)
    fetch(company)
    certify(company, recent)
    certificates = standing(company)
    assert certificates[TODAY].is_complete
    assert list(certificates) == Window.of_days(min(certificates), now - timedelta(days=1)).days(), "no day is left out"
    assert all(each.is_complete for each in certificates.values())

    late = NOON + timedelta(days=40)
    company.books.keep(sale(2), sold(10_000, at=late), at=late)
    whole = Window.of_days(TODAY, now)
    certify(company, whole)
    assert standing(company)[business_day(late)].gaps == (Gap(sale(2), GapReason.NOT_TOLD),)
    fetch(company)
    certify(company, recent)
    assert standing(company)[business_day(late)].is_complete, "the gap is in reach of the narrow window too"


def test_a_day_behind_costs_nothing_once_it_is_complete(company: Company) -> None:
    """Asiento looks at no week again that is complete and before the months of the window."""
    after_midnight(company)
    certify(company)
    company.clock.put_forward(days=21)
    first_of_april = company.clock.now()
    window = Window(first_of_april, first_of_april)
    assert len(reconcile("completeness", company.world, window, first_of_april)) == 4, "the rest of March"
    company.books.asked.clear()
    assert reconcile("completeness", company.world, window, first_of_april) == []
    assert company.books.asked == []


def test_a_provider_that_is_down_certifies_nothing(company: Company) -> None:
    """Asiento gives no certificate for a listing that failed or broke off, and the one before stands."""
    company.books.keep(sale(1), sold(10_000))
    company.tell(1, sold(10_000))
    after_midnight(company)
    certify(company)
    before = standing(company)
    company.books.outage, company.books.calls_before_outage = TransientError("503"), 0
    run = certify(company)
    assert (run.has_failed, run.error) == (True, "TransientError: 503")
    company.books.outage, company.books.cut_after = None, 0
    assert certify(company).has_failed
    assert standing(company) == before


def test_what_tells_no_instant_counts_for_every_day(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento lets an entry that cannot be placed stand in the way of every day of its week."""
    company.books.keep(sale(1), sold(10_000))
    listed = next(company.books.list_window(EntityKind.SALE, TODAY_ALONE))
    somewhere = replace(listed, occurred_at_ms=None)
    monkeypatch.setattr(company.books.__class__, "list_window", lambda *_: iter([somewhere]))
    after_midnight(company)
    certify(company)
    assert [each.gap_count for each in standing(company).values()] == [1] * len(standing(company))


def test_a_run_and_its_certificates_together_or_not_at_all(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento keeps neither a certificate without its run nor a run without its certificates (dlt #4023)."""
    after_midnight(company)
    with monkeypatch.context() as patch:
        patch.setattr("shared.adapters.embedded.casebook_sources._row", lambda _: _die())
        with pytest.raises(KeyboardInterrupt):
            certify(company)
    assert (standing(company), company.casebook.runs("completeness")) == ({}, [])
    certify(company)
    assert {each.run_id for each in standing(company).values()} == {
        each.run_id for each in company.casebook.runs("completeness")
    }


def test_not_even_sql_changes_a_certificate(company: Company, tmp_path: Path) -> None:
    """Asiento's certificates of completeness are only ever added, whoever asks."""
    after_midnight(company)
    certify(company)
    connection = sqlite3.connect(tmp_path / "cases.db")
    for statement in ("UPDATE completeness SET document = '{}'", "DELETE FROM completeness"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            connection.execute(statement)
    connection.close()


def test_losing_more_makes_more_gaps_and_none_at_rest(tmp_path: Path) -> None:
    """Asiento counts exactly what was lost of each day, and none of it after the jobs have run."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    random = Random(SEED)  # noqa: S311  a seeded test, no secret
    company = Company(tmp_path, capabilities())
    company.clock.put_forward(days=6)
    lost: dict[date, int] = {}
    for number in range(120):
        at = NOON + timedelta(minutes=random.randrange(0, 4 * 24 * 60))
        company.books.keep(sale(number), sold(10_000, at=at), at=at)
        if random.random() < 0.3:
            lost[business_day(at)] = lost.get(business_day(at), 0) + 1
        else:
            company.tell(number, sold(10_000, at=at), at=at)
    span = Window(NOON, company.clock.now())
    certify(company, span)
    gaps = {day: each.gap_count for day, each in standing(company).items() if each.gap_count}
    assert gaps == lost
    fetch(company)
    certify(company, span)
    assert all(each.is_complete for each in standing(company).values())
    assert sum(each.listed for each in standing(company).values()) == 120
    company.close()


def _die() -> None:
    raise KeyboardInterrupt
