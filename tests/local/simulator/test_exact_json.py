"""Amounts are written as the digits they have."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulator.exact_json import encode, major


@pytest.mark.parametrize(
    ("amount_minor", "written"),
    [
        (6_110, b"61.1"),
        (6_100, b"61"),
        (6_111, b"61.11"),
        (5, b"0.05"),
        (0, b"0"),
        (-1_250, b"-12.5"),
        (10_000, b"100"),
    ],
)
def test_amounts_are_numbers_of_major_units(amount_minor: int, written: bytes) -> None:
    """Asiento's simulator writes centavos as a JSON number of pesos, without a zero at the end."""
    assert encode({"amount": major(amount_minor)}) == b'{"amount":' + written + b"}"


@given(st.integers(-(10**17), 10**17))
def test_no_digit_is_lost(amount_minor: int) -> None:
    """Asiento's simulator writes amounts that read back exactly, also beyond what a float can hold."""
    read = json.loads(encode([major(amount_minor)]), parse_float=Decimal, parse_int=Decimal)

    assert read[0] * 100 == amount_minor


def test_text_is_left_alone() -> None:
    """Asiento's simulator writes names with their accents, and text that looks like a number stays text."""
    assert encode({"name": "Ñancupil", "seat": "12"}) == '{"name":"Ñancupil","seat":"12"}'.encode()
