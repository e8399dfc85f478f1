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


def test_a_currency_has_the_decimals_of_the_standard() -> None:
    """Asiento counts the minor units of each currency as ISO 4217 does, and knows no currency beyond those listed."""
    two = "ARS BOB BRL CAD COP CRC EUR GBP GTQ MXN PEN USD UYU"
    expected = dict.fromkeys(two.split(), 2) | dict.fromkeys(("CLP", "JPY", "PYG"), 0) | {"KWD": 3}
    assert expected == CURRENCY_DECIMALS


def test_zero_has_no_sign() -> None:
    """Asiento shows nothing as nothing, not as a debt."""
    assert [str(Money("ARS", 0)), str(Money("CLP", 0))] == ["ARS 0.00", "CLP 0"]


def test_believes_ten_trillion_and_no_more() -> None:
    """Asiento believes amounts up to ten trillion of a currency with two decimals, either way, and not one centavo more."""
    assert [Money("ARS", sign * 10**15).amount_minor for sign in (1, -1)] == [10**15, -(10**15)]
    for beyond in (10**15 + 1, -(10**15) - 1):
        with pytest.raises(UnreadableError) as refused:
            Money("ARS", beyond)
        assert refused.value.reason is Quarantine.AMOUNT_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("currency", "amount_minor", "reason"),
    [
        ("ARS", True, Quarantine.WRONG_TYPE),
        ("ARS", "5", Quarantine.WRONG_TYPE),
        ("XXX", 5, Quarantine.UNKNOWN_CURRENCY),
        (["ARS"], 5, Quarantine.UNKNOWN_CURRENCY),
    ],
)
def test_money_is_money_however_it_is_made(currency: str, amount_minor: int, reason: Quarantine) -> None:
    """Asiento makes no amount of what is no integer or no currency, also where no reader stands before it."""
    with pytest.raises(UnreadableError) as refused:
        Money(currency, amount_minor)
    assert refused.value.reason is reason


@pytest.mark.parametrize("amount", [Decimal("0E-400"), Decimal("0E+400"), Decimal("-0.00")])
def test_zero_is_zero_with_any_exponent(amount: Decimal) -> None:
    """Asiento reads a zero as zero, however it is written."""
    assert from_major(amount, "ARS") == Money("ARS", 0)


def test_tells_what_is_too_fine_from_what_is_out_of_reach() -> None:
    """Asiento expands numbers of up to thirty powers of ten; beyond, it says that the amount is out of range."""
    reasons = []
    for amount in (Decimal("1E-30"), Decimal("1E-31")):
        with pytest.raises(UnreadableError) as refused:
            from_major(amount, "ARS")
        reasons.append(refused.value.reason)
    assert reasons == [Quarantine.EXCESS_PRECISION, Quarantine.AMOUNT_OUT_OF_RANGE]


@pytest.mark.parametrize("amount", [Decimal("Infinity"), Decimal("NaN"), Decimal("1E+400"), "100", None])
def test_scaled_units_are_integers(amount: object) -> None:
    """Asiento takes scaled and minor units from integers alone, and says so of anything else."""
    with pytest.raises(UnreadableError) as refused:
        from_scaled(amount, 100_000, "ARS")
    assert refused.value.reason is Quarantine.WRONG_TYPE
    with pytest.raises(UnreadableError) as refused:
        from_minor(amount, "ARS")
    assert refused.value.reason is Quarantine.WRONG_TYPE


def test_a_text_of_forty_characters_may_be_an_amount() -> None:
    """Asiento reads an amount from a text of up to forty characters and does not look into a longer one."""
    assert from_major("61.10".rjust(40, "0"), "ARS") == Money("ARS", 6110)
    with pytest.raises(UnreadableError) as refused:
        from_major("61.10".rjust(41, "0"), "ARS")
    assert refused.value.reason is Quarantine.WRONG_TYPE
