"""Exact money: an integer count of minor units and an ISO 4217 currency.

No float ever holds an amount. A value with more decimals than its currency has is refused, never rounded; every
change of scale is made by a function of this module whose name says from what.
"""

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.errors import Quarantine, UnreadableError

AMOUNT_MINOR_MAX = 10**15
"""The largest amount that is believed: ten trillion in a currency of two decimals. Beyond it a scale was misread."""

_MAGNITUDE_MAX = 30
"""Powers of ten beyond which a number is not expanded: far outside any amount either way."""

CURRENCY_DECIMALS: dict[str, int] = {
    # Source: ISO 4217 table A.1, the currencies in which bus companies of the region and their processors settle.
    "ARS": 2,
    "BOB": 2,
    "BRL": 2,
    "CAD": 2,
    "CLP": 0,
    "COP": 2,
    "CRC": 2,
    "EUR": 2,
    "GBP": 2,
    "GTQ": 2,
    "JPY": 0,
    "KWD": 3,
    "MXN": 2,
    "PEN": 2,
    "PYG": 0,
    "USD": 2,
    "UYU": 2,
}
"""Decimals of each known currency. A currency that is not here is quarantined, not guessed."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An exact amount: signed minor units (centavos for ARS) of one currency."""

    currency: str
    amount_minor: int

    def __post_init__(self) -> None:
        """Refuse what is no integer, no known currency, or too large to be believed."""
        # bool is an int in Python; `type(...) is int` keeps True from being one centavo.
        if type(self.amount_minor) is not int:
            raise UnreadableError(
                Quarantine.WRONG_TYPE,
                f"an amount must be an integer of minor units, not {type(self.amount_minor).__name__}",
            )
        decimals_of(self.currency)
        if abs(self.amount_minor) > AMOUNT_MINOR_MAX:
            raise UnreadableError(
                Quarantine.AMOUNT_OUT_OF_RANGE,
                f"{self.currency} amount exceeds {AMOUNT_MINOR_MAX} minor units; check its scale",
            )

    def __str__(self) -> str:
        """Show major units with all decimals of the currency, for people: `ARS 1234.50`."""
        decimals = decimals_of(self.currency)
        whole, part = divmod(abs(self.amount_minor), 10**decimals)
        sign = "-" if self.amount_minor < 0 else ""
        return f"{self.currency} {sign}{whole}.{part:0{decimals}d}" if decimals else f"{self.currency} {sign}{whole}"


def decimals_of(currency: object) -> int:
    """Return how many decimals a currency has; raise UnreadableError(unknown_currency) if it is not known."""
    if isinstance(currency, str) and currency in CURRENCY_DECIMALS:
        return CURRENCY_DECIMALS[currency]
    shown = currency[:8] if isinstance(currency, str) else type(currency).__name__
    raise UnreadableError(
        Quarantine.UNKNOWN_CURRENCY, f"{shown!r} is not in CURRENCY_DECIMALS; add it there and replay"
    )


def from_minor(amount: object, currency: str) -> Money:
    """Read an amount that is already in minor units (Stripe)."""
    return Money(currency, _integer(amount, "minor units"))


def from_scaled(amount: object, scale: int, currency: str) -> Money:
    """Read an integer of 1/`scale` major units (Betterez items: scale 100,000) into minor units, exactly.

    Raises UnreadableError(excess_precision) where the value does not fall on a whole minor unit.
    """
    scaled = _integer(amount, f"1/{scale} units") * 10 ** decimals_of(currency)
    minor, rest = divmod(scaled, scale)
    if rest:
        raise UnreadableError(
            Quarantine.EXCESS_PRECISION, f"{currency} amount at scale {scale} falls between two minor units"
        )
    return Money(currency, minor)


def from_major(amount: object, currency: str) -> Money:
    """Read a decimal of major units (`61.10`), given as Decimal, int or numeric text, into minor units, exactly.

    Raises UnreadableError(excess_precision) where it has more decimals than the currency.
    """
    number = _decimal(amount)
    if not _is_in_reach(number):
        raise UnreadableError(Quarantine.AMOUNT_OUT_OF_RANGE, f"{currency} amount of magnitude 1e{number.adjusted()}")
    scaled = number.scaleb(decimals_of(currency))
    minor = int(scaled)
    if minor != scaled:
        raise UnreadableError(
            Quarantine.EXCESS_PRECISION, f"{currency} has {decimals_of(currency)} decimals; the amount has more"
        )
    return Money(currency, minor)


def _is_in_reach(number: Decimal) -> bool:
    """Return whether a number may be expanded: 1e999999999 is a short text and a huge integer. Far outside any amount."""
    return not number or abs(number.adjusted()) <= _MAGNITUDE_MAX


def _integer(amount: object, unit: str) -> int:
    if type(amount) is int:
        return amount
    # 2000000.0 is how some encoders write an integer; a Decimal that is whole says the same thing exactly.
    if (
        isinstance(amount, Decimal)
        and amount.is_finite()
        and _is_in_reach(amount)
        and amount == amount.to_integral_value()
    ):
        return int(amount)
    raise UnreadableError(Quarantine.WRONG_TYPE, f"an amount in {unit} must be an integer, not {type(amount).__name__}")


def _decimal(amount: object) -> Decimal:
    if type(amount) is int:
        return Decimal(amount)
    if isinstance(amount, str) and len(amount) <= 40 and amount.isascii():  # noqa: PLR2004  no amount is longer
        try:
            amount = Decimal(amount.strip())
        except ArithmeticError:
            raise UnreadableError(Quarantine.WRONG_TYPE, "an amount is text that is no number") from None
    if isinstance(amount, Decimal) and amount.is_finite():
        return amount
    raise UnreadableError(Quarantine.WRONG_TYPE, f"an amount must be a finite decimal, not {type(amount).__name__}")
