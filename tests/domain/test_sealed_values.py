"""The kept form of a body: closed by key, restored to the byte, changed by nobody."""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import TerminalError
from shared.domain.sealed_values import Holder, key_ids, open_values, seal_values, without_values
from shared.pipeline.protecting import AES_256_GCM
from shared.providers.betterez.personal import PERSONAL
from shared.providers.toolkit.json_body import content_digest, parse_object

NAMES = st.sampled_from(["firstName", "email", "extra", "customerNumber", "total", "tickets", "~pd1.x", "seat", "user"])
CONTENT = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.text(max_size=12), st.just("~pd1.00000000")),
    lambda inside: st.one_of(st.lists(inside, max_size=4), st.dictionaries(NAMES, inside, max_size=5)),
    max_leaves=25,
)


def delivery(body: bytes) -> Delivery:
    """Return a webhook with this body."""
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    return Delivery("0195-1", "betterez", Channel.WEBHOOK, at, "/betterez", {"x-btrz-signature": "t=1,s2=2"}, body)


def holders(count: int, seed: int = 0) -> list[Holder]:
    """Return as many keys as people."""
    return [Holder(f"{seed + place + 1:024x}", bytes([seed + place + 1]) * 32) for place in range(count)]


def kept(came: Delivery, seed: int = 0) -> tuple[Delivery, Sequence[Holder]]:
    """Return the kept form, and the keys that open it."""
    found = PERSONAL.find(came.body)
    keys = holders(len(found.people), seed)
    return (seal_values(came, found.pieces, keys, AES_256_GCM) if found.pieces else came), keys


def secrets(keys: Sequence[Holder]) -> dict[str, bytes]:
    """Return keys as they are found in a store."""
    return dict(keys)


@given(content=CONTENT, cut=st.integers(0, 400), indent=st.sampled_from([None, 1]), is_ascii=st.booleans())
def test_restores_every_body_to_the_byte(content: Any, cut: int, indent: int | None, is_ascii: bool) -> None:  # noqa: FBT001  drawn
    """Asiento gives back exactly what came, whatever it is and wherever it was cut, and keeps it the same way each time."""
    whole = json.dumps(content, ensure_ascii=is_ascii, indent=indent).encode()
    came = delivery(whole[: len(whole) - cut] if cut < len(whole) else whole)
    form, keys = kept(came)
    assert form == kept(came)[0]
    if form != came:
        assert open_values(form, secrets(keys), AES_256_GCM) == came


@given(content=CONTENT)
def test_stays_json_that_says_the_same_under_other_keys(content: Any) -> None:
    """Asiento keeps JSON as JSON with the same shape, and sees that two deliveries say the same, whatever keys closed them."""
    came = delivery(json.dumps({"data": content}).encode())
    mine, other = kept(came)[0], kept(came, seed=99)[0]
    assert parse_object(mine.body).keys() == {"data"}
    assert content_digest(parse_object(mine.body)) == content_digest(parse_object(other.body))


BODY = (
    b'{"tickets":[{"firstName":"Ana","email":"ana@example.org","total":5},{"email":"bea@example.org","extra":{"a":1}}]}'
)


def test_closes_each_person_once() -> None:
    """Asiento puts one ciphertext where a person is met first, and says afterwards only whose the value is."""
    form, (ana, bea) = kept(delivery(BODY))
    content = parse_object(form.body)
    first, second = content["tickets"]
    assert first["total"] == 5
    assert first["email"] == first["firstName"].rpartition(".")[0]
    assert second["extra"] == {"personal": second["email"].rpartition(".")[0]}
    assert key_ids(form) == [ana.key_id, bea.key_id]
    for value in (b"Ana", b"ana@", b"bea@"):
        assert value not in form.body
    assert form.headers["x-btrz-signature"] == "t=1,s2=2"


@pytest.mark.parametrize("seed", range(12))
def test_what_was_changed_is_not_restored(seed: int) -> None:
    """Asiento refuses to restore a kept form of which one byte differs, wherever it is, and a key that is another one."""
    form, keys = kept(delivery(BODY))
    place = (seed * 7919) % len(form.body)
    flipped = bytes([form.body[place] ^ 1])
    body = form.body[:place] + flipped + form.body[place + 1 :]
    with pytest.raises(TerminalError, match="changed"):
        open_values(replace(form, body=body), secrets(keys), AES_256_GCM)
    wrong = {key_id: bytes(32) for key_id in secrets(keys)}
    with pytest.raises(TerminalError, match="changed"):
        open_values(form, wrong, AES_256_GCM)


def test_one_delivery_does_not_stand_for_another() -> None:
    """Asiento binds what is closed to its delivery: a ciphertext cannot be carried into another one."""
    form, keys = kept(delivery(BODY))
    with pytest.raises(TerminalError, match="changed"):
        open_values(replace(form, delivery_id="0195-2"), secrets(keys), AES_256_GCM)


def test_a_value_that_looks_like_a_token_is_a_value() -> None:
    """Asiento takes nothing that a sender wrote for a token of its own."""
    token = "~pd1.00000000." + "0" * 24
    came = delivery(json.dumps({"seat": token, "firstName": "Ana", "rows": [token]}).encode())
    form, keys = kept(came)
    assert open_values(form, secrets(keys), AES_256_GCM) == came


def test_a_changed_sum_is_other_content_and_a_changed_name_is_not() -> None:
    """Asiento compares what two deliveries say of money and travel; who travels is closed, and no part of it."""
    ana, bea, other = (
        kept(delivery(json.dumps({"firstName": name, "total": total}).encode()))[0]
        for name, total in (("Ana", 1), ("Bea", 1), ("Ana", 2))
    )
    digests = [content_digest(parse_object(each.body)) for each in (ana, bea, other)]
    assert digests[0] == digests[1] != digests[2]
    assert without_values(b'{"a":"plain"}') == b'{"a":"plain"}'


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_came_compressed_is_kept_readable(encoding: str) -> None:
    """Asiento keeps compressed content unpacked, so that it is read without a key, and still restores what was signed."""
    packed = gzip.compress(BODY) if encoding == "gzip" else zstandard.compress(BODY)
    came = delivery(b'{"id":"e","enc":"%s","data":"%s"} ' % (encoding.encode(), base64.b64encode(packed)))
    plain = PERSONAL.unpacked(came.body) if PERSONAL.unpacked else None
    assert plain is not None
    found = PERSONAL.find(plain)
    keys = holders(len(found.people))
    form = seal_values(came, found.pieces, keys, AES_256_GCM, plain)
    assert open_values(form, secrets(keys), AES_256_GCM) == came
    content = parse_object(form.body)
    assert content["enc"] is None
    assert [ticket.get("total") for ticket in content["data"]["tickets"]] == [5, None]
    assert base64.b64encode(packed) not in form.body
    assert len(key_ids(form)) == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"enc":"gzip","data":"bm9uZQ=="}',
        b'{"enc":"lz4","data":"bm9uZQ=="}',
        b'{"enc":"gzip"}',
        b'{"data":"x"}',
        b'"enc":"',
    ],
)
def test_what_cannot_be_unpacked_stays_as_it_came(body: bytes) -> None:
    """Asiento leaves a body alone that it cannot unpack; reading quarantines it."""
    assert PERSONAL.unpacked is not None
    assert PERSONAL.unpacked(body) is None
