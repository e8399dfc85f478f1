"""Asiento reads what the company's own staff decided, and nothing that is not certain."""

import json
from typing import Any

import pytest

from shared.domain.decisions import decision_key
from shared.domain.deliveries import OPERATOR, Channel, Delivery
from shared.domain.entities import refuse_undeclared
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Version
from shared.providers.operator import PROVIDER
from tests.providers.deliveries import RECEIVED_AT

ID = "ab" * 32
SAID: dict[str, Any] = {
    "type": "decision.made",
    "exception_id": ID,
    "exception_kind": "unlinked",
    "subject": "sale:betterez:65f0",
    "decision": "correct",
    "reason": "typed by hand",
    "decided_by": "mlopez",
    "decided_at_ms": 1_722_956_580_000,
    "evidence_digest": "cd" * 32,
    "at_risk": {"amount_minor": 12_345, "currency": "ARS"},
    "correction": {
        "key": "payment:stripe:ch_1",
        "field": "sale",
        "value": "sale:betterez:65f1",
        "version_at_ms": 1_722_900_000_000,
        "version_step": 2,
    },
}


def manual(content: dict[str, Any], channel: Channel = Channel.MANUAL) -> Delivery:
    """Return a decision as it is kept."""
    return Delivery("d3", OPERATOR, channel, RECEIVED_AT, "decide", {}, json.dumps(content).encode())


def without(name: str, **changes: object) -> dict[str, Any]:
    """Return what is said without one thing, and with others changed."""
    return {**{key: value for key, value in SAID.items() if key != name}, **changes}


def test_states_the_decision_and_the_correction() -> None:
    """Asiento takes two facts from a correction: the decision as of its moment, the field as of the version it is about."""
    reading = PROVIDER.read(manual(SAID))
    decision, correction = reading.facts
    assert (decision.key, decision.version) == (decision_key(ID), Version(1_722_956_580_000))
    assert decision.values == {
        "decision": "correct",
        "exception_kind": "unlinked",
        "subject": "sale:betterez:65f0",
        "reason": "typed by hand",
        "decided_by": "mlopez",
        "evidence_digest": "cd" * 32,
        "amount_minor": 12_345,
        "currency": "ARS",
        "decided_at_ms": 1_722_956_580_000,
    }
    payment = EntityKey(EntityKind.PAYMENT, "stripe", "ch_1")
    assert correction == Fact(payment, Version(1_722_900_000_000, 2), {"sale": "sale:betterez:65f1"})
    for fact in reading.facts:
        refuse_undeclared(fact)


def test_a_later_event_has_a_greater_key() -> None:
    """Asiento lets the later of two corrections of one version stand: their event keys are in the order of their moments."""
    keys = [PROVIDER.read(manual({**SAID, "decided_at_ms": at})).event_key for at in (9, 10, 1_722_956_580_000)]
    assert keys == sorted(keys)
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (without("reason"), Quarantine.MISSING_FIELD),
        (without("at_risk"), Quarantine.MISSING_FIELD),
        (without("", decided_at_ms="now"), Quarantine.WRONG_TYPE),
        (without("", decision="forgive"), Quarantine.UNKNOWN_STATUS),
        (without("", type="decision.unmade"), Quarantine.UNKNOWN_EVENT_TYPE),
        (without("", at_risk={"amount_minor": 1, "currency": "DOGE"}), Quarantine.UNKNOWN_CURRENCY),
        (without("correction"), Quarantine.WRONG_TYPE),
        (without("", correction={**SAID["correction"], "field": "amount_minor", "value": 1}), Quarantine.WRONG_TYPE),
        (without("", correction={**SAID["correction"], "key": "payment"}), Quarantine.WRONG_TYPE),
        (without("", correction={**SAID["correction"], "key": f"decision:operator:{ID}"}), Quarantine.WRONG_TYPE),
    ],
)
def test_what_is_not_whole_is_unreadable(content: dict[str, Any], reason: Quarantine) -> None:
    """Asiento holds a decision that lacks something or states what nobody may state."""
    with pytest.raises(UnreadableError) as unreadable:
        PROVIDER.read(manual(content))
    assert unreadable.value.reason is reason


@pytest.mark.parametrize("channel", [Channel.WEBHOOK, Channel.FILE, Channel.FETCH])
def test_a_decision_comes_by_one_channel(channel: Channel) -> None:
    """Asiento takes no decision from what came by another channel."""
    with pytest.raises(UnreadableError):
        PROVIDER.read(manual(SAID, channel))
