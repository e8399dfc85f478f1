"""What to do about a payload that departs from its contract: one table, read from the top; the first rule that fits decides.

Derive asks it of every delivery that could be read (shared/contracts/holding.py); `asiento contract observe` shows what it
says of what is kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from shared.contracts.observation import Departure, DepartureKind


class Treatment(IntEnum):
    """What becomes of a delivery that departs from its contract, in order of weight."""

    ACCEPTED = 0
    """It is read as ever; the departure is counted."""
    QUARANTINED = 1
    """It is set aside with the reason; it can be replayed."""
    STOPPING = 2
    """Amounts may be misread in many deliveries alike: nothing of this provider is certified until a person has looked."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the policy."""

    name: str
    fits: Callable[[Departure], bool]
    treatment: Treatment
    because: str


def _was_only_assumed(departure: Departure) -> bool:
    """Return whether nobody promised how this field comes, and no amount stands in it. A new word is no such case."""
    ways = (DepartureKind.CHANGED_TYPE, DepartureKind.CHANGED_FORM, DepartureKind.MISSING_FIELD)
    return departure.certainty == "assumed" and departure.kind in ways and not departure.is_money


def _may_be_misread(departure: Departure) -> bool:
    """Return whether an amount can still be read, and wrongly; one that is null or a list cannot be read at all."""
    is_still_a_figure = departure.kind is DepartureKind.CHANGED_TYPE and departure.seen in (
        "integer",
        "number",
        "string",
    )
    return departure.is_money and (is_still_a_figure or departure.kind is DepartureKind.CHANGED_SIGN)


POLICY = (
    Rule(
        "amount written otherwise",
        _may_be_misread,
        Treatment.STOPPING,
        "the type of an amount tells its scale, and its sign tells which way the money goes",
    ),
    Rule(
        "personal field",
        lambda departure: departure.is_personal,
        Treatment.ACCEPTED,
        "fields about people are never read",
    ),
    Rule(
        "new field",
        lambda departure: departure.kind is DepartureKind.UNKNOWN_FIELD,
        Treatment.ACCEPTED,
        "providers announce that fields may come at any time; what is not declared is not read",
    ),
    Rule(
        "assumed field",
        _was_only_assumed,
        Treatment.ACCEPTED,
        "the assumption was ours; what the reader needs of such a field it refuses by itself",
    ),
    Rule(
        "text in another form",
        lambda departure: departure.kind is DepartureKind.CHANGED_FORM and not departure.is_money,
        Treatment.ACCEPTED,
        "an identity is one in any form; a time that the reader cannot read it refuses by itself",
    ),
    Rule(
        "anything else",
        lambda _: True,
        Treatment.QUARANTINED,
        "what cannot be classified with certainty is held, never guessed",
    ),
)


def rule_for(departure: Departure) -> Rule:
    """Return the rule that decides about a departure."""
    return next(rule for rule in POLICY if rule.fits(departure))


def treatment(found: Iterable[Departure]) -> Treatment:
    """Return what becomes of a delivery with these departures: the weightiest that any of them asks for."""
    return max((rule_for(departure).treatment for departure in found), default=Treatment.ACCEPTED)
