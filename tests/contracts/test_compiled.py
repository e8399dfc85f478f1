"""The compiled form of a contract never lets a departure pass, and lets through what keeps to the contract."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.simulator import Season
from shared.contracts.compiled import compiled
from shared.contracts.observation import departures
from shared.contracts.shape import Shape, ShapeReader
from shared.contracts.snapshot import Contract
from shared.providers.toolkit.json_body import parse_value

MUTATIONS = 3_000
SEED = 20_261_120
ODD_VALUES = (
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1.5",
    b"5.0",
    b"1e3",
    b'""',
    b'"x"',
    b'"2026-03-01"',
    b"[]",
    b"[1]",
    b"{}",
)


@pytest.fixture(scope="module")
def bodies(season: Season) -> list[tuple[str, bytes]]:
    """Return some events of the platform with their types, every type among them."""
    by_type: dict[str, list[bytes]] = {}
    for emission in season.emissions():
        if emission.provider == "betterez":
            by_type.setdefault(emission.event_type, []).append(emission.body)
    return [(event_type, body) for event_type, several in by_type.items() for body in several[:20]]


@pytest.fixture(scope="module")
def tests_of(pinned_contract: Contract) -> Callable[[str], tuple[Shape, Callable[[bytes], bool]]]:
    """Return the shape of an event type and its compiled form, compiled once."""
    known: dict[str, tuple[Shape, Callable[[bytes], bool]]] = {}

    def of(event_type: str) -> tuple[Shape, Callable[[bytes], bool]]:
        if event_type not in known:
            shape = pinned_contract.event_shape(event_type)
            assert shape is not None
            known[event_type] = (shape, compiled(shape))
        return known[event_type]

    return of


def test_what_keeps_to_the_contract_takes_the_short_way(
    bodies: list[tuple[str, bytes]], tests_of: Callable[[str], tuple[Shape, Callable[[bytes], bool]]]
) -> None:
    """Asiento's compiled contract lets every simulated event through: what is known is not looked at field by field."""
    assert len(bodies) > 100
    assert [event for event, body in bodies if not tests_of(event)[1](body)] == []


def test_no_departure_passes_the_short_way(
    bodies: list[tuple[str, bytes]], tests_of: Callable[[str], tuple[Shape, Callable[[bytes], bool]]]
) -> None:
    """Asiento's compiled contract stops whatever departs, in thousands of events that were changed at random."""
    print(f"seed {SEED}")  # noqa: T201  pytest shows it with a failure
    chance = random.Random(SEED)  # noqa: S311  a repeatable choice
    departing = 0
    for _ in range(MUTATIONS):
        event_type, body = chance.choice(bodies)
        changed = _changed(body, chance)
        shape, conforms = tests_of(event_type)
        if any(True for _ in departures(shape, parse_value(changed))):
            departing += 1
            assert not conforms(changed), changed
    assert departing > MUTATIONS // 4


def _changed(body: bytes, chance: random.Random) -> bytes:
    """Return a body with one value replaced by an odd one, one field gone, or one field too many."""
    content = json.loads(body)
    parent, name = chance.choice(list(_places(content)))
    way = chance.randrange(4)
    if way == 0 and isinstance(parent, dict):
        del parent[name]
    elif way == 1 and isinstance(parent, dict):
        parent["unheard_of"] = 1
    else:
        parent[name] = json.loads(chance.choice(ODD_VALUES))
    return json.dumps(content).encode()


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in list(pairs):
        yield content, name
        yield from _places(value)


WORD = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "keeps", "departs"),
    [
        ({}, [b"1", b"null"], []),
        ({"type": "integer", "minimum": 1, "maximum": 9}, [b"1", b"9"], [b"0", b"10", b"1.0", b'"1"', b"true"]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 2}, [b"1", b"1.5"], [b"0", b"2", b'"1"']),
        ({"type": "number"}, [b"1", b"1.5"], [b"null", b"true"]),
        ({"type": ["string", "null"], "minLength": 1, "maxLength": 2}, [b'"a"', b"null"], [b'""', b'"abc"', b"1"]),
        ({"type": "string", "pattern": "^a+$"}, [b'"aa"'], [b'"ab"', b'"b"']),
        ({"type": "string", "format": "date"}, [b'"2026-03-01"'], [b'"yesterday"']),
        ({"type": "string", "enum": ["a", "b"]}, [b'"a"'], [b'"A"', b'"c"']),
        ({"type": "string", "enum": ["a"], "x-any-case": True}, [b'"a"', b'"A"'], [b'"c"']),
        ({"type": "string", "enum": []}, [], [b'"c"']),
        ({"type": "integer", "enum": [1]}, [], [b"2"]),
        ({"type": "boolean", "enum": [True]}, [], [b"false"]),
        ({"type": "number", "enum": [1]}, [], [b"2"]),
        ({"type": ["null", "string"], "enum": [None, "a"]}, [b"null", b'"a"'], [b'"b"']),
        ({"type": "boolean"}, [b"true"], [b"0"]),
        ({"type": "array", "items": WORD, "minItems": 1, "maxItems": 2}, [b'["a"]'], [b"[]", b"[1]", b'["a","a","a"]']),
        ({"type": "array"}, [b"[1]"], [b"{}"]),
        ({"type": "object"}, [b'{"any": 1}'], [b"[]"]),
        ({"type": "object", "properties": {"a": WORD}}, [b'{"a": "x"}', b"{}"], [b'{"a": 1}', b'{"b": 1}']),
        ({"type": "object", "additionalProperties": WORD}, [b'{"a": "x"}'], [b'{"a": 1}']),
        ({"type": "object", "required": ["a"]}, [b'{"a": 1}'], [b"{}"]),
        ({"anyOf": [{"type": "object", "required": ["a"], "properties": {"a": WORD}}, WORD]}, [b'"x"'], [b"1", b"{}"]),
        ({"type": "object", "anyOf": [WORD, {"type": "object"}]}, [], [b"1"]),
        (
            {"type": "integer", "x-money": {"unit": "currency", "scale": 1, "sign": "unsigned", "currency-from": "x"}},
            [b"0"],
            [b"-1"],
        ),
    ],
)
def test_every_word_of_a_contract_is_compiled(schema: Any, keeps: list[bytes], departs: list[bytes]) -> None:
    """Asiento compiles each word that a contract may use; where it does not, the long way decides."""
    shape = ShapeReader({}).shape(schema, "here")
    conforms = compiled(shape)
    for body in keeps:
        assert conforms(body), body
    for body in (*keeps, *departs):
        assert not (conforms(body) and list(departures(shape, parse_value(body)))), body
    for body in departs:
        assert not conforms(body), body


def test_a_body_that_is_no_json_takes_the_long_way() -> None:
    """Asiento's compiled contract lets nothing through that cannot be parsed."""
    assert not compiled(ShapeReader({}).shape({"type": "object"}, "here"))(b"{")
