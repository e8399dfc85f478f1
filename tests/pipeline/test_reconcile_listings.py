"""Asiento asks a provider once for what two jobs of a pass want listed, and tells of when that was."""

from datetime import UTC, date, datetime
from itertools import pairwise

from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.pipeline.reconcile import reconcile, run_all, sharing_listings
from shared.pipeline.reconciliation.listings import Asked, Listing, Listings
from shared.ports.provider import Listed
from tests.pipeline.small_company import NOON, Company, sale, sold

PAST_WEEK = Window.of_days(date(2026, 3, 9), date(2026, 3, 15))
"""The week of NOON: by the time of these tests it is over."""
BOTH = ("transactions", "completeness")


def listings_asked(company: Company) -> list[str]:
    """Return what the provider was asked to list since this was last called."""
    asked = [call for call in company.books.asked if call.startswith("list")]
    company.books.asked.clear()
    return asked


def test_pass_asks_once_for_each_listing(company: Company) -> None:
    """Asiento reads a listing once in a pass, although one job compares it and another certifies it."""
    company.clock.put_forward(days=30)
    run_all(company.world, PAST_WEEK, company.clock.now())
    in_one_pass = listings_asked(company)
    for job in BOTH:
        reconcile(job, company.world, PAST_WEEK, company.clock.now())
    one_by_one = listings_asked(company)
    assert len(set(in_one_pass)) == len(in_one_pass) > 1
    assert set(one_by_one) == set(in_one_pass)
    assert len(one_by_one) == len(in_one_pass) + 1, "jobs that run by themselves ask by themselves"


def test_certificate_of_a_listing_that_was_read_before(company: Company) -> None:
    """Asiento certifies as of when the provider listed, not as of when the second job came to it, and as it would alone."""
    for number in range(3):
        company.books.keep(sale(number), sold())
    company.tell(1, sold())
    world = sharing_listings(company.world)
    (compared,) = reconcile("transactions", world, PAST_WEEK, company.clock.put_forward(days=30))
    later = company.clock.put_forward(minutes=20)
    reconcile("completeness", world, PAST_WEEK, later)
    (shared,) = company.casebook.certificates_of("tiny", EntityKind.SALE, NOON.date())
    reconcile("completeness", company.world, PAST_WEEK, later)
    _, alone = company.casebook.certificates_of("tiny", EntityKind.SALE, NOON.date())
    assert shared.certified_at == compared.provider_as_of
    assert shared.certified_at < later < alone.certified_at
    assert (shared.listed, shared.gaps, shared.deliveries_sha256) == (3, alone.gaps, alone.deliveries_sha256)
    assert [gap.key for gap in shared.gaps] == [sale(0), sale(2)]


def test_comparison_asks_anew(company: Company) -> None:
    """Asiento compares with what a provider lists now, never with what it listed earlier in the same pass."""
    company.clock.put_forward(days=30)
    world = sharing_listings(company.world)
    found = []
    for number in range(2):
        company.books.keep(sale(number), sold())
        (run,) = reconcile("transactions", world, PAST_WEEK, company.clock.now())
        found.append(run.counts["provider"])
    assert found == [1, 2]


def test_listings_that_are_held_are_bounded() -> None:
    """Asiento holds no more entities between two jobs than it says, each listing for one reader, the latest one."""
    listings = Listings(held_max=5)
    instants = [datetime(2026, 3, 10, hour, tzinfo=UTC) for hour in range(4)]
    asked: list[Asked] = [("tiny", EntityKind.SALE, Window(*span)) for span in pairwise(instants)]
    listings.hold(asked[0], _listing(instants[0], 3))
    listings.hold(asked[1], _listing(instants[1], 3))
    assert listings.take(asked[1]) is None, "three and three do not fit into five"
    listings.hold(asked[0], _listing(instants[2], 5))
    later = listings.take(asked[0])
    assert later is not None
    assert (later.as_of, len(later.entities)) == (instants[2], 5)
    assert listings.take(asked[0]) is None
    listings.hold(asked[2], _listing(instants[3], 5))
    assert listings.take(asked[2]) is not None, "what was taken has made room"


def _listing(as_of: datetime, entities: int) -> Listing:
    keys: list[EntityKey] = [sale(number) for number in range(entities)]
    return Listing(as_of, {key: Listed(key, 0, None, None, "", key) for key in keys})
