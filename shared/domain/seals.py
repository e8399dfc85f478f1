"""A seal: what the raw store held of a span of whole hours, chained to the seal before it.

Every seal is about a *segment*: the deliveries of one hour as NDJSON, one line each, in order of their object names. The
Merkle root is taken over what each line says with the body's digest in place of the body, so that a proof of one delivery
shows nobody's data. Spans follow each other without a gap: hours in which nothing came are covered by the next seal, which
says that all it holds came in the last hour of its span. A seal of an *addendum* covers one hour again and holds only what
came under it after it was sealed.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import TerminalError
from shared.domain.merkle import is_included
from shared.domain.times import Window

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=15)
"""How long after its end an hour is still open: far longer than a door takes to keep what it has dated."""
NO_SEAL_BEFORE = "0" * 64
"""Stands for the hash of the seal before in the first seal."""


def hour_of(instant: datetime) -> datetime:
    """Return the start of the UTC hour of an instant: the hour in the object name of what came then."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_of_name(object_name: str) -> datetime:
    """Return the hour that an object name begins with, `2026/03/01/12/…`; raises ValueError where it begins otherwise."""
    year, month, day, hour = (int(part) for part in object_name.split("/")[:4])
    return datetime(year, month, day, hour, tzinfo=UTC)


def closed_until(now: datetime) -> datetime:
    """Return the end of the last hour that is closed: what came before it has been kept by now."""
    return hour_of(now - GRACE)


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """Return the one way in which a document is written before it is hashed: keys in order, no blanks, ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a segment holds: how many deliveries, how many bytes of bodies, and the digests of it, in hex."""

    object_count: int
    body_bytes: int
    merkle_root: str
    segment_sha256: str


@dataclass(frozen=True, slots=True)
class Seal:
    """The manifest of a span of hours. Its hash is over all that it says, the hash of the seal before included."""

    sequence: int
    """1 for the first seal."""
    covers: Window
    """Whole UTC hours. What came in this span is in the segment, and all of it came in the last hour."""
    sealed_until: datetime
    """Up to where the chain covers everything; an addendum leaves it where it was."""
    is_addendum: bool
    contents: Contents
    previous: str
    """Hash of the seal before, in hex."""
    sealed_at: datetime
    code_version: str

    @property
    def seal_hash(self) -> str:
        """Return the hash that the next seal carries: the head of the chain while there is none."""
        return sha256(canonical_json(self._document())).hexdigest()

    @property
    def place(self) -> str:
        """Return the one-line name that messages use."""
        kind = "addendum" if self.is_addendum else "seal"
        return f"{kind} {self.sequence} ({self.covers.start:%Y-%m-%dT%H}Z to {self.covers.end:%Y-%m-%dT%H}Z)"

    def to_bytes(self) -> bytes:
        """Return the seal as it is kept: one line of canonical JSON that ends in its own hash."""
        return canonical_json({**self._document(), "seal_hash": self.seal_hash}) + b"\n"

    def _document(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "covers_from": self.covers.start.isoformat(),
            "covers_until": self.covers.end.isoformat(),
            "sealed_until": self.sealed_until.isoformat(),
            "is_addendum": self.is_addendum,
            "object_count": self.contents.object_count,
            "body_bytes": self.contents.body_bytes,
            "merkle_root": self.contents.merkle_root,
            "segment_sha256": self.contents.segment_sha256,
            "previous": self.previous,
            "sealed_at": self.sealed_at.isoformat(),
            "code_version": self.code_version,
        }


def read_seal(data: bytes, name: str) -> Seal:
    """Read a seal back; raises TerminalError where one byte of it is not as it was made. `name` says whose bytes they are."""
    try:
        said = json.loads(data)
        seal = Seal(
            sequence=said["sequence"],
            covers=Window(datetime.fromisoformat(said["covers_from"]), datetime.fromisoformat(said["covers_until"])),
            sealed_until=datetime.fromisoformat(said["sealed_until"]),
            is_addendum=said["is_addendum"],
            contents=Contents(said["object_count"], said["body_bytes"], said["merkle_root"], said["segment_sha256"]),
            previous=said["previous"],
            sealed_at=datetime.fromisoformat(said["sealed_at"]),
            code_version=said["code_version"],
        )
    except (ValueError, KeyError, TypeError) as wrong:
        raise TerminalError(f"{name} is no seal ({type(wrong).__name__}); bring it back from a copy") from None
    if seal.to_bytes() != data:
        raise TerminalError(f"{name} is not as it was made: it does not give its own hash; bring it back from a copy")
    return seal


def link_fault(seal: Seal, before: Seal | None) -> str:
    """Return what is wrong with a seal's place after the one before it, or nothing where the chain holds."""
    sequence = before.sequence + 1 if before else 1
    predecessor = before.place if before else "the beginning"
    if seal.sequence != sequence:
        return f"seal {sequence} is gone: {seal.place} follows {before.place if before else 'nothing'}"
    if seal.previous != (before.seal_hash if before else NO_SEAL_BEFORE):
        return f"{seal.place} does not follow {predecessor}: one was replaced"
    if seal.is_addendum:
        is_about_sealed = before and seal.sealed_until == before.sealed_until and seal.covers.end <= seal.sealed_until
        return "" if is_about_sealed else f"{seal.place} amends an hour that was not sealed before it"
    if seal.sealed_until != seal.covers.end or (before and seal.covers.start != before.sealed_until):
        return f"{seal.place} leaves a gap after {predecessor}"
    return ""


def leaf_data(delivery: Delivery) -> bytes:
    """Return what a leaf of the tree is hashed over: all of a delivery, its body by digest and size."""
    return canonical_json(
        {**_described(delivery), "body_sha256": delivery.body_sha256, "body_bytes": len(delivery.body)}
    )


class BodyForm(StrEnum):
    """How a line writes a body: the member that holds it."""

    JSON = "json"
    """Text that every engine reads as the same JSON: what a warehouse takes for the body."""
    TEXT = "text"
    """Other text in UTF-8."""
    BASE64 = "base64"
    """Bytes that are no UTF-8."""
    UNJUDGED_TEXT = "body"
    """Text in UTF-8 of which the line does not say whether it is JSON: how lines were written before they said so."""
    UNJUDGED_BASE64 = "body_base64"
    """Bytes that are no UTF-8, in such a line."""


_TEXT_FORMS = (BodyForm.JSON, BodyForm.TEXT, BodyForm.UNJUDGED_TEXT)
_BASE64_FORMS = (BodyForm.BASE64, BodyForm.UNJUDGED_BASE64)
_UNJUDGED = (b'{"body":', b'{"body_base64":')
_BODY_SHA256 = b'"body_sha256":"'
_OBJECT_NAME = b',"object_name":"'


def segment_line(delivery: Delivery, *, is_json: bool) -> bytes:
    """Return a delivery as a line of a segment. `is_json` says that every engine reads its body as the same JSON."""
    if is_json:
        return _line(delivery, BodyForm.JSON)
    return _line(delivery, BodyForm.TEXT if _is_text(delivery.body) else BodyForm.BASE64)


def read_line(line: bytes, name: str) -> Delivery:
    """Read a delivery back from a line of a segment; raises TerminalError where the line is not as it was written.

    `name` says whose line it is.
    """
    delivery = delivery_of_line(line, name)
    forms = _TEXT_FORMS if _is_text(delivery.body) else _BASE64_FORMS
    if not any(_line(delivery, form) == line for form in forms):
        raise TerminalError(f"a line of {name} is not as it was written; bring the segment back from a copy")
    return delivery


def is_judged(line: bytes) -> bool:
    """Return whether a line says what its body is; those of the first seals do not."""
    return not line.startswith(_UNJUDGED)


def name_and_digest(line: bytes, name: str) -> tuple[str, str]:
    """Return the object name and the body's digest that a judged line says, and read nothing else of it.

    It is for whoever holds the segment's digest against its seal. Raises TerminalError where the line says neither.
    """
    # Keys stand in order, and a quote inside a text is escaped: the first of the one and the last of the other are the line's.
    digest_at, name_at = line.find(_BODY_SHA256), line.rfind(_OBJECT_NAME)
    if digest_at < 0 or name_at < 0:
        raise TerminalError(f"a line of {name} is no delivery; bring it back from a copy")
    digest_at, name_at = digest_at + len(_BODY_SHA256), name_at + len(_OBJECT_NAME)
    said = line[name_at : line.find(b'"', name_at)], line[digest_at : line.find(b'"', digest_at)]
    return said[0].decode("ascii", "replace"), said[1].decode("ascii", "replace")


def delivery_of_line(line: bytes, name: str, parse: Callable[[bytes], Any] = json.loads) -> Delivery:
    """Read a line for whoever holds the segment's digest against its seal; raises TerminalError where it is no delivery.

    `parse` reads JSON, and raises ValueError where there is none.
    """
    try:
        said = parse(line)
        *_, provider, channel, delivery_id = said["object_name"].split("/")
        (form,) = (form for form in BodyForm if form in said)
        return Delivery(
            delivery_id=delivery_id,
            provider=provider,
            channel=Channel(channel),
            received_at=datetime.fromisoformat(said["received_at"]),
            target=said["target"],
            headers=said["headers"],
            body=said[form].encode() if form in _TEXT_FORMS else base64.b64decode(said[form], validate=True),
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as wrong:
        raise TerminalError(
            f"a line of {name} is no delivery ({type(wrong).__name__}); bring it back from a copy"
        ) from None


def _is_text(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _line(delivery: Delivery, form: BodyForm) -> bytes:
    body = delivery.body.decode("utf-8") if form in _TEXT_FORMS else base64.b64encode(delivery.body).decode("ascii")
    return canonical_json({**_described(delivery), "body_sha256": delivery.body_sha256, form.value: body}) + b"\n"


def _described(delivery: Delivery) -> dict[str, Any]:
    return {
        "object_name": delivery.object_name,
        "received_at": delivery.received_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "target": delivery.target,
        "headers": dict(delivery.headers),
    }


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That one delivery was sealed: what its leaf says, where it is, and the way from it to the root in the seal.

    `path` holds hashes in hex, nearest first. Whoever holds the seal's hash from elsewhere needs nothing else of ours.
    """

    leaf: str
    index: int
    count: int
    path: tuple[str, ...]
    merkle_root: str
    sequence: int
    seal_hash: str

    @property
    def holds(self) -> bool:
        """Return whether the way from the leaf leads to the root."""
        path = [bytes.fromhex(each) for each in self.path]
        return is_included(self.leaf.encode("ascii"), self.index, self.count, path, bytes.fromhex(self.merkle_root))
