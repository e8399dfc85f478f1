"""Asiento compares what a provider lists with its ledger, both ways, to the cent."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.errors import TransientError
from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.findings import ExceptionKind
from shared.domain.reconciliation import DifferenceType, ReconciliationRun
from shared.domain.times import Window, day_start
from shared.pipeline.reconcile import reconcile
from shared.pipeline.reconciliation.transactions import weeks_of
from shared.ports.provider import Listed
from tests.pipeline.small_company import NOON, WEEK, Books, Company, body, capabilities, sale, sold, ticket

MILLISECOND = timedelta(milliseconds=1)


def compare(company: Company, window: Window = WEEK) -> list[ReconciliationRun]:
    """Run the comparison as of now."""
    return reconcile("transactions", company.world, window, company.clock.now())


def fetch(company: Company) -> ReconciliationRun:
    """Make the fetches that are due, and derive what they bring."""
    (run,) = reconcile("fetches", company.world, WEEK, company.clock.now())
    company.derive()
    return run


def today(runs: list[ReconciliationRun]) -> ReconciliationRun:
    """Return the run of the day of NOON."""
    (run,) = (run for run in runs if run.window and run.window.start <= NOON < run.window.end)
    return run


def found(company: Company) -> dict[str, DifferenceType]:
    """Return the open differences by entity."""
    return {each.mismatch.key.entity_id: each.mismatch.type for each in company.casebook.open_differences()}


@pytest.mark.parametrize("cent", [1, -1])
def test_one_cent_is_found_and_named(company: Company, cent: int) -> None:
    """Asiento finds one cent that either side has too much, names the sale, and shows the drift with its sign."""
    company.books.keep(sale(1), sold(10_000 + cent))
    company.books.keep(sale(2), sold(20_000))
    company.tell(1, sold(10_000))
    company.tell(2, sold(20_000))
    run = today(compare(company))
    assert found(company) == {"s0001": DifferenceType.AMOUNT_DIFFERS}
    assert run.drift_minor == {"ARS": cent}
    assert (run.counts["provider"], run.counts["ledger"], run.opened) == (2, 2, 1)
    (difference,) = company.casebook.differences_of(run.run_id)
    assert str(difference.at_risk) == "ARS 0.01"


def test_missing_in_ledger_is_fetched_and_closed_by_a_later_comparison(company: Company) -> None:
    """Asiento fetches what it never heard of; the gap is closed only when a later comparison no longer finds it."""
    company.books.keep(sale(1), sold(10_000))
    first = today(compare(company))
    assert (first.counts["missing_in_ledger"], first.counts["asked"], first.drift_minor) == (1, 1, {"ARS": 10_000})
    assert fetch(company).counts["fetched"] == 1
    entity = company.ledger.entity(sale(1))
    assert entity is not None
    assert entity.values["total_minor"] == 10_000
    assert found(company) == {"s0001": DifferenceType.MISSING_IN_LEDGER}, "fetching alone closes nothing"
    second = today(compare(company))
    assert (second.closed, second.drift_minor) == (1, {"ARS": 0})
    (difference,) = company.casebook.differences_of(first.run_id)
    assert difference.opened_by_run == first.run_id
    assert difference.closed_by_run == second.run_id


def test_one_thing_is_fetched_once(tmp_path: Path) -> None:
    """Asiento fetches a sale once for all the tickets of it that are missing."""
    company = Company(tmp_path, capabilities(listings=(EntityKind.TICKET,)))
    company.books.keep(sale(1), sold(30_000))
    for number in range(3):
        fare: dict[str, Value] = {"fare_minor": 10_000, "currency": "ARS", "status": "open", "sale": str(sale(1))}
        company.books.keep(ticket(number), {**fare, "departs_at_ms": sold()["sold_at_ms"]})
    run = today(compare(company))
    assert (run.counts["missing_in_ledger"], run.counts["asked"]) == (3, 1)
    fetch(company)
    assert [call for call in company.books.asked if call.startswith("fetch")] == [f"fetch {sale(1)}"]
    assert today(compare(company)).closed == 3
    company.close()


def test_missing_at_provider_is_asked_for_and_stays_open_if_unknown(company: Company) -> None:
    """Asiento asks the provider for what it does not list; if it does not know it either, people hear of it."""
    company.tell(1, sold(10_000))
    first = today(compare(company))
    assert (first.counts["missing_at_provider"], first.drift_minor) == (1, {"ARS": -10_000})
    assert fetch(company).counts["not_found"] == 1
    assert found(company) == {"s0001": DifferenceType.MISSING_AT_PROVIDER}
    (exception,) = company.casebook.exceptions()
    assert (exception.kind, exception.subject) == (ExceptionKind.NOT_FOUND, str(sale(1)))
    assert str(exception.at_risk) == "ARS 100.00"

    company.books.keep(sale(1), sold(10_000))
    assert today(compare(company)).closed == 1
    assert not list(company.casebook.exceptions()), "what the provider lists is not unknown to it"


def test_what_moved_to_another_week_is_asked_for_and_closed(company: Company) -> None:
    """Asiento learns by asking that what a week's listing lacks has moved to another week."""
    next_week = NOON + timedelta(days=6)
    company.tell(1, sold(10_000, at=NOON))
    company.books.keep(sale(1), sold(10_000, at=next_week), at=next_week)
    company.clock.put_forward(days=7)
    runs = compare(company)
    assert {each.mismatch.type for each in company.casebook.open_differences()} == {
        DifferenceType.MISSING_AT_PROVIDER,
        DifferenceType.OLDER_IN_LEDGER,
    }
    assert sum(run.counts.get("missing_in_ledger", 0) for run in runs) == 0, "it is there, under its old week"
    assert sum(run.counts["found_by_key"] for run in runs) == 1
    assert fetch(company).counts["fetched"] == 1
    compare(company)
    assert found(company) == {}


def test_every_way_to_differ_is_named(company: Company) -> None:
    """Asiento names each way in which a sale differs, and holds no tolerance."""
    later = NOON + MILLISECOND
    company.clock.put_forward(hours=1)
    for number in range(1, 6):
        company.tell(number, sold(10_000))
        company.books.keep(sale(number), sold(10_000))
    company.books.keep(sale(1), sold(10_000, currency="USD"))
    company.books.keep(sale(2), sold(10_000, status="reversed"))
    company.books.keep(sale(3), sold(10_000), at=later)
    company.books.keep(sale(4), sold(9_999), at=later)
    run = today(compare(company))
    named = [(each.mismatch.key.entity_id, each.mismatch.type.value) for each in company.casebook.open_differences()]
    assert sorted(named) == [
        ("s0001", "currency_differs"),
        ("s0002", "status_differs"),
        ("s0003", "older_in_ledger"),
        ("s0004", "amount_differs"),
        ("s0004", "older_in_ledger"),
    ]
    assert run.drift_minor == {"ARS": -10_001, "USD": 10_000}


def test_what_a_listing_cannot_show_is_not_missing_from_it(tmp_path: Path) -> None:
    """Asiento reports no web sale as missing from a listing by shift; but if it is listed all the same, it is compared."""
    company = Company(tmp_path, capabilities(covers=lambda _kind, values: "shift" in values))
    company.tell(1, sold(10_000))
    company.tell(2, sold(10_000, shift="shift:tiny:h1"))
    company.tell(3, sold(10_000))
    company.books.keep(sale(3), sold(10_001))
    run = today(compare(company))
    assert found(company) == {"s0002": DifferenceType.MISSING_AT_PROVIDER, "s0003": DifferenceType.AMOUNT_DIFFERS}
    assert (run.counts["uncovered"], run.counts["ledger"]) == (1, 2)
    assert run.drift_minor == {"ARS": 1 - 10_000}, "what is not compared is in no total"
    company.close()


def test_pages_that_shift_while_they_are_read(company: Company) -> None:
    """Asiento counts once what a shifting listing shows twice."""
    company.books.listed_twice = True
    company.books.keep(sale(1), sold(10_000))
    company.tell(1, sold(10_000))
    run = today(compare(company))
    assert (run.counts["provider"], run.opened, run.drift_minor) == (1, 0, {"ARS": 0})


def test_provider_down_halfway(company: Company) -> None:
    """Asiento keeps the whole weeks that it compared before a provider went down, half of none, and goes on the next time."""
    for week in range(8):
        company.books.keep(sale(week), sold(10_000, at=NOON + timedelta(weeks=week)))
    season = Window(NOON, NOON + timedelta(weeks=7, hours=1))
    company.books.outage, company.books.calls_before_outage = TransientError("503: try later"), 3
    runs = compare(company, season)
    failed = [run for run in runs if run.has_failed]
    assert (len(runs), len(failed)) == (8, 5)
    assert failed[0].error == "TransientError: 503: try later"
    assert all((run.opened, run.counts, run.drift_minor) == (0, {}, {}) for run in failed)
    assert len(company.books.asked) == 6, "after three failures in a row it is left alone"
    assert set(found(company)) == {"s0000", "s0001", "s0002"}
    (status,) = company.casebook.status()
    assert (status.is_failing, status.failing) == (True, 5)

    company.books.outage = None
    company.clock.put_forward(weeks=8)
    fetch(company)
    again = compare(company, season)
    assert not any(run.has_failed for run in again)
    assert not company.casebook.status()[0].is_failing
    fetch(company)
    compare(company, season)
    assert found(company) == {}
    assert company.ledger.outbox_depth() == 0


def test_success_elsewhere_hides_no_failure(company: Company) -> None:
    """Asiento holds a week as failed, whatever other weeks do, until that week has been compared."""
    company.books.outage, company.books.calls_before_outage = TransientError("down"), 0
    this_week = Window(NOON, NOON + timedelta(hours=1))
    compare(company, this_week)
    company.books.outage = None
    compare(company, Window(NOON + timedelta(days=7), NOON + timedelta(days=8)))
    (status,) = company.casebook.status()
    assert (status.failing, status.error) == (1, "TransientError: down")
    assert status.last_success_at is not None
    compare(company, this_week)
    (status,) = company.casebook.status()
    assert (status.failing, status.failing_since, status.error) == (0, None, "")


def test_rolling_window_closes_what_it_opened(company: Company) -> None:
    """Asiento looks again wherever it found something, though the window that it is asked for moves on every day."""
    company.books.keep(sale(1), sold(10_000))
    compare(company, Window(NOON - timedelta(days=2), NOON + timedelta(hours=1)))
    assert set(found(company)) == {"s0001"}
    fetch(company)
    compare(company, Window(NOON + timedelta(days=1), NOON + timedelta(days=3)))
    assert found(company) == {}


def test_comparing_again_changes_nothing(company: Company) -> None:
    """Asiento opens a difference once, however often it is found."""
    company.tell(1, sold(10_000))
    company.books.keep(sale(1), sold(9_000))
    first, second = today(compare(company)), today(compare(company))
    assert (first.opened, second.opened, second.closed) == (1, 0, 0)
    (difference,) = company.casebook.open_differences()
    assert (difference.opened_by_run, difference.last_seen_run) == (first.run_id, second.run_id)


def test_narrower_window_closes_nothing_outside_it(company: Company) -> None:
    """Asiento closes a difference only by a comparison that looked at all of where it was last seen."""
    evening = NOON + timedelta(hours=6)
    company.books.keep(sale(1), sold(10_000, at=evening))
    compare(company)
    company.tell(1, sold(10_000, at=evening))
    compare(company, Window(day_start(NOON.date()), NOON))
    assert set(found(company)) == {"s0001"}
    compare(company)
    assert found(company) == {}


def test_what_is_described_nowhere_is_missing(company: Company) -> None:
    """Asiento does not take an entity for known because others point at it."""
    company.hear(body("e1", (ticket(1), 1, {"sale": str(sale(1))})))
    company.derive()
    company.books.keep(sale(1), sold(10_000))
    assert today(compare(company)).counts["missing_in_ledger"] == 1


def test_answer_cut_in_the_middle(company: Company) -> None:
    """Asiento takes nothing from a listing that broke off: what it did not come to is not missing."""
    for number in range(4):
        company.tell(number, sold(10_000))
        company.books.keep(sale(number), sold(10_001))
    company.books.cut_after = 2
    run = today(compare(company, Window(NOON, NOON + MILLISECOND)))
    assert (run.has_failed, run.error) == (True, "TransientError: the connection broke in the middle of a page")
    assert found(company) == {}
    assert company.ledger.outbox_depth() == 0


def test_client_that_lists_the_wrong_thing(tmp_path: Path) -> None:
    """Asiento fails a comparison whose client names what was not asked for; it makes no differences of it."""
    company = Company(tmp_path, capabilities(listings=(EntityKind.SALE, EntityKind.TICKET)))
    confused = _FixedListing(company.books.records, listing=[(sale(1), 1)])
    company.counterparties["tiny"] = replace(company.counterparties["tiny"], api=confused)
    runs = compare(company, Window(NOON, NOON + MILLISECOND))
    assert [run.has_failed for run in runs] == [False, True]
    assert runs[1].error.startswith("TerminalError: asked for ticket of tiny, its client lists sale:tiny:s0001")
    company.close()


@dataclass(slots=True)
class _FixedListing(Books):
    """Books that list the same entities and versions whatever they are asked for."""

    listing: list[tuple[EntityKey, int]] = field(default_factory=list)

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:  # noqa: ARG002  that is the point
        """List what was given."""
        for key, version_at_ms in self.listing:
            yield Listed(key, version_at_ms, None, None, "", key)


def test_kind_without_an_instant_is_compared_one_way(tmp_path: Path) -> None:
    """Asiento finds manifests that are listed and not there or older; it calls none missing that a window may not show."""
    manifest = [EntityKey(EntityKind.MANIFEST, "tiny", f"m{number}") for number in range(4)]
    company = Company(tmp_path, capabilities(listings=(EntityKind.MANIFEST,), fetchable=(EntityKind.MANIFEST,)))
    published: dict[str, Value] = {"status": "published"}
    company.hear(body("e1", *((key, 5, published) for key in manifest[:3])))
    company.derive()
    confused = _FixedListing(company.books.records, listing=[(manifest[1], 5), (manifest[2], 6), (manifest[3], 6)])
    company.counterparties["tiny"] = replace(company.counterparties["tiny"], api=confused)
    run = today(compare(company))
    assert found(company) == {"m2": DifferenceType.OLDER_IN_LEDGER, "m3": DifferenceType.MISSING_IN_LEDGER}
    assert (run.counts["provider"], run.counts["ledger"], run.counts["found_by_key"]) == (3, 2, 2)
    company.close()


def test_weeks_of_a_window() -> None:
    """Asiento compares from the Monday of the first week, the last week as far as it was asked for."""
    weeks = weeks_of(Window(NOON, NOON + timedelta(days=7)))
    assert [(week.start.isoformat(), week.end.isoformat()) for week in weeks] == [
        ("2026-03-09T03:00:00+00:00", "2026-03-16T03:00:00+00:00"),
        ("2026-03-16T03:00:00+00:00", "2026-03-17T15:00:00+00:00"),
    ]
    assert weeks_of(Window(NOON, NOON)) == []


def test_run_record_is_whole(company: Company) -> None:
    """Asiento keeps of each run its window, both as-of times, its duration and its counts, and gives them back as kept."""
    company.books.keep(sale(1), sold(10_000))
    run = today(compare(company))
    assert run.provider_as_of is not None
    assert run.ledger_as_of is not None
    assert run.started_at < run.provider_as_of < run.ledger_as_of < run.ended_at
    assert run.duration_ms > 0
    assert run in company.casebook.runs("transactions")
    assert company.casebook.last_success("transactions", "tiny", EntityKind.SALE) is not None
    assert company.casebook.last_success("transactions", "other", EntityKind.SALE) is None
