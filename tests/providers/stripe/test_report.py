"""Asiento reads exports of Stripe's balance transactions and payouts, whole or not at all."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.domain.deliveries import Channel, Delivery
from shared.domain.entities import refuse_undeclared
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import Reading
from shared.providers.stripe.translate import read

MOVEMENTS = "id,amount,created,currency,fee,net,source,status,type,payout_id"
CHARGE = "txn_1,1000,2026-03-01 10:00:00,usd,59,941,ch_1,available,charge,po_1"
REFUND = "txn_2,-400,2026-03-01 11:00:00,usd,0,-400,re_1,available,refund,po_1"
PAYOUT_ITSELF = "txn_3,-541,2026-03-02 10:00:00,usd,0,-541,po_1,available,payout,po_1"
PAYOUTS = "id,amount,arrival_date,created,currency,livemode,status\n"


def read_text(text: str) -> Reading:
    """Read a text as an export."""
    return read(Delivery("d1", "stripe", Channel.FILE, datetime(2026, 12, 1, tzinfo=UTC), "x.csv", {}, text.encode()))


def movements(*rows: str) -> Reading:
    """Read an export of balance transactions."""
    return read_text("\n".join((MOVEMENTS, *rows)))


def held(text: str) -> UnreadableError:
    """Return why an export is held."""
    with pytest.raises(UnreadableError) as unreadable:
        read_text(text)
    return unreadable.value


def test_movements_point_at_what_they_move() -> None:
    """Asiento links a movement to its charge or refund and to its payout; the payout's own movement is no part of it."""
    charge, refund, payout = movements(CHARGE, REFUND, PAYOUT_ITSELF).facts
    for fact in (charge, refund, payout):
        refuse_undeclared(fact)
    assert (charge.key.entity_id, charge.values["payment"]) == ("txn_1", "payment:stripe:ch_1")
    assert (refund.values["refund"], "payment" in refund.values) == ("refund:stripe:re_1", False)
    assert charge.values["payout"] == refund.values["payout"] == "settlement_line:stripe:po_1"
    assert "payout" not in payout.values
    assert (charge.values["gross_minor"], charge.values["fee_minor"], charge.values["net_minor"]) == (1000, 59, 941)


def test_one_bad_row_holds_the_export() -> None:
    """Asiento applies nothing of an export with a bad row, for a payout without one of its movements would not add up."""
    broken = held("\n".join((MOVEMENTS, CHARGE, REFUND.replace(",0,", ",1,"))))
    assert broken.reason is Quarantine.ROWS_HELD
    assert "line 3: identity_broken: amount less fee is not net" in broken.detail


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{MOVEMENTS}\n{CHARGE}\n{CHARGE}", Quarantine.IDENTITY_BROKEN),
        (f"{MOVEMENTS}\n{CHARGE.replace('available', 'perhaps')}", Quarantine.ROWS_HELD),
        (f"{PAYOUTS}po_1,541,2026-03-04 00:00:00,2026-03-02 10:00:00,usd,FALSE,paid", Quarantine.ROWS_HELD),
        (f"{PAYOUTS}po_1,5.41,2026-03-04 00:00:00,2026-03-02 10:00:00,usd,TRUE,paid", Quarantine.ROWS_HELD),
        ("payout_id,balance_transaction_id\npo_1,txn_1", Quarantine.MISSING_FIELD),
    ],
)
def test_what_cannot_be_read_is_held(text: str, reason: Quarantine) -> None:
    """Asiento holds exports with an id twice, an unknown status, test mode, fractions of a cent, or links alone."""
    assert held(text).reason is reason


def test_a_payout_is_the_one_that_the_webhook_tells_of() -> None:
    """Asiento states a payout of an export under Stripe's id, in the words of its webhook."""
    (payout,) = read_text(f"{PAYOUTS}po_1,541,2026-03-04 00:00:00,2026-03-02 10:00:00,usd,TRUE,paid").facts
    assert str(payout.key) == "settlement_line:stripe:po_1"
    assert (payout.values["line_type"], payout.values["net_minor"], payout.values["status"]) == ("payout", 541, "paid")


# --- the real tables ------------------------------------------------------------------------------------------------


def seed_table(outside_data: Path, name: str) -> Reading:
    """Read one of the seed tables."""
    return read_text((outside_data / "stripe" / "fivetran_stripe_seeds" / f"{name}_data.csv").read_text("utf-8"))


def test_amount_less_fee_is_net_nine_of_nine(outside_data: Path) -> None:
    """Asiento reads nine balance transactions, and in each amount less fee is net."""
    facts = seed_table(outside_data, "balance_transaction").facts
    assert len(facts) == 9
    assert all(
        int(fact.values["gross_minor"]) - int(fact.values["fee_minor"]) == fact.values["net_minor"] for fact in facts
    )
    per_payout = Counter(fact.values["payout"] for fact in facts if "payout" in fact.values)
    assert per_payout["settlement_line:stripe:po_0IFUKBig6peNXzgDZQM7WPAo"] == 1
    assert sum(per_payout.values()) == 6


def test_payouts_of_the_seeds(outside_data: Path) -> None:
    """Asiento reads fifteen payouts, one of them negative."""
    facts = seed_table(outside_data, "payout").facts
    assert (len(facts), min(int(fact.values["net_minor"]) for fact in facts)) == (15, -833_651)


def test_the_link_table_is_no_report(outside_data: Path) -> None:
    """Asiento never joins through payout_balance_transaction, which contradicts the movements: it is no known report."""
    with pytest.raises(UnreadableError, match="fits no known report"):
        seed_table(outside_data, "payout_balance_transaction")
