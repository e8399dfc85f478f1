"""Asiento adds up what a cash session took and gave back as the provider does, and compares to the cent."""

import pytest

from shared.domain.facts import EntityKey, EntityKind, Fact, Stamp, Value, Version
from shared.domain.fold import Entity, fold
from shared.domain.totals import REFUNDS, ShiftSums, payments_by, total_pairs

SHIFT = EntityKey(EntityKind.SHIFT, "betterez", "s-1")


def part(kind: EntityKind, **values: Value) -> Entity:
    """Return a payment or refund of 10.00."""
    key = EntityKey(kind, "betterez", "x")
    stated: dict[str, Value] = {"amount_minor": 1_000, "currency": "ARS", "status": "success", **values}
    return fold(key, [(Fact(key, Version(1), stated), Stamp(1, 0, 0, "e", "d"))])


def sums(*parts: Entity) -> dict[tuple[str, str], int]:
    """Return what parts come to."""
    shift = ShiftSums()
    for each in parts:
        shift.add(each)
    return dict(shift.amounts)


def test_payments_add_up_by_method_and_currency() -> None:
    """Asiento adds payments of one method and currency, and no others, together."""
    assert sums(
        part(EntityKind.PAYMENT, method="cash"),
        part(EntityKind.PAYMENT, method="cash", status="refunded"),
        part(EntityKind.PAYMENT, method="card"),
        part(EntityKind.PAYMENT, method="card", currency="USD"),
        part(EntityKind.PAYMENT),
    ) == {
        ("cash payments", "ARS"): 2_000,
        ("card payments", "ARS"): 1_000,
        ("card payments", "USD"): 1_000,
        ("other payments", "ARS"): 1_000,
    }


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_money_that_did_not_come_counts_for_nothing(status: str) -> None:
    """Asiento leaves out a payment whose money did not come in, and a refund that was not paid or was no cash."""
    assert (
        sums(
            part(EntityKind.PAYMENT, method="cash", status=status),
            part(EntityKind.REFUND, refund_type="cash", status=status),
            part(EntityKind.REFUND, refund_type="exchange"),
        )
        == {}
    )


def test_refunds_in_one_sum() -> None:
    """Asiento adds the cash refunds of a session in one sum, for the ledger does not hold by which means they went."""
    assert sums(part(EntityKind.REFUND, refund_type="cash"), part(EntityKind.REFUND, refund_type="cash")) == {
        (REFUNDS, "ARS"): 2_000
    }


def test_a_side_that_has_none_of_it_comes_to_nothing() -> None:
    """Asiento compares a total that one side alone has with nothing, and each difference has a name of its own."""
    cash = payments_by("cash")
    pairs = list(total_pairs(SHIFT, {(cash, "ARS"): 100}, {(REFUNDS, "ARS"): 7, (cash, "ARS"): 100}))
    assert [(pair.provider.about, pair.provider.amount_minor) for pair in pairs if pair.provider] == [
        ("cash payments in ARS", 100),
        ("refunds in ARS", 0),
    ]
    assert [pair.ledger.amount_minor for pair in pairs if pair.ledger] == [100, 7]
    assert {each.version_at_ms for pair in pairs for each in (pair.provider, pair.ledger) if each} == {0}
    currencies = ("USD", "ARS", "UYU", "BRL", "CLP", "PYG", "EUR", "BOB")
    many = total_pairs(SHIFT, {(cash, currency): 1 for currency in currencies}, {})
    assert [pair.ledger.currency for pair in many if pair.ledger] == sorted(currencies)


def test_money_that_was_charged_back_did_come_in() -> None:
    """Asiento counts a payment in the session that took it, also where the cardholder took it back later."""
    taken = part(EntityKind.PAYMENT, method="card", status="charged_back")
    assert sums(taken) == {("card payments", "ARS"): 1_000}


def test_what_lacks_its_amount_or_currency_has_no_part_in_a_total() -> None:
    """Asiento adds nothing for a payment of which the amount or the currency is not known."""
    key = EntityKey(EntityKind.PAYMENT, "betterez", "x")
    for known in ({"amount_minor": 1_000}, {"currency": "ARS"}):
        stated: dict[str, Value] = {"status": "success", "method": "cash", **known}
        assert sums(fold(key, [(Fact(key, Version(1), stated), Stamp(1, 0, 0, "e", "d"))])) == {}
