"""Asiento finds a single cent on either side of everything that it compares, names it, and closes it when it is gone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.reconciliation import Difference, DifferenceType
from shared.domain.times import to_ms
from shared.pipeline.reconcile import reconcile
from tests.pipeline.small_company import NOON, WEEK, Company, body, capabilities

SEED = 41
ENTITIES = 30
"""Of each kind: the cent is on one of them, drawn from the seed."""
AT_MS = to_ms(NOON)

PAID: dict[str, Value] = {"currency": "ARS", "status": "success"}


@dataclass(frozen=True)
class Listing:
    """A kind of thing that a provider lists: how one is told, and which of its fields is compared."""

    name: str
    kind: EntityKind
    amount: str
    values: dict[str, Value]


LISTINGS = (
    Listing("sale", EntityKind.SALE, "total_minor", {"currency": "ARS", "status": "paid", "sold_at_ms": AT_MS}),
    Listing("ticket", EntityKind.TICKET, "fare_minor", {"currency": "ARS", "status": "open", "departs_at_ms": AT_MS}),
    Listing("payment", EntityKind.PAYMENT, "amount_minor", {**PAID, "paid_at_ms": AT_MS}),
    Listing("refund", EntityKind.REFUND, "amount_minor", {**PAID, "refunded_at_ms": AT_MS}),
    Listing("settlement line", EntityKind.SETTLEMENT_LINE, "net_minor", {**PAID, "settled_at_ms": AT_MS}),
    Listing("payout", EntityKind.SETTLEMENT_LINE, "net_minor", {**PAID, "settled_at_ms": AT_MS, "line_type": "payout"}),
)


def keys(kind: EntityKind, prefix: str = "x") -> list[EntityKey]:
    """Return the keys of all entities of a kind."""
    return [EntityKey(kind, "tiny", f"{prefix}{number:03d}") for number in range(ENTITIES)]


def drawn(name: str) -> int:
    """Return which one the cent is on."""
    print(f"seed {SEED} {name}")  # noqa: T201  shown with a failure
    return Random(f"{SEED} {name}").randrange(ENTITIES)  # noqa: S311  a seeded test, no secret


def compare(company: Company, job: str) -> list[Difference]:
    """Run a job and return what is open."""
    runs = reconcile(job, company.world, WEEK, company.clock.now())
    assert not any(run.has_failed for run in runs)
    return list(company.casebook.open_differences())


@pytest.mark.parametrize("cent", [1, -1], ids=["more", "less"])
@pytest.mark.parametrize("side", ["provider", "ledger"])
@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.name)
def test_a_cent_between_listing_and_ledger(tmp_path: Path, listing: Listing, side: str, cent: int) -> None:
    """Asiento finds the one entity of its kind with a cent too much or too little on one side, and says which and how much."""
    company = Company(tmp_path, capabilities(listings=(listing.kind,), fetchable=(listing.kind,)))
    wrong = drawn(f"{listing.name} {side} {cent}")
    told = []
    for number, key in enumerate(keys(listing.kind)):
        amount = 10_000 + number
        theirs = amount + cent * (side == "provider" and number == wrong)
        ours = amount + cent * (side == "ledger" and number == wrong)
        company.books.keep(key, {**listing.values, listing.amount: theirs})
        told.append((key, AT_MS, {**listing.values, listing.amount: ours}))
    company.hear(body("told", *told))
    company.derive()

    (difference,) = compare(company, "transactions")
    drift = cent if side == "provider" else -cent
    assert difference.mismatch.key == keys(listing.kind)[wrong]
    assert difference.mismatch.type is DifferenceType.AMOUNT_DIFFERS
    assert str(difference.at_risk) == "ARS 0.01"
    assert sum(run.drift_minor.get("ARS", 0) for run in company.casebook.runs("transactions")) == drift

    company.books.keep(keys(listing.kind)[wrong], dict(told[wrong][2]))
    assert compare(company, "transactions") == []
    company.close()


@dataclass(frozen=True)
class Settlement:
    """A pair of which one side is settlement lines: what is settled, by what, and what a difference is called."""

    name: str
    subject: Callable[[int], tuple[EntityKey, dict[str, Value]]]
    line: Callable[[EntityKey, int], dict[str, Value]]
    amount: str
    type: DifferenceType


def _line(line_type: str, link: str, amount: str, sign: int) -> Callable[[EntityKey, int], dict[str, Value]]:
    return lambda key, minor: {
        "line_type": line_type,
        link: str(key),
        amount: sign * minor,
        "currency": "ARS",
        "settled_at_ms": AT_MS + 1,
    }


def _subject(
    kind: EntityKind, amount: str, values: dict[str, Value]
) -> Callable[[int], tuple[EntityKey, dict[str, Value]]]:
    return lambda number: (keys(kind)[number], {**values, amount: 10_000 + number})


SETTLEMENTS = (
    Settlement(
        "payment and settlement lines",
        _subject(EntityKind.PAYMENT, "amount_minor", {**PAID, "paid_at_ms": AT_MS}),
        _line("payment", "payment", "gross_minor", 1),
        "amount_minor",
        DifferenceType.SETTLED_OTHERWISE,
    ),
    Settlement(
        "refund and settlement lines",
        _subject(EntityKind.REFUND, "amount_minor", {**PAID, "refunded_at_ms": AT_MS}),
        _line("refund", "refund", "gross_minor", -1),
        "amount_minor",
        DifferenceType.SETTLED_OTHERWISE,
    ),
    Settlement(
        "payout and its lines",
        _subject(
            EntityKind.SETTLEMENT_LINE, "net_minor", {"line_type": "payout", "currency": "ARS", "settled_at_ms": AT_MS}
        ),
        _line("movement", "payout", "net_minor", 1),
        "net_minor",
        DifferenceType.PAID_OUT_OTHERWISE,
    ),
)


@pytest.mark.parametrize("cent", [1, -1], ids=["more", "less"])
@pytest.mark.parametrize("side", ["lines", "ledger"])
@pytest.mark.parametrize("pair", SETTLEMENTS, ids=lambda pair: pair.name)
def test_a_cent_between_settlement_and_ledger(company: Company, pair: Settlement, side: str, cent: int) -> None:
    """Asiento finds the one payment, refund or payout that was settled with a cent too much or too little, in two lines."""
    wrong = drawn(f"{pair.name} {side} {cent}")
    told = []
    for number in range(ENTITIES):
        key, values = pair.subject(number)
        amount = int(values[pair.amount])
        if side == "ledger" and number == wrong:
            values = {**values, pair.amount: amount + cent}
        told.append((key, AT_MS, values))
        settled = amount + cent * (side == "lines" and number == wrong)
        for part, minor in (("a", 4_000), ("b", settled - 4_000)):
            line = EntityKey(EntityKind.SETTLEMENT_LINE, "tiny", f"line-{part}-{number:03d}")
            told.append((line, AT_MS, pair.line(key, minor)))
    company.clock.put_forward(days=1)
    company.hear(body("told", *told))
    company.derive()

    (difference,) = compare(company, "settlements")
    assert (difference.mismatch.key, difference.mismatch.type) == (pair.subject(wrong)[0], pair.type)
    assert str(difference.at_risk) == "ARS 0.01"

    owed = cent if side == "ledger" else -cent
    mend = EntityKey(EntityKind.SETTLEMENT_LINE, "tiny", "line-c")
    company.hear(body("mend", (mend, AT_MS, pair.line(pair.subject(wrong)[0], owed))))
    company.derive()
    assert compare(company, "settlements") == []
