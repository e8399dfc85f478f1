"""The policy: one table that says what becomes of a delivery that departs from its contract."""

import pytest

from shared.contracts.observation import Departure, DepartureKind
from shared.contracts.policy import POLICY, Treatment, rule_for, treatment

K = DepartureKind


def _departure(
    kind: DepartureKind,
    seen: str = "string",
    *,
    is_money: bool = False,
    is_personal: bool = False,
    certainty: str = "documented",
) -> Departure:
    return Departure(kind, "data.field", "integer", seen, is_money, is_personal, certainty)


@pytest.mark.parametrize(
    ("departure", "expected"),
    [
        (_departure(K.CHANGED_TYPE, "number", is_money=True), Treatment.STOPPING),
        (_departure(K.CHANGED_TYPE, "string", is_money=True), Treatment.STOPPING),
        (_departure(K.CHANGED_SIGN, "negative", is_money=True), Treatment.STOPPING),
        (_departure(K.CHANGED_TYPE, "null", is_money=True), Treatment.QUARANTINED),
        (_departure(K.MISSING_FIELD, "absent", is_money=True), Treatment.QUARANTINED),
        (_departure(K.CHANGED_TYPE, "number"), Treatment.QUARANTINED),
        (_departure(K.NEW_VALUE, '"upgraded"'), Treatment.QUARANTINED),
        (_departure(K.CHANGED_FORM, is_money=True), Treatment.QUARANTINED),
        (_departure(K.CHANGED_FORM), Treatment.ACCEPTED),
        (_departure(K.UNKNOWN_EVENT), Treatment.QUARANTINED),
        (_departure(K.UNREADABLE), Treatment.QUARANTINED),
        (_departure(K.UNKNOWN_FIELD), Treatment.ACCEPTED),
        (_departure(K.CHANGED_TYPE, "object", is_personal=True), Treatment.ACCEPTED),
    ],
)
def test_treats_a_departure_by_the_first_rule_that_fits(departure: Departure, expected: Treatment) -> None:
    """Asiento stops where amounts may be misread, holds what is not certain, and accepts what it never reads."""
    assert treatment([departure]) is expected


@pytest.mark.parametrize("kind", DepartureKind)
def test_has_a_rule_for_everything(kind: DepartureKind) -> None:
    """Asiento's policy leaves no departure undecided, whatever it concerns."""
    for is_money in (False, True):
        for is_personal in (False, True):
            assert rule_for(_departure(kind, is_money=is_money, is_personal=is_personal)).because


def test_takes_the_weightiest() -> None:
    """Asiento treats a delivery by the weightiest of its departures, and one without any as ever."""
    light, heavy = _departure(K.UNKNOWN_FIELD), _departure(K.CHANGED_SIGN, "negative", is_money=True)
    assert treatment([light, heavy, light]) is Treatment.STOPPING
    assert treatment([]) is Treatment.ACCEPTED


def test_uses_every_rule() -> None:
    """Asiento's policy holds no rule that never decides."""
    deciding = {
        rule_for(_departure(kind, is_money=is_money, is_personal=is_personal, certainty=certainty)).name
        for kind in DepartureKind
        for certainty in ("documented", "assumed")
        for is_money in (False, True)
        for is_personal in (False, True)
    }
    assert deciding == {rule.name for rule in POLICY}
