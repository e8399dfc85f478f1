"""Inputs: what is loaded into staging, as it is."""

from datetime import UTC, date, datetime

import pytest

from shared.bi.inputs import COMPLETENESS, ENTITIES, completeness_row, delivery_row, entity_row, verdict_row
from shared.domain.completeness import CompletenessCertificate
from shared.domain.deliveries import Channel, Delivery
from shared.domain.entities import FIELDS
from shared.domain.facts import EntityKey, EntityKind, Fact, Stamp, Version
from shared.domain.fold import fold
from shared.domain.outcomes import Attempt, Outcome, Verdict


def delivery(body: bytes) -> Delivery:
    """Return a webhook with a body."""
    return Delivery("d1", "betterez", Channel.WEBHOOK, datetime(2026, 1, 5, tzinfo=UTC), "/betterez", {}, body)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a": 61.10}', '{"a": 61.10}'),
        ('{"name": "Ñandú 🚌"}'.encode(), '{"name": "Ñandú 🚌"}'),
        (b'{"bus": "\\ud83d\\ude8c"}', '{"bus": "\\ud83d\\ude8c"}'),
        (b'{"half": "\\ud83d"}', None),
        (b'{"a": NaN}', None),
        (b'{"a": 1, "a": 2}', None),
        (b'{"a": 1', None),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
    ids=["decimal", "text", "pair", "half", "nan", "twice", "cut", "bytes", "deep", "empty"],
)
def test_takes_a_body_only_where_every_engine_reads_the_same(body: bytes, text: str | None) -> None:
    """Asiento loads a body as text only if it is JSON that no engine reads differently; the digest is there in any case."""
    row = delivery_row(delivery(body))
    assert row["body"] == text
    assert row["body_sha256"] == delivery(body).body_sha256
    assert row["object_name"] == "2026/01/05/00/betterez/webhook/d1"


def test_takes_the_outcome_that_stands() -> None:
    """Asiento loads the last outcome of a delivery and the word of its reason."""
    attempts = (
        Attempt(1, Outcome.FAILED, "KeyError: see the log", "v1"),
        Attempt(2, Outcome.QUARANTINED, "unknown_currency: 'XQZ' is not in CURRENCY_DECIMALS", "v2"),
    )
    assert verdict_row(Verdict("d1", "name", "", "", attempts)) == {
        "delivery_id": "d1",
        "outcome": "quarantined",
        "reason": "unknown_currency",
        "event_key": "",
        "event_type": "",
    }


def test_has_a_column_for_every_field() -> None:
    """Asiento's staging tables have a typed column for each field that an entity may have."""
    for kind in EntityKind:
        assert set(FIELDS[kind]) <= set(ENTITIES[kind].columns)
    assert ENTITIES[EntityKind.TICKET].columns["fare_minor"] == "INT64"
    assert ENTITIES[EntityKind.SHIFT].columns["is_closed"] == "BOOL"


def test_loads_the_folded_values() -> None:
    """Asiento loads an entity as it is folded, with its key, its latest version and whether it is in conflict."""
    key = EntityKey(EntityKind.TICKET, "betterez", "t1")
    facts = [
        (
            Fact(key, Version(at_ms), {"fare_minor": fare, "status": "open"}),
            Stamp(at_ms, 0, 0, f"betterez:{at_ms}", "digest"),
        )
        for at_ms, fare in ((1, 100), (2, 101))
    ]
    assert entity_row(fold(key, facts)) == {
        "key": "ticket:betterez:t1",
        "provider": "betterez",
        "entity_id": "t1",
        "has_conflict": True,
        "version_at_ms": 2,
        "fare_minor": 100,
        "status": "open",
    }


def test_loads_how_a_day_stands() -> None:
    """Asiento loads of each certified day how much was listed, how much of it is kept, and whether that is all."""
    at = datetime(2026, 3, 12, tzinfo=UTC)
    of = ("stripe", EntityKind.PAYMENT, date(2026, 3, 10), at, "r1")
    complete = completeness_row(CompletenessCertificate(*of, 7, (), 0, "d"))
    assert complete.keys() == COMPLETENESS.columns.keys()
    assert list(complete.values()) == ["stripe", "payment", date(2026, 3, 10), True, 7, 7, 0, 1_773_273_600_000]
    with_gaps = completeness_row(CompletenessCertificate(*of, 7, (), 2, "d"))
    assert (with_gaps["is_complete"], with_gaps["present"], with_gaps["gaps"]) == (False, 5, 2)
