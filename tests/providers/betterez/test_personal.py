"""Which fields of Betterez are about a person: those that its pinned contract marks, and no fewer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import shared.contracts
from shared.providers.betterez.personal import PERSONAL

CONTRACT = Path(shared.contracts.__file__).parent / "providers" / "betterez" / "openapi.yaml"
WHOLE_EVENTS = {"data", "payload"}
"""Marked because anything may be inside; what is inside is searched for the fields that are about a person."""


def marked(node: Any, name: str = "") -> Iterator[str]:
    """Yield the names of properties that the contract marks as personal."""
    if isinstance(node, dict):
        if node.get("x-personal"):
            yield name
        for key, inner in node.items():
            yield from marked(inner, str(key))
    elif isinstance(node, list):
        for inner in node:
            yield from marked(inner, name)


def test_every_field_that_the_contract_marks_is_closed() -> None:
    """Asiento closes what the platform's contract marks as personal: a mark that is added there must be added here."""
    names = set(marked(yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))))
    assert len(names) > 15
    assert names - WHOLE_EVENTS - PERSONAL.fields.keys() == set()


def test_who_is_told_apart() -> None:
    """Asiento keeps passenger, redeemer and seller of one item under three keys."""
    body = (
        b'{"email":"a@x.example","firstName":"Ana","redeemerEmail":"b@x.example","redeemerFirstName":"Bea",'
        b'"createdByUserEmail":"till@x.example","agentUserName":"till3"}'
    )
    pieces, people = PERSONAL.find(body)
    assert [people[piece.person][0] for piece in pieces] == [
        f"email::{who}@x.example" for who in ("a", "a", "b", "b", "till", "till")
    ]
