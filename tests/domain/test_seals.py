"""Seals and segments: one way to write them, and no byte that could be another."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import TerminalError
from shared.domain.seals import (
    HOUR,
    NO_SEAL_BEFORE,
    Contents,
    InclusionProof,
    Seal,
    canonical_json,
    closed_until,
    hour_of,
    hour_of_name,
    is_judged,
    leaf_data,
    link_fault,
    name_and_digest,
    read_line,
    read_seal,
    segment_line,
)
from shared.domain.times import Window

SEED = 20_260_301
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEAL = Seal(
    sequence=3,
    covers=Window(NOON, NOON + timedelta(hours=2)),
    sealed_until=NOON + timedelta(hours=2),
    is_addendum=False,
    contents=Contents(5, 1_234, "ab" * 32, "cd" * 32),
    previous=NO_SEAL_BEFORE,
    sealed_at=NOON + timedelta(hours=2, minutes=20, microseconds=7),
    code_version="code-1",
)


def delivery(body: bytes = b'{"id": "1"}', **changes: object) -> Delivery:
    """Return a delivery of noon."""
    came = Delivery("d1", "betterez", Channel.WEBHOOK, NOON, "/betterez?x=ñ", {"x-signature": "t=1"}, body)
    return replace(came, **changes)  # type: ignore[arg-type]  # each test changes a field that there is


def test_is_read_back_as_it_was_made() -> None:
    """Asiento reads a seal back whole, and its hash with it."""
    assert read_seal(SEAL.to_bytes(), "seal 3") == SEAL
    assert json.loads(SEAL.to_bytes())["seal_hash"] == SEAL.seal_hash


def test_no_byte_of_a_seal_can_be_another() -> None:
    """Asiento refuses a seal in which any one byte is another, wherever it stands."""
    made = SEAL.to_bytes()
    for place in range(len(made)):
        for bit in (1, 32):
            bent = bytearray(made)
            bent[place] ^= bit
            with pytest.raises(TerminalError, match=r"seal 3 is (no seal|not as it was made)"):
                read_seal(bytes(bent), "seal 3")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", SEAL.to_bytes()[:-1], SEAL.to_bytes() * 2])
def test_refuses_what_is_no_seal(data: bytes) -> None:
    """Asiento names the file that is no seal."""
    with pytest.raises(TerminalError, match=r"seal-3\.json is"):
        read_seal(data, "seal-3.json")


HEADERS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    | st.sampled_from(["object_name", "body_sha256", "json"]),
    st.text(max_size=0),
)


@given(
    body=st.binary(max_size=300) | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode),
    target=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    headers=HEADERS,
    is_json=st.booleans(),
)
def test_a_segment_gives_back_every_byte(body: bytes, target: str, headers: dict[str, str], is_json: bool) -> None:  # noqa: FBT001  drawn by name
    """Asiento writes any delivery as one line of ASCII and reads the same delivery from it, whatever its bytes are."""
    came = delivery(body, target=target, headers=headers)
    line = segment_line(came, is_json=is_json and is_text(body))
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert read_line(line, "a segment") == came
    assert is_judged(line)
    assert name_and_digest(line, "a segment") == (came.object_name, came.body_sha256)


def is_text(body: bytes) -> bool:
    """Return whether bytes are UTF-8."""
    try:
        return body.decode() is not None
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize(
    "body",
    [
        b'{"object_name":"2020/01/01/00/a/b/c","body_sha256":"00"}',
        b'","object_name":"2020/01/01/00/a/b/c","body_sha256":"00',
        b'\\","object_name":"x","body_sha256":"y","z":"\\',
    ],
)
def test_no_body_speaks_for_its_line(body: bytes) -> None:
    """Asiento finds a line's own name and digest, whatever the body, a header or the target writes of the kind."""
    came = delivery(body, target=body.decode(), headers={body.decode(): body.decode(), "object_name": "a"})
    for is_json in (True, False):
        line = segment_line(came, is_json=is_json)
        assert name_and_digest(line, "a segment") == (came.object_name, came.body_sha256)


def test_a_line_says_what_its_body_is() -> None:
    """Asiento keeps a body readable in a segment where it is UTF-8, and says which is JSON that every engine reads alike."""
    assert json.loads(segment_line(delivery(b'{"id":1}'), is_json=True))["json"] == '{"id":1}'
    assert json.loads(segment_line(delivery("Ñandú".encode()), is_json=False))["text"] == "Ñandú"
    assert json.loads(segment_line(delivery(b"\xff\x00"), is_json=False))["base64"] == "/wA="


def unjudged(line: bytes) -> bytes:
    """Return a line as it was written before lines said what their bodies are."""
    said = json.loads(line)
    for new, old in (("json", "body"), ("text", "body"), ("base64", "body_base64")):
        if new in said:
            said[old] = said.pop(new)
    return canonical_json(said) + b"\n"


@pytest.mark.parametrize("body", [b'{"id":1}', b"a,b", b"\xff\x00", b""])
def test_reads_lines_of_the_first_seals(body: bytes) -> None:
    """Asiento reads a line that was sealed before lines said what their bodies are, and refuses it changed."""
    line = unjudged(segment_line(delivery(body), is_json=False))
    assert not is_judged(line)
    assert read_line(line, "segment 3") == delivery(body)
    with pytest.raises(TerminalError, match="a line of segment 3 is not as it was written"):
        read_line(line.replace(b'"target":"', b'"target":"x', 1).replace(b'":"', b'": "', 1), "segment 3")


@pytest.mark.parametrize(
    "line", [b'{"json":"1"}\n', b'{"body_sha256":"00"}\n', b'{"json":"1","object_name":"a/b"}\n', b"\n"]
)
def test_refuses_a_line_without_name_or_digest(line: bytes) -> None:
    """Asiento names the segment in which a line says no name or no digest."""
    with pytest.raises(TerminalError, match="a line of segment 3 is no delivery"):
        name_and_digest(line, "segment 3")


def test_a_name_of_other_letters_is_told_as_one_that_is_nowhere() -> None:
    """Asiento reads name and digest of a line whatever stands in them: no object has such a name, and no body such a digest."""
    line = b'{"body_sha256":"a\xff","json":"1","object_name":"b\xff"}\n'
    assert name_and_digest(line, "segment 3") == ("b\ufffd", "a\ufffd")


def test_a_line_with_another_body_is_refused() -> None:
    """Asiento refuses a line whose body does not give its digest, and says no word of the body."""
    line = segment_line(delivery(b'{"name": "Juana"}'), is_json=True).replace(b"Juana", b"Juena")
    with pytest.raises(TerminalError, match="a line of segment 3 is not as it was written") as refused:
        read_line(line, "segment 3")
    assert "Ju" not in str(refused.value)


_UNPADDED = segment_line(delivery(b"\xff\x00"), is_json=False).replace(b'"base64":"', b'"base64":"!')


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"null\n", b'{"object_name": 3}', b'{"object_name": "a/b/c/d"}', _UNPADDED]
)
def test_refuses_what_is_no_line(line: bytes) -> None:
    """Asiento names the segment in which a line is none."""
    with pytest.raises(TerminalError, match="a line of segment 3 is no delivery"):
        read_line(line, "segment 3")


@pytest.mark.parametrize(
    "changed",
    [
        delivery(b'{"id": "2"}'),
        delivery(target="/betterez"),
        delivery(headers={"x-signature": "t=2"}),
        delivery(received_at=NOON + timedelta(microseconds=1)),
        delivery(delivery_id="d2"),
        delivery(provider="stripe"),
        delivery(channel=Channel.FETCH),
    ],
)
def test_a_leaf_is_over_all_of_a_delivery(changed: Delivery) -> None:
    """Asiento's leaf changes with anything about a delivery, and shows its body by digest and size only."""
    assert leaf_data(changed) != leaf_data(delivery())
    assert "body" not in json.loads(leaf_data(changed))


def test_a_leaf_says_the_body_by_digest_and_size() -> None:
    """Asiento hashes leaves over the same words for ever: a tree that was sealed years ago is made again."""
    said = json.loads(leaf_data(delivery(b"12")))
    assert (said["body_sha256"], said["body_bytes"]) == (sha256(b"12").hexdigest(), 2)


def test_an_hour_is_one_of_utc() -> None:
    """Asiento counts hours in UTC, as object names do, in whatever zone a moment is given."""
    elsewhere = (NOON + timedelta(minutes=59)).astimezone(timezone(timedelta(hours=-3, minutes=-30)))
    assert hour_of(elsewhere) == NOON == hour_of_name(delivery().object_name)
    assert timedelta(minutes=60) == HOUR


@pytest.mark.parametrize(("minutes", "hours"), [(-1, -1), (0, -1), (14, -1), (15, 0), (59, 0), (74, 0), (75, 1)])
def test_an_hour_is_closed_a_quarter_of_an_hour_after_its_end(minutes: int, hours: int) -> None:
    """Asiento seals an hour no sooner than a quarter of an hour after its end."""
    assert closed_until(NOON + timedelta(minutes=minutes)) == NOON + timedelta(hours=hours)


def test_a_proof_is_about_its_leaf_alone() -> None:
    """Asiento's proof holds for the leaf that it was made of, and not for another (seeded)."""
    rng = random.Random(SEED)  # noqa: S311  examples, no secrets
    leaf = leaf_data(delivery(rng.randbytes(10))).decode()
    sound = InclusionProof(leaf, 0, 1, (), "", 3, SEAL.seal_hash)
    sound = replace(sound, merkle_root=sha256(b"\x00" + leaf.encode()).hexdigest())
    assert sound.holds
    assert not replace(sound, leaf=leaf.replace("webhook", "fetch")).holds


FIRST = replace(SEAL, sequence=1)
NEXT = replace(
    FIRST,
    sequence=2,
    covers=Window(FIRST.sealed_until, FIRST.sealed_until + timedelta(hours=1)),
    sealed_until=FIRST.sealed_until + timedelta(hours=1),
    previous=FIRST.seal_hash,
)
ADDENDUM = replace(NEXT, covers=FIRST.covers, sealed_until=FIRST.sealed_until, is_addendum=True)
LATE = NEXT.sealed_until


def test_a_chain_holds() -> None:
    """Asiento finds nothing wrong with a first seal, with one that goes on where it ended, and with an addendum to it."""
    assert [link_fault(FIRST, None), link_fault(NEXT, FIRST), link_fault(ADDENDUM, FIRST)] == ["", "", ""]


@pytest.mark.parametrize(
    ("seal", "before", "says"),
    [
        (NEXT, None, "seal 1 is gone: seal 2 (2026-03-01T14Z to 2026-03-01T15Z) follows nothing"),
        (replace(NEXT, sequence=3), FIRST, "seal 2 is gone: seal 3"),
        (FIRST, FIRST, "seal 2 is gone: seal 1"),
        (replace(FIRST, previous="ab" * 32), None, "does not follow the beginning: one was replaced"),
        (replace(NEXT, previous=NO_SEAL_BEFORE), FIRST, "does not follow seal 1"),
        (replace(FIRST, is_addendum=True), None, "addendum 1 (2026-03-01T12Z to 2026-03-01T14Z) amends an hour"),
        (replace(ADDENDUM, sealed_until=LATE), FIRST, "amends an hour that was not sealed before it"),
        (replace(ADDENDUM, covers=NEXT.covers), FIRST, "amends an hour that was not sealed before it"),
        (
            replace(NEXT, covers=Window(NEXT.covers.start + timedelta(hours=1), LATE)),
            FIRST,
            "leaves a gap after seal 1",
        ),
        (replace(NEXT, covers=Window(FIRST.covers.start, LATE)), FIRST, "leaves a gap after seal 1"),
        (replace(NEXT, sealed_until=LATE + timedelta(hours=1)), FIRST, "leaves a gap after seal 1"),
        (replace(FIRST, sealed_until=LATE), None, "leaves a gap after the beginning"),
    ],
)
def test_a_chain_breaks_at_its_first_wrong_link(seal: Seal, before: Seal | None, says: str) -> None:
    """Asiento says what is wrong where a seal is gone, replaced, amends what was never sealed, or leaves a gap."""
    assert says in link_fault(seal, before)
