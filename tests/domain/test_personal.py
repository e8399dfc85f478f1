"""Where personal values stand in a body, and whose they are."""

import json
from typing import Any

import pytest

from shared.domain.personal import Identifier, PersonalFields, identifier_text

FIELDS = PersonalFields(
    {"firstName": "", "email": "", "customerNumber": "", "extra": "", "result": "", "createdByUserEmail": "seller"},
    {
        "customerNumber": Identifier("number", 0, "betterez"),
        "email": Identifier("email", 1),
        "createdByUserEmail": Identifier("email", 1),
    },
)
ANA, BEA = "number:betterez:c1", "email::bea@example.org"


def found(body: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """Return each personal value as it stands, with the identifiers of whose it is."""
    pieces, people = FIELDS.find(body)
    return [(body[piece.start : piece.end].decode("utf-8", "replace"), people[piece.person]) for piece in pieces]


def in_bytes(content: Any) -> bytes:
    """Return content as a provider sends it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def test_finds_nothing_in_what_tells_of_nobody() -> None:
    """Asiento leaves a body alone in which no field is about a person."""
    assert found(in_bytes({"id": "e1", "data": {"total": 100, "name": "firstName", "note": 'says "email": x'}})) == []


def test_says_whose_each_value_is() -> None:
    """Asiento tells passengers of one delivery apart, by the steadiest identifier of each object."""
    body = in_bytes(
        {
            "tickets": [
                {"firstName": "Ana", "email": "ANA@example.org", "taxes": [{"a": 1}], "customerNumber": "C1"},
                {"seat": "{", "firstName": "Béa", "email": "bea@example.org"},
            ]
        }
    )
    ana = (ANA, "email::ana@example.org")
    assert found(body) == [
        ('"Ana"', ana),
        ('"ANA@example.org"', ana),
        ('"C1"', ana),
        ('"Béa"', (BEA,)),
        ('"bea@example.org"', (BEA,)),
    ]


def test_a_part_belongs_to_whom_the_whole_is_about() -> None:
    """Asiento takes a name in a part, before or after, for that of the person whom the object around it names."""
    refund = {"payment": [{"firstName": "Ana"}], "email": "bea@example.org"}
    other = {"customerNumber": "C1"}
    assert [person for _, person in found(in_bytes([refund, other]))] == [(BEA,), (BEA,), (ANA,)]


def test_a_name_alone_belongs_to_the_only_person_there_is() -> None:
    """Asiento does not split one passenger in two because a part of the delivery gives only a name."""
    body = in_bytes({"a": {"firstName": "Ana"}, "b": {"customerNumber": "C1"}})
    assert found(body) == [('"Ana"', (ANA,)), ('"C1"', (ANA,))]
    assert found(in_bytes({"a": {"firstName": "Ana"}})) == [('"Ana"', ())]


def test_takes_objects_and_arrays_whole() -> None:
    """Asiento closes an open map of answers with all that is inside, and reads there who it is about."""
    body = in_bytes({"extra": {"x": [1, {"email": "bea@example.org"}], "y": "}"}, "result": ["a]"], "total": 5})
    assert found(body) == [
        ('{"x":[1,{"email":"bea@example.org"}],"y":"}"}', (BEA,)),
        ('["a]"]', (BEA,)),
    ]


def test_who_sells_is_not_who_travels() -> None:
    """Asiento keeps the seller's address under the seller's key, though it stands among the passenger's fields."""
    body = in_bytes({"email": "bea@example.org", "createdByUserEmail": "till3@example.org"})
    assert [person for _, person in found(body)] == [(BEA,), ("email::till3@example.org",)]


def test_what_says_nothing_is_left() -> None:
    """Asiento does not close what is empty, so that nothing is kept of it and nothing is hidden."""
    assert found(b'{"email":"","firstName":null,"extra":{},"result":[] , "customerNumber":true}') == []


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"firstName" :\n "A\\"na"}', b'"A\\"na"'),
        (b'{"firstName":"An', b'"An'),
        (b'{"firstName":"An\\', b'"An\\'),
        (b'{"extra":{"a":["b', b'{"a":["b'),
        (b'{"firstName":12.50e3,', b"12.50e3"),
        (b'{"firstName":"\xff\xfe"}', b'"\xff\xfe"'),
        (b'}}}{"firstName":"Ana"}', b'"Ana"'),
    ],
)
def test_finds_values_in_what_is_broken(body: bytes, value: bytes) -> None:
    """Asiento finds names also where a body was cut short, or is no JSON at all."""
    ((piece,), _) = FIELDS.find(body)
    assert body[piece.start : piece.end] == value


def test_spellings_of_one_identifier_are_one() -> None:
    """Asiento takes an address in capitals, and a document with points, for the same person."""
    assert identifier_text("email", " Ana@Example.org ") == "email::ana@example.org"
    assert identifier_text("document", "30.123.456") == identifier_text("document", "30123456")
    assert found(b'{"email":"an\\u0061@example.org"}')[0][1] == ("email::ana@example.org",)
