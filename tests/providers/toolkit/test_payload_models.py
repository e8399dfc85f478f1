"""Identities: what may become part of a document's key, and how long it may be."""

import pytest

from shared.domain.errors import Quarantine, UnreadableError
from shared.providers.toolkit.payload_models import Id, LinkId, Payload, read_as


class _Thing(Payload):
    id: Id
    other: LinkId = ""


@pytest.mark.parametrize("identity", ["7", "65f0c2aa34bc9d0012ab34cd", "ñ" * 128, "a:b c.d"])
def test_an_identity_is_read(identity: str) -> None:
    """Asiento reads identities of up to 128 characters, whatever bytes they take, of a thing and of what it points at."""
    thing = read_as(_Thing, {"id": identity, "other": identity})
    assert (thing.id, thing.other) == (identity, identity)


@pytest.mark.parametrize("identity", ["a" * 129, "ñ" * 129, "a/b", "a\n", "\x00", "a\u200bb", "a\ud7ff\ue000"])
def test_what_would_break_a_key_is_no_identity(identity: str) -> None:
    """Asiento holds an identity that is too long, has a slash, or has a sign that nobody sees."""
    for content in ({"id": identity}, {"id": "7", "other": identity}):
        with pytest.raises(UnreadableError) as held:
            read_as(_Thing, content)
        assert held.value.reason is Quarantine.WRONG_TYPE


def test_only_what_is_pointed_at_may_be_empty() -> None:
    """Asiento takes empty text for nothing pointed at, and never for the identity of a thing."""
    assert read_as(_Thing, {"id": "7", "other": ""}).other == ""
    with pytest.raises(UnreadableError, match=r"_Thing\.id"):
        read_as(_Thing, {"id": ""})
