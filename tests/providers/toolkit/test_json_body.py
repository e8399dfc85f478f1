"""Asiento reads bodies exactly, or says why not."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import Quarantine, UnreadableError
from shared.providers.toolkit.json_body import content_digest, parse_object

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=5), part, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Quarantine.MALFORMED_JSON),
        (b"{", Quarantine.MALFORMED_JSON),
        (b'{"a":1}{', Quarantine.MALFORMED_JSON),
        (b'{"a":NaN}', Quarantine.MALFORMED_JSON),
        (b'{"a":-Infinity}', Quarantine.MALFORMED_JSON),
        (b'{"a":01}', Quarantine.MALFORMED_JSON),
        (b'{"a":1,"a":2}', Quarantine.MALFORMED_JSON),
        (b'{"a":{"b":1,"b":1}}', Quarantine.MALFORMED_JSON),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", Quarantine.MALFORMED_JSON),
        (b'{"a":' + b"9" * 5000 + b"}", Quarantine.MALFORMED_JSON),
        (b'{"a":"\\ud800"}', Quarantine.MALFORMED_JSON),
        (b"\xef\xbb\xbf{}", Quarantine.MALFORMED_JSON),
        (b'{"a":"\xff"}', Quarantine.NOT_UTF8),
        (b"\x1f\x8b\x08\x00", Quarantine.NOT_UTF8),
        (b"[]", Quarantine.WRONG_TYPE),
        (b"null", Quarantine.WRONG_TYPE),
    ],
)
def test_names_why_a_body_cannot_be_read(body: bytes, reason: Quarantine) -> None:
    """Asiento gives each unreadable body its reason."""
    with pytest.raises(UnreadableError) as unreadable:
        parse_object(body)
    assert unreadable.value.reason is reason


def test_never_quotes_a_body() -> None:
    """Asiento keeps what a body says out of the reason why it cannot be read."""
    with pytest.raises(UnreadableError) as unreadable:
        parse_object(b'{"Ana Peralta":1,"Ana Peralta":2}')
    assert "Ana" not in str(unreadable.value)
    assert "line 1" in str(unreadable.value)


@given(st.binary(max_size=200))
def test_answers_any_bytes(body: bytes) -> None:
    """Asiento reads any bytes as an object or holds them; nothing else happens."""
    try:
        assert isinstance(parse_object(body), dict)
    except UnreadableError as unreadable:
        assert unreadable.detail  # noqa: PT017  both ends are right


def test_reads_numbers_without_a_float() -> None:
    """Asiento reads a number with a point as a decimal with the digits that it was written with."""
    content = parse_object(b'{"a":1.10,"b":0.1,"c":1e2,"d":123456789012345678901234567890}')
    assert [str(content[name]) for name in "abcd"] == ["1.10", "0.1", "1E+2", "123456789012345678901234567890"]
    assert isinstance(content["a"], Decimal)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_the_digest_is_of_the_content(content: dict[str, Any]) -> None:
    """Asiento gives one content one digest, however it is written."""
    compact = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    spread = json.dumps(dict(reversed(content.items())), indent=2).encode()
    assert content_digest(parse_object(compact)) == content_digest(parse_object(spread))


def test_the_digest_tells_contents_apart() -> None:
    """Asiento gives different contents different digests, a number and its text included."""
    bodies = [
        b'{"a":1}',
        b'{"a":"1"}',
        b'{"a":1.0}',
        b'{"a":1.00}',
        b'{"a":"1.0"}',
        b'{"a":true}',
        b'{"a":null}',
        b"{}",
        b'{"b":1}',
    ]
    assert len({content_digest(parse_object(body)) for body in bodies}) == len(bodies)


def test_refuses_to_digest_what_no_body_holds() -> None:
    """Asiento never takes the digest of a value that was not read from a body."""
    with pytest.raises(TypeError):
        content_digest({"a": {1, 2}})
