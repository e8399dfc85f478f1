"""Asiento's certificate of a day says how much of what is listed is here, and names what is not."""

from datetime import UTC, date, datetime
from hashlib import sha256

from shared.domain.completeness import GAPS_NAMED_MAX, Brought, DayListed, Gap, GapReason, certificate
from shared.domain.facts import EntityKey, EntityKind

LISTED = DayListed(
    EntityKind.PAYMENT.value, EntityKind.PAYMENT, date(2026, 3, 1), datetime(2026, 3, 2, tzinfo=UTC), "r1"
)


def key(number: int) -> EntityKey:
    """Return the key of a payment."""
    return EntityKey(EntityKind.PAYMENT, "tiny", f"p{number:03d}")


def brought(number: int) -> Brought:
    """Return a payment that a kept delivery brought."""
    return Brought(key(number), f"2026/03/01/12/tiny/webhook/d{number}", f"{number:064x}")


def test_a_day_is_complete_where_all_that_is_listed_is_here() -> None:
    """Asiento certifies a day as complete over exactly the deliveries that brought it, in their order."""
    whole = certificate(LISTED, [brought(1), brought(2)])
    assert (whole.listed, whole.present, whole.gap_count, whole.gaps, whole.is_complete) == (2, 2, 0, (), True)
    lines = (
        f"payment:tiny:p001 2026/03/01/12/tiny/webhook/d1 {1:064x}\n"
        f"payment:tiny:p002 2026/03/01/12/tiny/webhook/d2 {2:064x}\n"
    )
    assert whole.deliveries_sha256 == sha256(lines.encode()).hexdigest()
    assert (whole.provider, whole.kind, whole.day, whole.certified_at, whole.run_id) == tuple(LISTED)


def test_a_gap_is_counted_named_and_left_out_of_the_digest() -> None:
    """Asiento names each entity that is not here and why, and takes the digest over the others alone."""
    gaps = (Gap(key(2), GapReason.NOT_TOLD), Gap(key(3), GapReason.NOT_KEPT))
    partial = certificate(LISTED, [brought(1), *gaps, brought(4)])
    assert (partial.listed, partial.present, partial.gap_count, partial.is_complete) == (4, 2, 2, False)
    assert partial.gaps == gaps
    assert [str(gap) for gap in partial.gaps] == ["payment:tiny:p002 not_told", "payment:tiny:p003 not_kept"]
    assert partial.deliveries_sha256 == certificate(LISTED, [brought(1), brought(4)]).deliveries_sha256


def test_a_day_of_nothing_is_complete() -> None:
    """Asiento certifies a day for which nothing is listed."""
    nothing = certificate(LISTED, [])
    assert (nothing.listed, nothing.present, nothing.is_complete) == (0, 0, True)


def test_a_hundred_gaps_are_named_and_all_are_counted() -> None:
    """Asiento names the first hundred gaps of a day, counts the rest, and keeps the certificate small."""
    certified = certificate(LISTED, [Gap(key(number), GapReason.TOLD_OLDER) for number in range(101)])
    assert GAPS_NAMED_MAX == 100
    assert [gap.key for gap in certified.gaps] == [key(number) for number in range(100)]
    assert (certified.gap_count, certified.present) == (101, 0)


def test_the_later_certificate_stands() -> None:
    """Asiento lets the certificate of the later listing of a day stand, and of one moment that of the later run."""
    runs = [LISTED, LISTED._replace(run_id="r2"), LISTED._replace(certified_at=datetime(2026, 3, 3, tzinfo=UTC))]
    orders = [certificate(each, []).order for each in runs]
    assert orders == sorted(orders)
    assert len(set(orders)) == 3
