"""Asiento's state hash is over canonical JSON, so that anybody can take it again with a tool of their own."""

import json
from hashlib import sha256

from shared.domain.facts import EntityKey, EntityKind, Fact, Stamp, Version
from shared.domain.fold import Entity, canonical
from shared.pipeline.state_hash import state_hash

ODD_TEXT = "".join(map(chr, range(0x300))) + "\u2028\uffee\U0001f68c"
"""Every kind of character that a writer of JSON may escape or leave."""


def entity(name: str, **values: str | int) -> Entity:
    """Return a described sale."""
    described = Entity(EntityKey(EntityKind.SALE, "betterez", name))
    described.join(Fact(described.key, Version(1, 0), values), Stamp(1, 0, 0, f"betterez:{name}", "digest"))
    return described


def test_the_state_hash_is_over_json_with_keys_in_order() -> None:
    """Asiento hashes each entity as JSON in UTF-8 with keys in order, no blanks and nothing escaped that need not be."""
    entities = [entity("a", sale_number=ODD_TEXT, total_minor=2**62), entity("b", status="paid", channel="ñandú")]
    lines = (
        json.dumps(canonical(each), sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"
        for each in entities
    )
    assert state_hash(entities) == sha256("".join(lines).encode()).hexdigest()


def test_what_is_awaited_says_nothing() -> None:
    """Asiento leaves out of the state hash what others only point at."""
    awaited = Entity(EntityKey(EntityKind.SALE, "betterez", "b"))
    assert state_hash([entity("a", status="paid"), awaited]) == state_hash([entity("a", status="paid")])
