"""Asiento keeps money exact: minor units, a known currency, and a refusal instead of a rounding."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.money import AMOUNT_MINOR_MAX, CURRENCY_DECIMALS, Money, from_major, from_minor, from_scaled

CURRENCIES = st.sampled_from(sorted(CURRENCY_DECIMALS))
AMOUNTS = st.integers(-AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX)


@given(AMOUNTS, CURRENCIES)
def test_reads_back_the_major_units_that_it_writes(amount_minor: int, currency: str) -> None:
    """Asiento reads the decimal form of any amount back to the same minor units."""
    money = Money(currency, amount_minor)
    assert from_major(str(money).split(" ")[1], currency) == money
    assert from_major(Decimal(str(money).split(" ")[1]), currency) == money


@given(AMOUNTS, CURRENCIES)
def test_scaled_integers_are_exact(amount_minor: int, currency: str) -> None:
    """Asiento reads 1/100,000 units into the minor units that they are, whatever the currency's decimals."""
    scaled = amount_minor * 100_000 // 10 ** CURRENCY_DECIMALS[currency]
    assert from_scaled(scaled, 100_000, currency).amount_minor * 100_000 == scaled * 10 ** CURRENCY_DECIMALS[currency]


@given(st.integers(1, 999))
def test_refuses_what_falls_between_two_centavos(excess: int) -> None:
    """Asiento refuses an x1e5 amount that is no whole centavo instead of rounding it."""
    with pytest.raises(UnreadableError) as refused:
        from_scaled(2_000_000 + excess, 100_000, "ARS")
    assert refused.value.reason is Quarantine.EXCESS_PRECISION


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        (Decimal("61.101"), "ARS", Quarantine.EXCESS_PRECISION),
        ("0.5", "CLP", Quarantine.EXCESS_PRECISION),
        (Decimal("1E+400"), "ARS", Quarantine.AMOUNT_OUT_OF_RANGE),
        (Decimal("1E-400"), "ARS", Quarantine.AMOUNT_OUT_OF_RANGE),
        (Decimal("NaN"), "ARS", Quarantine.WRONG_TYPE),
        (Decimal("Infinity"), "ARS", Quarantine.WRONG_TYPE),
        (10**14, "ARS", Quarantine.AMOUNT_OUT_OF_RANGE),
        (True, "ARS", Quarantine.WRONG_TYPE),
        (None, "ARS", Quarantine.WRONG_TYPE),
        ("sesenta", "ARS", Quarantine.WRONG_TYPE),
        ("٦١", "ARS", Quarantine.WRONG_TYPE),
        (61, "XXX", Quarantine.UNKNOWN_CURRENCY),
        (61, "ars", Quarantine.UNKNOWN_CURRENCY),
        (61, None, Quarantine.UNKNOWN_CURRENCY),
    ],
)
def test_names_why_a_major_amount_is_refused(amount: object, currency: str, reason: Quarantine) -> None:
    """Asiento says why an amount cannot be believed, and never guesses it."""
    with pytest.raises(UnreadableError) as refused:
        from_major(amount, currency)
    assert refused.value.reason is reason


@pytest.mark.parametrize("amount", [True, "100", Decimal("1.5"), None])
def test_minor_units_are_integers(amount: object) -> None:
    """Asiento takes minor units only from integers."""
    with pytest.raises(UnreadableError):
        from_minor(amount, "ARS")


def test_a_whole_decimal_is_an_integer() -> None:
    """Asiento reads 2000000.0 as the integer that it is: some encoders write integers so."""
    assert from_scaled(Decimal("2000000.0"), 100_000, "ARS") == Money("ARS", 2000)


def test_money_shows_major_units() -> None:
    """Asiento shows amounts to people in major units with the decimals of the currency."""
    assert [str(Money("ARS", 123456)), str(Money("ARS", -5)), str(Money("CLP", 700)), str(Money("KWD", 1))] == [
        "ARS 1234.56",
        "ARS -0.05",
        "CLP 700",
        "KWD 0.001",
    ]
