"""The kept form of a body: personal values stand as tokens that only their keys open, and the rest stands as it came.

    "firstName":"Ana","email":"ana@example.org"  ─▶  "firstName":"~pd1.<tag>.<key>.<ciphertext>","email":"~pd1.<tag>.<key>"

All values of one person in one body are one ciphertext, which stands where the first of them stood. JSON stays JSON: text
and numbers become text, an object an object around a token, an array an array around one. Restoring is exact to the byte
and is proved by a keyed digest that travels with the delivery; its key is made of all the keys of the body, so that it
proves nothing about what was erased. The tag is the beginning of that digest: nobody who writes a value can foresee it.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b, sha256
from typing import NamedTuple

from shared.domain.deliveries import Delivery
from shared.domain.errors import TerminalError
from shared.domain.personal import Piece

KEPT_HEADER = "asiento-kept"
"""Says that a delivery is kept with tokens in it, and proves what it is restored to: `pd1 <digest>`."""
MARK = "~pd1."
"""How every token begins: of personal data, first form."""
_FORM = "pd1"
_TAG_LENGTH = 8
_ALL_KEYS = "0" * 24
"""Stands for a key that is made of all the keys of a body."""
_NONCE_BYTES = 12
_SIZE_BYTES = 4
_ONE = r"~pd1\.([0-9a-f]{8})\.([0-9a-f]{24})(?:\.([A-Za-z0-9_-]+))?"
_PLACE = re.compile(rf'\{{"personal":"{_ONE}"\}}|\["{_ONE}"\]|"{_ONE}"'.encode())
_ANY_TOKEN = re.compile(rb'"~pd1\.[^"\\]*+"')


class Cipher(NamedTuple):
    """Authenticated encryption, as (key, nonce, text, what it belongs to); opening raises ValueError where it does not fit."""

    close: Callable[[bytes, bytes, bytes, bytes], bytes]
    open: Callable[[bytes, bytes, bytes, bytes], bytes]


class Holder(NamedTuple):
    """Whose values a token holds: the id of the key, and the key."""

    key_id: str
    secret: bytes


def seal_values(
    delivery: Delivery,
    pieces: Sequence[Piece],
    holders: Sequence[Holder],
    cipher: Cipher,
    unpacked: bytes | None = None,
) -> Delivery:
    """Return the kept form of a delivery: each piece closed under the key of its holder. The same input gives the same form.

    `holders` has one for each number in `pieces`; two people may have one holder. Where the body came compressed the pieces
    are those of `unpacked`, a JSON object, which is kept instead, with what came closed at its end under all keys at once.
    """
    body = delivery.body if unpacked is None else unpacked
    shared_secret = _of_all(holder.secret for holder in holders)
    digest = _proof(delivery.body, shared_secret)
    values: dict[str, list[bytes]] = {}
    for piece in pieces:
        values.setdefault(holders[piece.person].key_id, []).append(body[piece.start : piece.end])
    about = delivery.delivery_id.encode()
    sealed = {
        holder.key_id: b"." + _closed(values[holder.key_id], holder.secret, about, cipher)
        for holder in holders
        if holder.key_id in values
    }
    tag, at = digest[:_TAG_LENGTH], 0
    kept: list[bytes] = []
    for piece in pieces:
        key_id = holders[piece.person].key_id
        token = f"{MARK}{tag}.{key_id}".encode() + sealed.pop(key_id, b"")
        kept += (body[at : piece.start], _in_place(token, body[piece.start : piece.start + 1]))
        at = piece.end
    if unpacked is None:
        kept.append(body[at:])
    else:
        packed = _closed([delivery.body], shared_secret, about, cipher)
        end = body.rindex(b"}")
        kept += (body[at:end], b',"personal":"' + f"{MARK}{tag}.{_ALL_KEYS}.".encode() + packed + b'"', body[end:])
    return replace(delivery, headers={**delivery.headers, KEPT_HEADER: f"{_FORM} {digest}"}, body=b"".join(kept))


def holds_tokens(delivery: Delivery) -> bool:
    """Return whether a delivery is kept with tokens in it."""
    return KEPT_HEADER in delivery.headers


def key_ids(delivery: Delivery) -> list[str]:
    """Return the ids of the keys that a kept delivery is opened with, in order of their first token."""
    tag = _tag(delivery)
    found = (key_id for place in _PLACE.finditer(delivery.body) for key_id in _key_id(place, tag))
    return [key_id for key_id in dict.fromkeys(found) if key_id != _ALL_KEYS]


def open_values(delivery: Delivery, secrets: Mapping[str, bytes], cipher: Cipher) -> Delivery:
    """Return a delivery as it came, from its kept form and all of its keys.

    Raises TerminalError where the kept form was changed, or is not what these keys have closed.
    """
    try:
        shared_secret = _of_all(secrets[key_id] for key_id in key_ids(delivery))
        body = _restored(delivery, {**secrets, _ALL_KEYS: shared_secret}, cipher)
    except (ValueError, KeyError, IndexError):
        raise _changed(delivery) from None
    if f"{_FORM} {_proof(body, shared_secret)}" != delivery.headers[KEPT_HEADER]:
        raise _changed(delivery)
    headers = {name: value for name, value in delivery.headers.items() if name != KEPT_HEADER}
    return replace(delivery, headers=headers, body=body)


def _restored(delivery: Delivery, secrets: Mapping[str, bytes], cipher: Cipher) -> bytes:
    """Put the values back in place of their tokens; what came compressed is closed whole and stands for all."""
    tag, about = _tag(delivery), delivery.delivery_id.encode()
    waiting: dict[str, list[bytes]] = {}

    def original(found: re.Match[bytes]) -> bytes:
        for key_id in _key_id(found, tag):
            if sealed := found[3] or found[6] or found[9]:
                waiting[key_id] = _opened(sealed, secrets[key_id], about, cipher)
            return b"" if key_id == _ALL_KEYS else waiting[key_id].pop()
        return found[0]

    body = _PLACE.sub(original, delivery.body)
    return waiting[_ALL_KEYS][0] if _ALL_KEYS in waiting else body


def without_values(canonical: bytes) -> bytes:
    """Return JSON with every token reduced to its mark: what is said, whoever it is said of and under whatever key."""
    return _ANY_TOKEN.sub(b'"~pd1"', canonical) if b'"~pd1.' in canonical else canonical


def _key_id(found: re.Match[bytes], tag: bytes) -> Iterable[str]:
    """Yield the key's id of a token of this delivery; nothing for what only looks like one."""
    if (found[1] or found[4] or found[7]) == tag:
        yield (found[2] or found[5] or found[8]).decode("ascii")


def _tag(delivery: Delivery) -> bytes:
    return delivery.headers[KEPT_HEADER].rpartition(" ")[2][:_TAG_LENGTH].encode()


def _in_place(token: bytes, first: bytes) -> bytes:
    if first == b"{":
        return b'{"personal":"' + token + b'"}'
    return b'["' + token + b'"]' if first == b"[" else b'"' + token + b'"'


def _closed(values: Sequence[bytes], secret: bytes, about: bytes, cipher: Cipher) -> bytes:
    """Close values under one key. The nonce is made of the key and all that is closed: no two texts share one."""
    text = b"".join(len(value).to_bytes(_SIZE_BYTES, "big") + value for value in values)
    nonce = blake2b(about + b"\n" + text, key=secret, digest_size=_NONCE_BYTES, person=b"asiento-nonce").digest()
    return urlsafe_b64encode(nonce + cipher.close(secret, nonce, text, about)).rstrip(b"=")


def _opened(sealed: bytes, secret: bytes, about: bytes, cipher: Cipher) -> list[bytes]:
    """Return the values of one person, the last one first."""
    blob = urlsafe_b64decode(sealed + b"=" * (-len(sealed) % 4))
    text = cipher.open(secret, blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], about)
    values, at = list[bytes](), 0
    while at < len(text):
        start = at + _SIZE_BYTES
        at = start + int.from_bytes(text[at:start], "big")
        values.append(text[start:at])
    return values[::-1]


def _of_all(secrets: Iterable[bytes]) -> bytes:
    """Return a key made of all these, in whatever order: it is gone as soon as one of them is."""
    return sha256(b"".join(sorted(set(secrets)))).digest()


def _proof(body: bytes, secret: bytes) -> str:
    """Return the keyed digest of a body as it came, in hex."""
    return blake2b(body, key=secret, digest_size=16, person=b"asiento-proof").hexdigest()


def _changed(delivery: Delivery) -> TerminalError:
    return TerminalError(
        f"{delivery.object_name} is not restored to the bytes that came: its kept form or a key was changed; run verify"
    )
